"""The servers that the settings name, as the tests get them: embedded or not, nothing here knows.

Imports are late, so that a package that is not there fails the tests that need it, and only them.
"""

from __future__ import annotations

import uuid

import pytest

from libs.errors import ConfigError


@pytest.fixture(scope="session")
def settings():
    """The settings; without them no test of this folder can say anything."""
    from libs.settings import Settings

    found = Settings()
    try:
        _ = (found.vault, found.uploader, found.ledger, found.compute, found.etl)
    except ConfigError as error:
        pytest.exit(f"The integration tests need servers. {error}", returncode=2)
    return found


@pytest.fixture(scope="session")
def vault(settings):
    """The vault, signed in as the pipeline."""
    from libs.vault import Vault

    return Vault.connect(settings.vault)


@pytest.fixture(scope="session")
def uploader_vault(settings):
    """The vault, signed in as the landing user."""
    from libs.vault import Vault

    uploader = settings.uploader
    changes = {"access_key": uploader.access_key, "secret_key": uploader.secret_key}
    return Vault.connect(settings.vault.model_copy(update=changes))


@pytest.fixture(scope="session")
def ledger(settings):
    """A ledger in a database of this session, dropped at its end.

    The user needs readWriteAnyDatabase and dbAdminAnyDatabase, as the embedded stack gives them.
    """
    from libs.ledger import Ledger

    database = f"spatial_etl_test_{uuid.uuid4().hex[:12]}"
    ledger = Ledger.connect(settings.ledger.model_copy(update={"database": database}))
    ledger.migrate()
    yield ledger
    ledger.database.client.drop_database(database)
    ledger.close()


@pytest.fixture(scope="session")
def compute(settings):
    """PostGIS; tests make schemas of their own in it."""
    from libs.compute import PostGIS

    with PostGIS.connect(settings.compute) as compute:
        yield compute
