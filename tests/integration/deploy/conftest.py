"""Administrators of the servers under test: from the settings, or the embedded stack's file."""

from __future__ import annotations

import json
import os

import pytest

from libs.settings import default_env_file


@pytest.fixture(scope="session")
def admin_environment(settings):
    """MONGODB_ADMIN_*, POSTGIS_ADMIN_* and MINIO_ADMIN_* of the servers that the settings name."""
    given = {name: value for name, value in os.environ.items() if "_ADMIN_" in name}
    if given:
        return given
    env_file = default_env_file()
    identity_file = env_file.with_name("identity.json") if env_file else None
    if identity_file is None or not identity_file.is_file():
        pytest.skip("Who administers these servers is not known: set *_ADMIN_* of .env.example.")
    identity = json.loads(identity_file.read_text())
    return {
        "MINIO_ADMIN_ACCESS_KEY": identity["vault_admin"]["name"],
        "MINIO_ADMIN_SECRET_KEY": identity["vault_admin"]["password"],
        "MONGODB_ADMIN_USERNAME": identity["ledger_admin"]["name"],
        "MONGODB_ADMIN_PASSWORD": identity["ledger_admin"]["password"],
        "POSTGIS_ADMIN_USER": identity["compute_admin"]["name"],
        "POSTGIS_ADMIN_PASSWORD": identity["compute_admin"]["password"],
    }
