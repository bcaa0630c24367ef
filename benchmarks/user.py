"""Somebody who can reach nothing but the buckets: uploads, manifests, answers, downloads."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from libs.models import ManifestUpload
from libs.settings import Settings
from libs.vault import Vault

ANSWER_FOLDERS = ("done", "rejected")
LOOK_EVERY_S = 0.1


class NoAnswerError(RuntimeError):
    """The platform has not answered a manifest in the time that it was given."""


@dataclass(frozen=True)
class Source:
    """A file, and what its uploader says of it."""

    path: Path
    driver: str
    kind: str
    crs: str
    intent: str


class User:
    """Signed in as the landing user."""

    def __init__(self, settings: Settings) -> None:
        login = settings.uploader
        self.vault = Vault.connect_as(settings.vault, login.access_key, login.secret_key)
        self.bucket = settings.vault.landing_bucket

    def submit(self, source: Source) -> ManifestUpload:
        """Upload a file and its manifest; each call is a dataset of its own."""
        key, body = self.upload(source)
        self.put_manifest(key, body)
        seen = self.vault.stat(self.bucket, key)
        return ManifestUpload(
            key=key, etag=seen.etag, last_modified=seen.last_modified, size_bytes=seen.size_bytes
        )

    def upload(self, source: Source) -> tuple[str, bytes]:
        """Upload a file; returns the key and the body of the manifest that is to follow it."""
        name = f"bench-{uuid.uuid4().hex[:8]}"
        uri = self.put(source.path, f"{name}/{source.path.name}")
        body = {
            "batch_id": name, "uploader": "benchmark@example.org", "intent": source.intent,
            "files": [{"path": uri, "type": source.kind,
                       "format": source.driver, "crs": source.crs}],
            "metadata": {"project": name, "description": "A benchmark"},
        }  # fmt: skip
        return f"manifests/{name}.json", json.dumps(body).encode()

    def put(self, path: Path, key: str) -> str:
        """Upload a file that belongs to no manifest yet; returns its URI."""
        self.vault.put_file(
            self.bucket, key, path, metadata={}, content_type="application/octet-stream"
        )
        return f"s3://{self.bucket}/{key}"

    def put_manifest(self, key: str, body: bytes) -> None:
        """Say that all is there: from now on the platform is at work."""
        self.vault.put_bytes(self.bucket, key, body, content_type="application/json")

    def answer(self, key: str, timeout_s: float) -> dict[str, object]:
        """The receipt of a manifest, as soon as it is there."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            for receipt in _receipts(key):
                if self.vault.stat(self.bucket, receipt) is not None:
                    body = self.vault.read_bytes(
                        self.bucket, receipt, etag=None, max_bytes=10_000_000
                    )
                    return json.loads(body)
            time.sleep(LOOK_EVERY_S)
        raise NoAnswerError(f"No receipt for {key} after {timeout_s:.0f} s.")

    def answers(self, keys: Iterable[str], timeout_s: float) -> list[dict[str, object]]:
        """All of them, within that time."""
        until = time.monotonic() + timeout_s
        return [self.answer(key, max(until - time.monotonic(), 1)) for key in keys]

    def download(self, bucket: str, key: str, target: Path) -> Path:
        """An object of the lake."""
        seen = self.vault.stat(bucket, key)
        target.unlink(missing_ok=True)
        self.vault.fetch_file(bucket, key, etag=seen.etag, target=target)
        return target


def _receipts(key: str) -> list[str]:
    name = key.removeprefix("manifests/").removesuffix(".json")
    return [f"manifests/{folder}/{name}.receipt.json" for folder in ANSWER_FOLDERS]
