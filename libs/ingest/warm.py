"""Imports all that a run imports late, for a process from which runs are forked."""

from __future__ import annotations

import gc
import importlib

_LATE = (
    "adbc_driver_postgresql.dbapi",
    "libs.compute.eject",
    "libs.compute.load",
    "libs.ingest",
    "libs.spatial_utils.geoparquet",
    "PIL.Image",
    "PIL.ImageDraw",
    "psycopg_pool",
    "pyproj",
    "yaml",
)
"""What each run would spend more time on than on a small file; none of it starts a thread."""


def import_all() -> None:
    """Import them; a fork of this process has them at once.

    All that is there by now stays: no fork's garbage collector looks at it again, which would also
    copy the memory that the forks share.
    """
    for name in _LATE:
        importlib.import_module(name)
    gc.freeze()
