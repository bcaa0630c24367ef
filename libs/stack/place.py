"""Whether a state folder still is where its stack was made.

A stack's data names its place: PostgreSQL's folder is kept by its absolute path, and so are the
vault's blocks in JuiceFS's metadata. The servers of a copy would work on the original's data, and
those of a folder that was moved find none.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from libs.stack import identity as identities
from libs.stack.errors import MovedFolderError
from libs.stack.identity import Identity
from libs.stack.paths import StackPaths


def require_unmoved(paths: StackPaths, identity: Identity) -> None:
    """Raises `MovedFolderError` for a folder that was copied or moved; a link to it is the same."""
    made_at = identity.state or _made_at(paths, identity)
    if made_at is not None and not _is_same(made_at, paths.state):
        raise MovedFolderError(paths.state, made_at)


def keep(paths: StackPaths, identity: Identity) -> Identity:
    """The same check; a stack of before, which did not keep its path, has it from now on."""
    require_unmoved(paths, identity)
    if identity.state is None:
        made_at = _made_at(paths, identity) or paths.state
        identity = identity.model_copy(update={"state": made_at})
        identities.save(paths, identity)
    return identity


def _made_at(paths: StackPaths, identity: Identity) -> Path | None:
    """Where a stack was made that did not keep its path; None: nothing says so."""
    if identity.compute_dir.name == paths.compute.name:
        return identity.compute_dir.parent
    blocks = _blocks_of_the_vault(paths)
    return None if blocks is None else blocks.parents[1]


def _blocks_of_the_vault(paths: StackPaths) -> Path | None:
    address = f"file:{quote(str(paths.vault_metadata))}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True)) as database:
            query = "SELECT value FROM jfs_setting WHERE name = 'format'"
            found = database.execute(query).fetchone()
    except sqlite3.Error:  # not made yet, or not to its end
        return None
    return None if found is None else Path(json.loads(found[0])["Bucket"])


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # it is not there any more, or not for us
        return False
