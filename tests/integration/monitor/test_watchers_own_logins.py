"""The watcher works with logins that may only look: the rights that docs/operations.md names."""

from __future__ import annotations

import io
import json
import uuid
from contextlib import contextmanager

import psycopg
import pymongo
import pytest
from minio import Minio, MinioAdmin, S3Error
from minio.credentials import StaticProvider
from psycopg import sql

from libs.settings import default_env_file
from tests.integration.deploy.conftest import admin_environment  # noqa: F401  a fixture
from tests.integration.monitor.conftest import watching

pytestmark = pytest.mark.integration
PASSWORD = uuid.uuid4().hex


def where_the_vault_is_administered(settings) -> str:
    """The embedded stack's front lets nobody administer."""
    identity = default_env_file().with_name("identity.json")
    if not identity.is_file():
        return settings.vault.endpoint
    return f"127.0.0.1:{json.loads(identity.read_text())['ports']['gateway']}"


@contextmanager
def vault_user(settings, admin, name, policy):
    login = StaticProvider(admin["MINIO_ADMIN_ACCESS_KEY"], admin["MINIO_ADMIN_SECRET_KEY"])
    users = MinioAdmin(
        endpoint=where_the_vault_is_administered(settings), credentials=login, secure=False
    )
    users.policy_add(policy_name=name, policy=policy)
    users.user_add(access_key=name, secret_key=PASSWORD)
    users.policy_set(policy_name=name, user=name)
    try:
        yield
    finally:
        users.user_remove(access_key=name)
        users.policy_remove(policy_name=name)


@contextmanager
def ledger_user(settings, admin, name, database):
    with pymongo.MongoClient(
        settings.ledger.uri, username=admin["MONGODB_ADMIN_USERNAME"],
        password=admin["MONGODB_ADMIN_PASSWORD"],
    ) as client:  # fmt: skip
        roles = [{"role": "read", "db": database}]
        client.admin.command("createUser", name, pwd=PASSWORD, roles=roles)
        try:
            yield
        finally:
            client.admin.command("dropUser", name)


@contextmanager
def compute_role(settings, admin, name):
    own, role = settings.compute, sql.Identifier(name)
    database = sql.Identifier(own.database)
    with psycopg.connect(
        host=own.host, port=own.port, dbname=own.database, user=admin["POSTGIS_ADMIN_USER"],
        password=admin["POSTGIS_ADMIN_PASSWORD"], autocommit=True,
    ) as connection:  # fmt: skip
        connection.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal(PASSWORD))
        )
        connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, role))
        try:
            yield
        finally:
            connection.execute(sql.SQL("DROP OWNED BY {}").format(role))
            connection.execute(sql.SQL("DROP ROLE {}").format(role))


@pytest.fixture
def logins(settings, ledger, admin_environment):  # noqa: F811
    """Three users with one name, and the watcher's environment for them."""
    name = f"watch{uuid.uuid4().hex[:8]}"
    buckets = (settings.vault.landing_bucket, settings.vault.lake_bucket)
    policy = {
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow", "Action": ["s3:GetBucketLocation", "s3:ListBucket"],
            "Resource": [f"arn:aws:s3:::{bucket}" for bucket in buckets],
        }],
    }  # fmt: skip
    with (
        vault_user(settings, admin_environment, name, policy),
        ledger_user(settings, admin_environment, name, ledger.database.name),
        compute_role(settings, admin_environment, name),
    ):
        yield {
            "MINIO_ACCESS_KEY": name, "MINIO_SECRET_KEY": PASSWORD,
            "MONGODB_USERNAME": name, "MONGODB_PASSWORD": PASSWORD,
            "MONGODB_DATABASE": ledger.database.name,
            "POSTGIS_USER": name, "POSTGIS_PASSWORD": PASSWORD,
        }  # fmt: skip


def test_it_sees_every_store_and_may_change_none(logins, settings, ledger, tmp_path):
    with watching(tmp_path, **logins) as watcher:
        up = [
            f'spatial_etl_server_up{{server="{name}"}}' for name in ("vault", "ledger", "compute")
        ]
        wanted = [
            *up, "spatial_etl_manifests_waiting{}",
            'spatial_etl_batches_total{outcome="committed"}',
        ]  # fmt: skip
        numbers = watcher.until(lambda found: all(name in found for name in wanted))
        assert [numbers[name] for name in up] == [1, 1, 1], watcher.log.read_text()

    name = logins["MINIO_ACCESS_KEY"]
    store = Minio(settings.vault.endpoint, access_key=name, secret_key=PASSWORD, secure=False)
    for bucket in (settings.vault.landing_bucket, settings.vault.lake_bucket):
        with pytest.raises(S3Error, match="AccessDenied"):
            store.put_object(bucket, f"{name}.txt", io.BytesIO(b"x"), 1)
        with pytest.raises(S3Error, match="AccessDenied"):
            store.get_object(bucket, f"{name}.txt")
    with pymongo.MongoClient(
        settings.ledger.uri, username=name, password=PASSWORD
    ) as client, pytest.raises(pymongo.errors.OperationFailure) as refused:  # fmt: skip
        client[ledger.database.name]["batches"].insert_one({})
    assert refused.value.code == 13
    own = settings.compute
    with (
        psycopg.connect(
            host=own.host, port=own.port, dbname=own.database, user=name, password=PASSWORD
        ) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("CREATE SCHEMA proc_of_a_watcher")
