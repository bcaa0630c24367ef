"""The transient schemas of runs: made, listed, and dropped with whatever still works in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from libs.compute.session import application_name
from libs.models import RunSchema

if TYPE_CHECKING:
    from psycopg import Connection

_LIST = sql.SQL("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'proc\\_%' ORDER BY nspname")

_TERMINATE = sql.SQL(
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    " WHERE application_name = {name} AND usename = current_user AND pid <> pg_backend_pid()"
)


def create(connection: Connection, schema: RunSchema) -> None:
    """Make an empty schema; what an earlier try of the same run left in it goes."""
    drop(connection, schema.name)
    connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema.name)))


def drop(connection: Connection, name: str) -> None:
    """Drop a schema and all in it; one that is not there is fine."""
    connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(name)))


def names(connection: Connection) -> list[str]:
    """The schemas that belong to runs, sorted by name."""
    rows = connection.execute(_LIST).fetchall()
    return [name for (name,) in rows if RunSchema.run_digits(name)]


def terminate_backends(connection: Connection, run_id: str) -> int:
    """End the server processes that still work for a run; returns how many there were."""
    name = application_name(RunSchema(run_id=run_id))
    return len(connection.execute(_TERMINATE.format(name=sql.Literal(name))).fetchall())


def drop_run(connection: Connection, run_id: str) -> list[str]:
    """Drop all schemas of a run; returns their names."""
    digits = run_id.replace("-", "")
    dropped = [name for name in names(connection) if RunSchema.run_digits(name) == digits]
    for name in dropped:
        drop(connection, name)
    return dropped
