"""DuckDB with its spatial extension, for all tests that ask an independent reader."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import duckdb_extension_spatial
import pytest


@pytest.fixture(scope="session")
def duckdb_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder whose DuckDB has its spatial extension, without network."""
    home = tmp_path_factory.mktemp("home")
    version, platform = (
        duckdb.sql("SELECT version()").fetchone()[0],
        duckdb.sql("PRAGMA platform").fetchone()[0],
    )
    source = Path(duckdb_extension_spatial.__file__).parent / "extensions" / version
    target = home / ".duckdb" / "extensions" / version / platform
    target.mkdir(parents=True)
    shutil.copy(source / "spatial.duckdb_extension", target)
    return home


@pytest.fixture
def duck(duckdb_home: Path):
    folder = duckdb_home / ".duckdb" / "extensions"
    with duckdb.connect(config={"extension_directory": str(folder)}) as connection:
        connection.execute("LOAD spatial")
        yield connection
