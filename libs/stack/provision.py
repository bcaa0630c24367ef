"""Gives running servers what the pipeline needs: database, role, buckets, users, ledger schema.

Every step may be repeated. Starting the servers is not its business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from libs.stack.digest import code_digest
from libs.stack.env_file import settings_of
from libs.stack.identity import Account, Identity
from libs.stack.paths import StackPaths
from libs.stack.private_files import read_or_empty, write_private

if TYPE_CHECKING:
    import psycopg

DATABASE = "compute"
_CODE = (
    "libs/models/*.py",
    "libs/ledger/**/*.py",
    "libs/vault/*.py",
    "libs/vault/policies/*.json",
    "libs/stack/*.py",
)
"""What decides how servers are provisioned: a change of it is a reason to do so again."""


def is_current(paths: StackPaths, identity: Identity) -> bool:
    """True when the servers were provisioned by this very code for this very stack."""
    return read_or_empty(paths.provisioned) == _stamp(identity)


def provision(paths: StackPaths, identity: Identity) -> None:
    """Provision all three stores, and note that it was done."""
    provision_compute(identity)
    provision_vault(paths, identity)
    provision_ledger(paths, identity)
    write_private(paths.provisioned, _stamp(identity))


def _stamp(identity: Identity) -> str:
    return code_digest(_CODE, also=identity.model_dump_json())


def provision_compute(identity: Identity) -> None:
    """The database with PostGIS, and a role that may make schemas in it and nothing else."""
    from psycopg import sql

    role, database = sql.Identifier(identity.compute_pipeline.name), sql.Identifier(DATABASE)
    with _admin_connection(identity, "postgres") as connection:
        _ensure_role(connection, identity.compute_pipeline)
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
        if known.fetchone() is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(database))
        for name in (DATABASE, "postgres", "template1"):
            connection.execute(
                sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name))
            )
        grant = sql.SQL("GRANT CONNECT, CREATE, TEMPORARY ON DATABASE {} TO {}")
        connection.execute(grant.format(database, role))
    with _admin_connection(identity, DATABASE) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS postgis")
        # A file may bring a CRS that spatial_ref_sys does not list; the pipeline adds its row.
        connection.execute(
            sql.SQL(
                "GRANT USAGE ON SCHEMA public TO {role}; "
                "GRANT SELECT, INSERT ON spatial_ref_sys TO {role}"
            ).format(role=role)
        )


def _ensure_role(connection: psycopg.Connection, account: Account) -> None:
    from psycopg import sql

    role = sql.Identifier(account.name)
    known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [account.name])
    if known.fetchone() is None:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
    # The server sees, and could log, only the scram verifier.
    verifier = connection.pgconn.encrypt_password(
        account.clear.encode(), account.name.encode(), b"scram-sha-256"
    ).decode()
    connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, sql.Literal(verifier)))


def _admin_connection(identity: Identity, database: str) -> psycopg.Connection:
    import psycopg

    return psycopg.connect(
        host="127.0.0.1",
        port=identity.ports.compute,
        dbname=database,
        user=identity.compute_admin.name,
        password=identity.compute_admin.clear,
        autocommit=True,
    )


def provision_vault(paths: StackPaths, identity: Identity) -> None:
    """Buckets, users and their policies."""
    from libs.vault.admin import Credential, VaultAdminSettings
    from libs.vault.admin import provision as provision_buckets

    settings = settings_of(paths, identity)
    admin, pipeline, uploader = (
        Credential(access_key=account.name, secret_key=account.password)
        for account in (identity.vault_admin, identity.vault_pipeline, identity.vault_uploader)
    )
    provision_buckets(
        VaultAdminSettings(
            endpoint=settings["MINIO_ENDPOINT"],
            secure=False,
            access_key=admin.access_key,
            secret_key=admin.secret_key,
        ),
        pipeline,
        uploader,
        settings["MINIO_LANDING_BUCKET"],
        settings["MINIO_LAKE_BUCKET"],
    )


def provision_ledger(paths: StackPaths, identity: Identity) -> None:
    """Collections, validators and indexes."""
    from libs.ledger import Ledger
    from libs.settings import LedgerSettings

    settings = settings_of(paths, identity)
    ledger = LedgerSettings(
        uri=settings["MONGODB_URI"],
        username=identity.ledger_pipeline.name,
        password=identity.ledger_pipeline.password,
        auth_source=settings["MONGODB_AUTH_SOURCE"],
        database=settings["MONGODB_DATABASE"],
    )
    with Ledger.connect(ledger) as connected:
        connected.migrate()
