"""Sends a submission into the landing bucket, as the landing user; the manifest goes last."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from libs.cli.manifest_maker import Submission
from libs.models import ManifestUpload, Receipt
from libs.settings import Settings
from libs.vault import ObjectInfo, Vault

Progress = Callable[[int], None]
"""Is told of each further number of bytes sent."""


OCTETS = "application/octet-stream"
RECEIPT_MAX_BYTES = 64 * 2**20


class LandingZone:
    """The landing bucket as the restricted landing user sees it."""

    def __init__(self, vault: Vault, bucket: str) -> None:
        self.vault = vault
        self.bucket = bucket

    @classmethod
    def connect(cls, settings: Settings) -> LandingZone:
        """Sign in with `LANDING_ACCESS_KEY`; raises `ConfigError`."""
        address, uploader = settings.vault_address, settings.uploader
        vault = Vault.connect_as(address, uploader.access_key, uploader.secret_key)
        return cls(vault, address.landing_bucket)

    def send_files(self, submission: Submission, progress: Progress) -> int:
        """Upload all files; returns how many bytes that were."""
        total = 0
        for upload in submission.uploads:
            self.vault.put_file(
                self.bucket,
                upload.key,
                upload.path,
                metadata={},
                content_type=OCTETS,
                progress=progress,
            )
            total += upload.path.stat().st_size
        return total

    def commit(self, submission: Submission) -> ManifestUpload:
        """Upload the manifest: from now on the platform works."""
        key = submission.manifest_key
        self.vault.put_bytes(self.bucket, key, submission.body, content_type="application/json")
        found = self._listed(key) or self.vault.stat(self.bucket, key)
        assert found is not None  # noqa: S101
        return ManifestUpload(
            key=key,
            etag=found.etag,
            last_modified=found.last_modified,
            size_bytes=found.size_bytes,
        )

    def _listed(self, key: str) -> ObjectInfo | None:
        """As the sensor sees it: a listing gives milliseconds where HEAD gives whole seconds."""
        found = self.vault.list_objects(self.bucket, key, recursive=False)
        return next((item for item in found if item.key == key), None)

    def receipt(self, uri: str) -> Receipt | None:
        """A receipt as its user reads it; None: there is none."""
        return self.receipt_at(uri.removeprefix(f"s3://{self.bucket}/"))

    def receipt_at(self, key: str, *, since: datetime | None = None) -> Receipt | None:
        """The same by its key; also None when it was written before `since`.

        Both moments are the store's; a HEAD gives whole seconds, so these are compared.
        """
        found = self.vault.stat(self.bucket, key)
        if found is None:
            return None
        if since is not None and found.last_modified < since.replace(microsecond=0):
            return None
        return Receipt.model_validate_json(
            self.vault.read_bytes(self.bucket, key, etag=None, max_bytes=RECEIPT_MAX_BYTES)
        )


def total_bytes(submission: Submission) -> int:
    """What is to be sent, but for the manifest."""
    return sum(upload.path.stat().st_size for upload in submission.uploads)
