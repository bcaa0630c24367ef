"""Runs that died, and the lake against the ledger. What runs leave elsewhere is `leftovers`'s."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

from libs.audit.leftovers import alive, digits_of
from libs.audit.report import Finding
from libs.ingest import Platform, RunState, abandon
from libs.models import Asset, FindingKind

UPLOAD_GRACE = timedelta(hours=24)
"""A multipart upload that is older than this belongs to nobody any more, whosever it was."""
_VERSION_FOLDER = re.compile(r"(?P<dataset_id>[^/]+/[^/]+)/v(?P<version>[0-9]+)/")


def dead_runs(platform: Platform, *, repair: bool) -> Iterator[Finding]:
    """A run whose lease ran out while it worked is dead: its batch failed, and can be run again."""
    for run_id, subject in platform.ledger.dead_runs():
        if repair:
            abandon(platform, run_id, "The run stopped without a word.", RunState.FAILED)
        yield Finding(
            kind=FindingKind.DEAD_RUN,
            subject=subject,
            what=f"run {run_id} stopped without saying how it ended.",
            cure="spatial-etl audit --repair marks it failed; the sensor tries again.",
            repaired=repair,
        )


def incomplete_uploads(platform: Platform, *, repair: bool) -> Iterator[Finding]:
    """Parts of uploads to the lake that nobody will complete any more are thrown away."""
    if not repair:
        return
    now = datetime.now(timezone.utc)

    def is_dead(key: str, begun: datetime) -> bool:
        return now - begun > UPLOAD_GRACE or _was_begun_by_a_dead_run(platform, key)

    for key in platform.vault.abort_incomplete_uploads(platform.lake_bucket, is_dead):
        yield Finding(
            kind=FindingKind.INCOMPLETE_UPLOAD,
            subject=key,
            what="was begun by a run that is over, or over a day ago, and never completed.",
            cure="",
            repaired=True,
        )


def _was_begun_by_a_dead_run(platform: Platform, key: str) -> bool:
    """True: a version of ours lies, or was to lie, in that folder, and no run works on it."""
    found = _VERSION_FOLDER.match(key)
    if found is None:
        return False
    asset = platform.ledger.asset_of_version(found["dataset_id"], int(found["version"]))
    return asset is not None and digits_of(asset.run_id) not in alive(platform)


class LakeCheck:
    """The lake against the ledger, both ways."""

    def __init__(self, platform: Platform, *, verify_bytes: bool) -> None:
        self._platform = platform
        self._verify_bytes = verify_bytes
        self.assets_checked = 0
        self.objects_checked = 0

    def orphans(self, *, repair: bool) -> Iterator[Finding]:
        """An object that no document owns is removed when a run of ours is proved to have left it.

        One that no run of this ledger made is only reported: it may be somebody's data, or the
        settings may name the wrong ledger.
        """
        platform = self._platform
        for item in platform.vault.list_objects(platform.lake_bucket):
            self.objects_checked += 1
            if platform.ledger.asset_by_key(item.key) is not None:
                continue
            ours = self._was_left_by_a_run(item.key)
            if ours is None:
                continue
            if ours and repair:
                platform.vault.remove(platform.lake_bucket, item.key)
            yield _orphan(f"s3://{platform.lake_bucket}/{item.key}", ours=ours, repair=repair)

    def _was_left_by_a_run(self, key: str) -> bool | None:
        """True: by a run of this ledger that is over; None: gone, or its run is still at work."""
        found = self._platform.vault.stat(self._platform.lake_bucket, key)
        if found is None:
            return None
        run_id = found.metadata.get("run_id", "")
        if digits_of(run_id) in alive(self._platform):
            return None
        return bool(run_id) and self._platform.ledger.run(run_id) is not None

    def committed(self) -> Iterator[Finding]:
        """Each committed asset must have its object, with its size, its links, and its bytes."""
        for asset in self._platform.ledger.committed_assets():
            self.assets_checked += 1
            finding = self._check(asset)
            if finding is not None:
                yield finding

    def _check(self, asset: Asset) -> Finding | None:
        found = self._platform.vault.stat(asset.s3_bucket, asset.s3_key)
        if found is None:
            return _loss(FindingKind.MISSING_OBJECT, asset, "its object is not in the lake.")
        if found.size_bytes != asset.size_bytes:
            what = f"its object has {found.size_bytes} bytes instead of {asset.size_bytes}."
            return _loss(FindingKind.ALTERED_OBJECT, asset, what)
        linked = (found.metadata.get("mongodb_doc_id"), found.metadata.get("content_hash"))
        if linked != (asset.id, asset.content_hash):
            what = "its object's metadata names another document or hash."
            return _loss(FindingKind.ALTERED_OBJECT, asset, what)
        if not self._verify_bytes:
            return None
        sha256, _ = self._platform.vault.sha256_of(asset.s3_bucket, asset.s3_key)
        if sha256 == asset.content_hash:
            return None
        what = f"its object's bytes have SHA-256 {sha256} instead of {asset.content_hash}."
        return _loss(FindingKind.ALTERED_OBJECT, asset, what)


def _orphan(uri: str, *, ours: bool, repair: bool) -> Finding:
    if ours:
        return Finding(
            kind=FindingKind.ORPHAN_OBJECT,
            subject=uri,
            what="was left by a run that is over; no document owns it.",
            cure="spatial-etl audit --repair removes it.",
            repaired=repair,
        )
    return Finding(
        kind=FindingKind.FOREIGN_OBJECT,
        subject=uri,
        what="belongs to no document, and no run of this ledger made it.",
        cure="Check that the settings name the right ledger; if so, find out who wrote it.",
    )


def _loss(kind: FindingKind, asset: Asset, what: str) -> Finding:
    return Finding(
        kind=kind,
        subject=f"{asset.dataset_id} v{asset.version} ({asset.uri})",
        what=what,
        cure="Restore this object from a backup, or submit its sources again as a new version.",
    )
