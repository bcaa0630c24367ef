"""The servers that the settings name, and a user of them; for the test folders that need servers.

Embedded or not, nothing here knows. A folder's conftest imports the fixtures that it shares.
Imports are late, so that a package that is not there fails the tests that need it, and only them.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, replace
from pathlib import Path

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
        pytest.exit(f"These tests need servers. {error}", returncode=2)
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


@pytest.fixture(scope="session")
def platform(settings, vault, ledger, compute):
    """What the flow works with; its ledger is the tests' own."""
    from libs.ingest import Platform

    return replace(Platform.connect(settings), ledger=ledger, vault=vault, compute=compute)


@dataclass
class User:
    """Somebody who can reach nothing but the bucket; `run` stands for the orchestrator.

    Manifests lie in a folder of their own below `manifests/`, where a sensor that happens to run
    on the same stack does not look.
    """

    platform: object
    uploader: object
    bucket: str
    name: str

    def upload(self, path: Path, key: str | None = None) -> str:
        key = key or f"{self.name}/{path.name}"
        self.uploader.put_file(
            self.bucket, key, path, metadata={}, content_type="application/octet-stream"
        )
        return f"s3://{self.bucket}/{key}"

    def manifest(self, files, *, project=None, intent="ingest_vector", name="m", **changes):
        body = {
            "batch_id": f"{self.name}-{name}",
            "uploader": "ana@example.org",
            "intent": intent,
            "files": files,
            "metadata": {"project": project or self.name, "description": "Test data"},
            **changes,
        }
        return self.put_manifest(json.dumps(body).encode(), name)

    def put_manifest(self, body: bytes, name: str = "m"):
        from libs.models import ManifestUpload

        key = f"manifests/{self.name}/{name}.json"
        self.uploader.put_bytes(self.bucket, key, body, content_type="application/json")
        seen = self.uploader.stat(self.bucket, key)
        return ManifestUpload(
            key=key, etag=seen.etag, last_modified=seen.last_modified, size_bytes=seen.size_bytes
        )

    def vector(self, path: Path, driver: str, crs: str = "EPSG:4326", **more):
        return {
            "path": self.upload(path), "type": "vector", "format": driver, "crs": crs, **more,
        }  # fmt: skip

    def raster(self, path: Path, driver: str = "GTiff", crs: str = "EPSG:4326", **more):
        return {
            "path": self.upload(path), "type": "raster", "format": driver, "crs": crs, **more,
        }  # fmt: skip

    def run(self, upload, run_id: str | None = None):
        from libs.ingest import run_upload

        return run_upload(self.platform, upload, run_id or str(uuid.uuid4()))

    def receipt(self, batch) -> dict:
        from libs.ingest import receipt_key

        body = self.uploader.read_bytes(
            self.bucket, receipt_key(batch), etag=None, max_bytes=10_000_000
        )
        return json.loads(body)

    def download(self, asset, folder: Path) -> Path:
        """The asset's object, read as a user who may only read the lake."""
        seen = self.uploader.stat(asset.s3_bucket, asset.s3_key)
        target = folder / Path(asset.s3_key).name
        got = self.uploader.fetch_file(asset.s3_bucket, asset.s3_key, etag=seen.etag, target=target)
        assert got.sha256 == asset.content_hash
        return target


@pytest.fixture
def user(platform, uploader_vault, settings):
    name = f"it-{uuid.uuid4().hex[:12]}"
    user = User(platform, uploader_vault, settings.vault.landing_bucket, name)
    yield user
    for prefix in (f"{name}/", f"manifests/{name}/"):
        for found in list(uploader_vault.list_objects(user.bucket, prefix)):
            uploader_vault.remove(user.bucket, found.key)
