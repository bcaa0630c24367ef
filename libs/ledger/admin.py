"""Gives a MongoDB server the pipeline's user and the ledger its shape; may be repeated.

`python -m libs.ledger.admin` does it with MONGODB_ADMIN_USERNAME and MONGODB_ADMIN_PASSWORD for the
user and database that MONGODB_* name: the init job of Docker Compose and Kubernetes. Making the
replica set and its first user is the server's own start (services/mongodb/first_start.js).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from pymongo.database import Database
from pymongo.errors import OperationFailure

from libs.admin_settings import LedgerAdminLogin
from libs.errors import ConfigError
from libs.init_job import run_init_job
from libs.ledger.codec import BsonDocument
from libs.ledger.connection import Connection
from libs.ledger.errors import ledger_errors
from libs.ledger.ledger import Ledger
from libs.settings import LedgerSettings, load_section

_USER_EXISTS = 51003


def provision(
    admin: LedgerAdminLogin, pipeline: LedgerSettings, *, any_database: bool = False
) -> tuple[str, ...]:
    """Make the pipeline's user, and bring the ledger to this release's shape.

    `any_database` is for tests, which make databases of their own. Returns the migrations applied
    now. Raises `ConfigError` and `LedgerUnavailableError` as everywhere.
    """
    if pipeline.username is None or pipeline.password is None:
        raise ConfigError("Set MONGODB_USERNAME and MONGODB_PASSWORD: the user to be made.")
    if pipeline.username == admin.username:
        raise ConfigError("MONGODB_ADMIN_USERNAME and MONGODB_USERNAME must be two users.")
    login = {"username": admin.username, "password": admin.password, "auth_source": "admin"}
    connection = Connection(pipeline.model_copy(update=login))
    try:
        with ledger_errors("the pipeline's user"):
            _set_user(
                connection.client[pipeline.auth_source],
                pipeline.username,
                pipeline.password.get_secret_value(),
                _roles(pipeline.database, any_database=any_database),
            )
    finally:
        connection.close()
    with Ledger.connect(pipeline) as ledger:
        applied = ledger.migrate()
        ledger.check()
    return applied


def _roles(database: str, *, any_database: bool) -> list[object]:
    if any_database:
        return ["readWriteAnyDatabase", "dbAdminAnyDatabase"]
    return [{"role": role, "db": database} for role in ("readWrite", "dbAdmin")]


def _set_user(
    database: Database[BsonDocument], name: str, password: str, roles: Sequence[object]
) -> None:
    """The whole list of roles is set: rights that the user had before are gone."""
    wanted = {"pwd": password, "roles": list(roles)}
    try:
        database.command({"createUser": name, **wanted})
    except OperationFailure as error:
        if error.code != _USER_EXISTS:
            raise
        database.command({"updateUser": name, **wanted})


def main() -> int:
    """The init job; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m libs.ledger.admin", description=__doc__)
    parser.add_argument(
        "--any-database", action="store_true", help="for tests, which make their own databases"
    )
    arguments = parser.parse_args()

    def work() -> str:
        applied = provision(
            load_section(LedgerAdminLogin),
            load_section(LedgerSettings),
            any_database=arguments.any_database,
        )
        return f"The ledger has its user and shape; migrations now: {len(applied)}."

    return run_init_job(work)


if __name__ == "__main__":
    sys.exit(main())
