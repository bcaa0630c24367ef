"""The ledger's users, made before the server is ever reached with authentication on.

SecantusDB has no exception for a first user from localhost: users are made while it runs without
`--auth`, on a port nobody was told, for about a second; then it never runs so again. That no
other user was made in that second is checked.
"""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING, Any

from libs.stack import identity as identities
from libs.stack.errors import PreparationError
from libs.stack.identity import Identity
from libs.stack.logs import excerpt
from libs.stack.paths import StackPaths
from libs.stack.programs import STACK_VARIABLE, ledger_command

if TYPE_CHECKING:
    from pymongo import MongoClient

ADMIN_ROLES = ("root",)
PIPELINE_ROLES = ("readWriteAnyDatabase", "dbAdminAnyDatabase")
"""Every database, since the server is the ledger's own and tests take databases of their own;
no users, no roles, no server administration."""
_TIMEOUT_S = 30.0


def create_users(paths: StackPaths, identity: Identity) -> None:
    """Make the administrator and the pipeline's user; raises `PreparationError`."""
    from pymongo import MongoClient
    from pymongo.errors import PyMongoError

    port = identities.free_port()
    log_file = paths.log("ledger-users")
    with log_file.open("w") as log:
        server = subprocess.Popen(
            ledger_command(paths.ledger, port),
            env={STACK_VARIABLE: str(paths.state)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        with MongoClient[dict[str, Any]](
            "127.0.0.1", port, serverSelectionTimeoutMS=_TIMEOUT_S * 1000, connect=False
        ) as client:
            _wait(server, client)
            _create(client, identity)
    except PyMongoError as error:
        raise PreparationError("ledger", "secantusd-py", f"{error}\n{excerpt(log_file)}") from error
    finally:
        server.terminate()
        server.wait(timeout=_TIMEOUT_S)


def _wait(server: subprocess.Popen[bytes], client: MongoClient[dict[str, Any]]) -> None:
    from pymongo.errors import ServerSelectionTimeoutError

    deadline = time.monotonic() + _TIMEOUT_S
    while server.poll() is None and time.monotonic() < deadline:
        try:
            client.admin.command("ping")
        except ServerSelectionTimeoutError:
            continue
        return


def _create(client: MongoClient[dict[str, Any]], identity: Identity) -> None:
    for account, roles in (
        (identity.ledger_admin, ADMIN_ROLES),
        (identity.ledger_pipeline, PIPELINE_ROLES),
    ):
        client.admin.command("createUser", account.name, pwd=account.clear, roles=list(roles))
    found = {
        user["user"] for user in client.admin.command("usersInfo", {"forAllDBs": True})["users"]
    }
    strangers = found - {identity.ledger_admin.name, identity.ledger_pipeline.name}
    if strangers:
        raise PreparationError("ledger", "secantusd-py", f"unknown users appeared: {strangers}")
