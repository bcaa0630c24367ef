"""DuckDB with its extensions as PyPI brings them: no network is asked."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import duckdb
import duckdb_extension_httpfs
import duckdb_extension_spatial


def connect(*, remote: bool = False) -> duckdb.DuckDBPyConnection:
    """A database in memory that knows `ST_Read` and the rest, and S3 if asked."""
    database = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    database.load_extension(str(_extension(duckdb_extension_spatial)))
    if remote:
        database.load_extension(str(_extension(duckdb_extension_httpfs)))
    return database


def make_home(folder: Path) -> Path:
    """A home folder in which DuckDB finds spatial installed, for programs that ask it to."""
    found = _extension(duckdb_extension_spatial)
    link = folder / ".duckdb" / "extensions" / f"v{duckdb.__version__}" / "linux_amd64" / found.name
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.exists():
        link.symlink_to(found)
    return folder


def _extension(package: ModuleType) -> Path:
    [found] = Path(package.__file__).parent.rglob("*.duckdb_extension")
    return found
