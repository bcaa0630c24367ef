"""What a run works with, by version: for its record in the ledger. Servers are not asked here."""

from __future__ import annotations

import platform
from functools import cache
from importlib import metadata

_PACKAGES = (
    *("spatial-etl", "dagster", "pyarrow", "pyogrio", "pyproj", "adbc-driver-postgresql"),
    *("psycopg", "pymongo", "minio"),
)
"""Those whose version can change what comes out, or explain why a run failed."""


@cache
def local_tools() -> dict[str, str]:
    """This release, Python and the packages that are installed here."""
    return {"Python": platform.python_version(), **_installed()}


def _installed() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # Dagster, where a run is started without it
            continue
    return found
