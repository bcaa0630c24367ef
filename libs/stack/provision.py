"""Gives running servers what the pipeline needs: database, role, buckets, users, ledger schema.

Every step may be repeated. Starting the servers is not its business.
"""

from __future__ import annotations

from libs.stack.digest import code_digest
from libs.stack.env_file import settings_of
from libs.stack.identity import Identity
from libs.stack.paths import StackPaths
from libs.stack.private_files import read_or_empty, write_private

DATABASE = "compute"
_CODE = (
    "libs/models/*.py",
    "libs/ledger/**/*.py",
    "libs/compute/admin.py",
    "libs/compute/provision.sql",
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
    from libs.admin_settings import ComputeAdminLogin
    from libs.compute.admin import provision as provision_database
    from libs.settings import ComputeSettings

    admin, pipeline = identity.compute_admin, identity.compute_pipeline
    provision_database(
        ComputeAdminLogin(user=admin.name, password=admin.password),
        ComputeSettings(
            host="127.0.0.1",
            port=identity.ports.compute,
            database=DATABASE,
            user=pipeline.name,
            password=pipeline.password,
        ),
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
            endpoint=f"127.0.0.1:{identity.ports.gateway}",  # the front lets nobody administer
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
        # A restore that was broken off needs the servers to go on, and migrates at its end.
        if connected.restore_under_way() is None:
            connected.migrate()
