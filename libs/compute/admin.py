"""Gives a PostgreSQL server the pipeline's database and role; may be repeated. Runs no pipeline.

`python -m libs.compute.admin` does it with POSTGIS_ADMIN_USER and POSTGIS_ADMIN_PASSWORD for the
database and role that POSTGIS_* name. Our own PostGIS image does the same by itself at each start.
"""

from __future__ import annotations

import sys
from importlib.resources import files
from typing import TYPE_CHECKING

from libs.admin_settings import ComputeAdminLogin
from libs.compute.errors import translated
from libs.init_job import run_init_job
from libs.settings import ComputeSettings, load_section

if TYPE_CHECKING:
    import psycopg

_MAINTENANCE_DATABASE = "postgres"


def provision(admin: ComputeAdminLogin, pipeline: ComputeSettings) -> None:
    """Make the database with PostGIS, and a role that may make schemas in it and nothing else.

    Raises:
        ComputeUnavailableError, ComputeConfigError: as everywhere.
    """
    from psycopg import sql

    name = pipeline.database
    with translated(f"making the database {name}"):
        with _connection(admin, pipeline, _MAINTENANCE_DATABASE) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
            if known.fetchone() is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        with _connection(admin, pipeline, name) as connection:
            _tell(connection, "spatial_etl.role", pipeline.user)
            _tell(connection, "spatial_etl.password", _verifier(connection, pipeline))
            connection.execute(files("libs.compute").joinpath("provision.sql").read_bytes())


def _tell(connection: psycopg.Connection, name: str, value: str) -> None:
    connection.execute("SELECT set_config(%s, %s, false)", [name, value])


def _verifier(connection: psycopg.Connection, pipeline: ComputeSettings) -> str:
    """The server sees, and could log, only this of the password."""
    password = pipeline.password.get_secret_value().encode()
    return connection.pgconn.encrypt_password(
        password, pipeline.user.encode(), b"scram-sha-256"
    ).decode()


def _connection(
    admin: ComputeAdminLogin, pipeline: ComputeSettings, database: str
) -> psycopg.Connection:
    import psycopg

    return psycopg.connect(
        host=pipeline.host,
        port=pipeline.port,
        dbname=database,
        user=admin.user,
        password=admin.password.get_secret_value(),
        connect_timeout=pipeline.connect_timeout_s,
        autocommit=True,
    )


def main() -> int:
    """The init job; returns its exit code."""

    def work() -> str:
        provision(load_section(ComputeAdminLogin), load_section(ComputeSettings))
        return "PostgreSQL has the pipeline's database and role."

    return run_init_job(work, wait_s=0)


if __name__ == "__main__":
    sys.exit(main())
