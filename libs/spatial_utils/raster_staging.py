"""Shows GDAL an input file alone and under a neutral name; what is in the file is not its business.

Beside the file lies its world file and nothing else, so that no `.aux.xml`, `.ovr` or `.msk` can
add to it, and a name with quotes or colons in it cannot change what a subdataset's name means.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from libs.models import INPUT_FORMATS
from libs.spatial_utils.gdal_errors import STAGED_NAME


@contextlib.contextmanager
def staged(path: Path, driver: str, work_dir: Path) -> Iterator[Path]:
    """The file under a neutral name, in a folder of its own below `work_dir`; gone afterwards."""
    rules = INPUT_FORMATS[driver]
    with tempfile.TemporaryDirectory(prefix="raster-", dir=work_dir) as folder:
        shown = Path(folder).resolve() / f"{STAGED_NAME}{rules.suffixes[0]}"
        _link(path, shown)
        for side_file in sorted(path.parent.glob("*")):
            suffix = side_file.suffix.lower()
            if side_file.stem == path.stem and suffix in rules.side_files:
                _link(side_file, shown.with_suffix(suffix))
        yield shown


def _link(path: Path, shown: Path) -> None:
    if shown.exists():
        return
    try:
        os.link(path.resolve(), shown)
    except OSError:  # another file system, or one without hard links
        shown.symlink_to(path.resolve())
