"""Asks each server whether it answers, with its own password and in its own protocol.

A probe returns None when it does, and otherwise what is the matter, in a few words. Waiting and
starting are not its business.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from libs.errors import TransientError
from libs.monitor import dagster_health, dagster_page
from libs.stack.env_file import LAKE_BUCKET
from libs.stack.identity import Account, Identity
from libs.stack.paths import StackPaths

Probe = Callable[[], str | None]
_TIMEOUT_S = 5
_RELOAD = "mutation { reloadWorkspace { __typename } }"


def probes(paths: StackPaths, identity: Identity) -> Mapping[str, Probe]:
    """One probe for each program, by its name."""
    ports = identity.ports
    return {
        "compute": lambda: compute(ports.compute, identity.compute_admin),
        "vault": lambda: vault(ports.gateway, _known_user(paths, identity)),
        "front": lambda: vault(ports.vault, _known_user(paths, identity)),
        "ledger": lambda: ledger(ports.ledger, identity.ledger_admin),
        "webserver": lambda: webserver(ports.webserver),
        "code": lambda: code(ports.webserver, paths.socket("code")),
        "daemon": lambda: daemon(ports.webserver),
        "monitor": lambda: _page(ports.monitor, "/healthz"),
    }


def compute(port: int, account: Account) -> str | None:
    """A query on PostgreSQL."""
    import psycopg

    try:
        with psycopg.connect(
            host="127.0.0.1",
            port=port,
            dbname="postgres",
            user=account.name,
            password=account.clear,
            connect_timeout=_TIMEOUT_S,
        ) as connection:
            connection.execute("SELECT 1")
    except psycopg.Error as error:
        return str(error).strip().splitlines()[-1]
    return None


def _known_user(paths: StackPaths, identity: Identity) -> Account:
    """Whom the vault must know: the pipeline's user, once there was one."""
    return identity.vault_pipeline if paths.provisioned.exists() else identity.vault_admin


def vault(port: int, account: Account) -> str | None:
    """A signed request to the vault, through its front or not.

    Its health page is not enough: it is well for a moment in which no user is known yet.
    """
    import urllib3
    from minio import Minio
    from minio.error import MinioException

    with urllib3.PoolManager(timeout=_TIMEOUT_S, retries=False) as pool:
        client = Minio(
            endpoint=f"127.0.0.1:{port}",
            access_key=account.name,
            secret_key=account.clear,
            secure=False,
            region="us-east-1",
            http_client=pool,
        )
        try:
            client.bucket_exists(bucket_name=LAKE_BUCKET)
        except (MinioException, urllib3.exceptions.HTTPError) as error:
            return str(error).splitlines()[0]
    return None


def ledger(port: int, account: Account) -> str | None:
    """A signed-in command on the ledger."""
    from pymongo import MongoClient
    from pymongo.errors import PyMongoError

    try:
        with MongoClient[dict[str, Any]](
            "127.0.0.1",
            port,
            username=account.name,
            password=account.clear,
            serverSelectionTimeoutMS=_TIMEOUT_S * 1000,
        ) as client:
            client.admin.command("connectionStatus")
    except PyMongoError as error:
        return str(error).splitlines()[0]
    return None


def webserver(port: int) -> str | None:
    """Dagster's page."""
    return _page(port, "/server_info")


def _page(port: int, path: str) -> str | None:
    try:
        status, _ = dagster_page.request(f"http://127.0.0.1:{port}", "GET", path, _TIMEOUT_S)
    except TransientError as error:
        return str(error)
    return None if status == 200 else f"answers {status}"


def code(port: int, socket_path: Path) -> str | None:
    """Whether Dagster's page has loaded the pipeline's code from the code server."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        try:
            client.connect(str(socket_path))
        except OSError as error:
            return f"{socket_path}: {error.strerror}"
    fault = _load_fault(port)
    if fault is not None:
        # The page asked before the code server listened; it would not ask again by itself.
        _graphql(port, _RELOAD)
        fault = _load_fault(port)
    return fault


def _load_fault(port: int) -> str | None:
    answer = _graphql(port, f"{{ {dagster_health.LOCATIONS} }}")
    if isinstance(answer, str):
        return answer
    faults = dagster_health.load_faults(answer["workspaceOrError"].get("locationEntries", []))
    if faults is None:
        return "the code is still loading"
    return "; ".join(faults) or None


def daemon(port: int) -> str | None:
    """Whether Dagster's daemons beat; asked through its page."""
    answer = _graphql(port, f"{{ {dagster_health.DAEMONS} }}")
    if isinstance(answer, str):
        return answer
    ill = dagster_health.silent_daemons(answer["instance"]["daemonHealth"]["allDaemonStatuses"])
    return f"no heartbeat yet from {', '.join(ill)}" if ill else None


def _graphql(port: int, query: str) -> dict[str, Any] | str:
    try:
        return dagster_page.ask(f"http://127.0.0.1:{port}", query, _TIMEOUT_S)
    except TransientError as error:
        return str(error)
