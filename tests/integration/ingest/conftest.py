"""What the flow's tests share: a platform on the real servers, and a user who uploads things.

Manifests lie in a folder of their own below `manifests/`, where a sensor that happens to run on the
same stack does not look.
"""

import json
import uuid
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from libs.ingest import Platform, receipt_key, run_upload
from libs.models import ManifestUpload


@pytest.fixture(scope="session")
def platform(settings, vault, ledger, compute):
    return replace(Platform.connect(settings), ledger=ledger, vault=vault, compute=compute)


@dataclass
class User:
    """Somebody who can reach nothing but the bucket; `run` stands for the orchestrator."""

    platform: Platform
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

    def put_manifest(self, body: bytes, name: str = "m") -> ManifestUpload:
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

    def run(self, upload: ManifestUpload, run_id: str | None = None):
        return run_upload(self.platform, upload, run_id or str(uuid.uuid4()))

    def receipt(self, batch) -> dict:
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
