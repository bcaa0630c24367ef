"""Which users run PostgreSQL and the vault's front, and where PostgreSQL can reach a data folder.

PostgreSQL refuses to run as root. As root it runs as the `postgres` user that its package made;
otherwise as ourselves.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path

from libs.stack.errors import MissingProgramsError
from libs.stack.paths import StackPaths

POSTGRES_USER = "postgres"
FRONT_USER = "haproxy"
"""Each is made by its Debian package."""
_HOME = Path("/var/lib/postgresql")


def postgres_user() -> str | None:
    """The user to change to; None: stay who we are. Raises `MissingProgramsError`."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(POSTGRES_USER).pw_name
    except KeyError:
        raise MissingProgramsError(["the user `postgres` of postgresql-15"]) from None


def front_user() -> str | None:
    """Whom the front becomes once it listens; None: it stays who we are."""
    return FRONT_USER if os.geteuid() == 0 else None


def choose_compute_dir(paths: StackPaths) -> Path:
    """PostgreSQL's data folder: in the state folder, or at its package's home.

    The second when its user cannot reach the first, below `/root` say. The state folder then stays
    closed; otherwise its group may pass through it (but not list it).
    """
    user = postgres_user()
    if user is None:
        return paths.compute
    if not _can_enter(user, paths.state.parent):
        return _HOME / f"spatial-etl-{paths.digest}"
    shutil.chown(paths.state, group=pwd.getpwnam(user).pw_gid)
    paths.state.chmod(0o710)
    return paths.compute


def _can_enter(user: str, folder: Path) -> bool:
    command = ["test", "-x", str(folder)]
    return (
        subprocess.run(command, user=user, group=user, extra_groups=[], check=False).returncode == 0
    )


def give_to_postgres(path: Path) -> None:
    """Make PostgreSQL's user the owner, when it is not ourselves."""
    user = postgres_user()
    if user is not None:
        shutil.chown(path, user=user, group=pwd.getpwnam(user).pw_gid)


def run_as_postgres(command: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run one of PostgreSQL's programs as its user and wait; the caller reads the exit code."""
    user = postgres_user()
    return subprocess.run(
        command,
        cwd=cwd,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
        env={"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
