"""Fetches one asset from the lake as the landing user, and checks it against the ledger's hash."""

from __future__ import annotations

import tempfile
from pathlib import Path, PurePosixPath

from libs.cli.errors import HashMismatchError, ObjectLostError, TargetExistsError, UsageError
from libs.cli.queries import Registry
from libs.cli.reports import AssetLine, Download
from libs.cli.uploading import LandingZone
from libs.settings import Settings


def download(settings: Settings, identity: str, target: Path, *, overwrite: bool) -> Download:
    """Write the asset to `target`; a part or wrong bytes never stand under that name.

    Raises:
        NotFoundError: no such asset.
        UsageError: the folder of `target` is not there, or not to be written to.
        TargetExistsError: `target` is there already, and is not to be overwritten.
        ObjectLostError: its object is gone.
        HashMismatchError: the object is not what was committed.
    """
    with Registry.connect(settings) as registry:
        asset = registry.find_asset(identity)
    if target.is_dir():
        target = target / PurePosixPath(asset.s3_key).name
    if target.exists() and not overwrite:
        raise TargetExistsError(target)
    vault = LandingZone.connect(settings).vault
    stored = vault.stat(asset.s3_bucket, asset.s3_key)
    if stored is None:
        raise ObjectLostError(asset.uri)
    with _scratch_beside(target) as folder:
        part = Path(folder) / "part"
        got = vault.fetch_file(asset.s3_bucket, asset.s3_key, etag=stored.etag, target=part)
        if got.sha256 != asset.content_hash:
            raise HashMismatchError(asset.uri, asset.content_hash, got.sha256)
        part.replace(target)
    return Download(asset=AssetLine.of(asset, settings.etl.dagster_url), path=target.absolute())


def _scratch_beside(target: Path) -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix=".spatial-etl-", dir=target.parent)
    except OSError as error:
        reason = (error.strerror or "it cannot be used").lower()
        raise UsageError(
            f"Nothing can be written to the folder {target.parent}: {reason}. "
            "Name a folder that is there and lets you write."
        ) from error
