"""DuckDB with its spatial extension as PyPI brings it: no network is asked."""

from __future__ import annotations

from pathlib import Path

import duckdb
import duckdb_extension_spatial

_NAME = "spatial.duckdb_extension"


def connect() -> duckdb.DuckDBPyConnection:
    """A database in memory that knows `ST_Read` and the rest."""
    database = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    database.load_extension(str(_extension()))
    return database


def make_home(folder: Path) -> Path:
    """A home folder in which DuckDB finds the extension installed, for programs that ask it to."""
    link = folder / ".duckdb" / "extensions" / f"v{duckdb.__version__}" / "linux_amd64" / _NAME
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.exists():
        link.symlink_to(_extension())
    return folder


def _extension() -> Path:
    [found] = Path(duckdb_extension_spatial.__file__).parent.rglob(_NAME)
    return found
