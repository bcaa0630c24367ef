"""The suite's own stack, and a user of it; nothing is measured here."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from libs.models import ManifestUpload
from libs.settings import ENV_FILE_VARIABLE, Settings
from libs.stack import down, up
from libs.stack.identity import load
from libs.stack.paths import StackPaths
from libs.vault import Vault


@dataclass(frozen=True)
class BenchStack:
    """A running stack of stores."""

    state: Path
    settings: Settings

    @property
    def env_file(self) -> Path:
        return self.state / ".env"

    def compute_pid(self) -> int:
        """The process of PostgreSQL's postmaster."""
        text = (load(StackPaths.of(self.state)).compute_dir / "postmaster.pid").read_text()
        return int(text.splitlines()[0])

    def compute_folder(self) -> Path:
        return load(StackPaths.of(self.state)).compute_dir

    def submit(self, path: Path, driver: str, kind: str, intent: str, crs: str) -> ManifestUpload:
        """Upload a file and its manifest as the landing user; each call is a dataset of its own."""
        user, bucket = self.settings.uploader, self.settings.vault.landing_bucket
        landing = Vault.connect_as(self.settings.vault, user.access_key, user.secret_key)
        name = f"bench-{uuid.uuid4().hex[:8]}"
        landing.put_file(
            bucket, f"{name}/{path.name}", path, metadata={},
            content_type="application/octet-stream",
        )  # fmt: skip
        body = {
            "batch_id": name, "uploader": "benchmark@example.org", "intent": intent,
            "files": [{"path": f"s3://{bucket}/{name}/{path.name}", "type": kind,
                       "format": driver, "crs": crs}],
            "metadata": {"project": name, "description": "A benchmark"},
        }  # fmt: skip
        key = f"manifests/{name}.json"
        landing.put_bytes(bucket, key, json.dumps(body).encode(), content_type="application/json")
        seen = landing.stat(bucket, key)
        return ManifestUpload(
            key=key, etag=seen.etag, last_modified=seen.last_modified, size_bytes=seen.size_bytes
        )

    def download(self, bucket: str, key: str, target: Path) -> Path:
        """An object of the lake."""
        lake = Vault.connect(self.settings.vault)
        seen = lake.stat(bucket, key)
        target.unlink(missing_ok=True)
        lake.fetch_file(bucket, key, etag=seen.etag, target=target)
        return target


@contextmanager
def bench_stack(state: Path, *, dagster: bool) -> Iterator[BenchStack]:
    """A stack in `state`; it and its data are gone afterwards."""
    paths = StackPaths.of(state)
    paths.make()
    (state / "own.env").write_text('ETL_AUDIT_CRON="0 0 1 1 *"\n')
    up(state, dagster=dagster, progress=lambda _line: None)
    os.environ[ENV_FILE_VARIABLE] = str(state / ".env")
    try:
        yield BenchStack(state, Settings(state / ".env"))
    finally:
        down(state, purge=True)
