"""The init jobs of Compose and Kubernetes, run as they run there, on the servers under test."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid

import psycopg
import pymongo
import pytest
from psycopg import sql
from pydantic import SecretStr

from libs.compute import PostGIS
from libs.ledger import Ledger
from libs.settings import default_env_file

pytestmark = pytest.mark.integration

PASSWORD = "it-secret-4711' \\ \"x"
"""With what a careless quoting would trip over."""


def run_job(module, admin_environment, *arguments, **environment):
    env_file = default_env_file()
    own = {"SPATIAL_ETL_ENV_FILE": str(env_file.resolve())} if env_file else {}
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env={**os.environ, **own, **admin_environment, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def fresh_ledger(settings, admin_environment):
    """Settings of a user and a database that do not exist yet; both are gone afterwards."""
    name = f"spatial_etl_init_{uuid.uuid4().hex[:8]}"
    yield settings.ledger.model_copy(
        update={"username": name, "password": SecretStr(PASSWORD), "database": name}
    )
    with pymongo.MongoClient(
        settings.ledger.uri,
        username=admin_environment["MONGODB_ADMIN_USERNAME"],
        password=admin_environment["MONGODB_ADMIN_PASSWORD"],
    ) as client:
        client.admin.command("dropUser", name)
        client.drop_database(name)


def test_the_ledger_job_makes_a_user_who_may_use_the_ledger_and_nothing_else(
    fresh_ledger, admin_environment
):
    changes = {
        "MONGODB_USERNAME": fresh_ledger.username,
        "MONGODB_PASSWORD": PASSWORD,
        "MONGODB_DATABASE": fresh_ledger.database,
    }
    first, second = (run_job("libs.ledger.admin", admin_environment, **changes) for _ in range(2))
    assert (first.returncode, first.stderr) == (0, "")
    assert (second.returncode, second.stderr) == (0, ""), "it may be repeated"
    assert "migrations now: 0" in second.stdout
    with Ledger.connect(fresh_ledger) as ledger:
        ledger.check()
        names = set(ledger.database.list_collection_names())
        assert {"assets", "batches", "datasets", "migrations", "runs"} <= names
        with pytest.raises(pymongo.errors.OperationFailure) as refused:
            ledger.client["another_database"]["x"].insert_one({})
        assert refused.value.code == 13


def test_the_ledger_job_says_in_one_line_that_its_password_is_wrong(admin_environment):
    wrong = {"MONGODB_ADMIN_PASSWORD": "nonsense-4711"}
    done = run_job("libs.ledger.admin", {**admin_environment, **wrong})
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "nonsense-4711" not in done.stderr


@pytest.fixture
def fresh_database(settings, admin_environment):
    """Settings of a role and a database that do not exist yet; both are gone afterwards."""
    if "POSTGIS_ADMIN_PASSWORD" not in admin_environment:
        pytest.skip("Our own PostGIS image has no administrator who can be reached.")
    name = f"init_{uuid.uuid4().hex[:8]}"
    compute = settings.compute.model_copy(
        update={"user": name, "password": SecretStr(PASSWORD), "database": name}
    )
    yield compute
    with psycopg.connect(
        host=compute.host,
        port=compute.port,
        dbname="postgres",
        user=admin_environment["POSTGIS_ADMIN_USER"],
        password=admin_environment["POSTGIS_ADMIN_PASSWORD"],
        autocommit=True,
    ) as connection:
        connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))
        connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def test_the_compute_job_makes_a_database_that_the_pipeline_can_work_in(
    fresh_database, admin_environment
):
    changes = {
        "POSTGIS_USER": fresh_database.user,
        "POSTGIS_PASSWORD": PASSWORD,
        "POSTGIS_DATABASE": fresh_database.database,
    }
    for _ in range(2):
        done = run_job("libs.compute.admin", admin_environment, **changes)
        assert (done.returncode, done.stderr) == (0, "")
    with PostGIS.connect(fresh_database) as engine:
        engine.check()
        rights = engine.execute_sql(
            sql.SQL("SELECT rolsuper OR rolcreatedb OR rolcreaterole FROM pg_roles "
                    "WHERE rolname = current_user")
        )  # fmt: skip
        assert rights == [(False,)]


def test_the_vault_job_finds_its_work_done_and_says_what_the_store_cannot_do(admin_environment):
    done = run_job("libs.vault.admin", admin_environment, "--buckets-only")
    assert (done.returncode, done.stderr) == (0, "")
    first, *more = done.stdout.splitlines()
    assert first == "The vault has its buckets."
    assert all("no lifecycle rules" in line for line in more)
