"""Versions and keys for a batch's assets, and the one transaction that makes them exist.

Both functions recognise their own earlier work, so that a lost reply is answered by asking again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pymongo.client_session import ClientSession
from pymongo.operations import InsertOne, ReplaceOne, UpdateOne

from libs.faultpoints import Point, reach
from libs.ledger.codec import BsonDocument, encode, to_bson
from libs.ledger.documents import NOW, Write, literal
from libs.ledger.errors import LeaseLostError, MissingDocumentError, ReservationError
from libs.ledger.listing import rung_of
from libs.ledger.protocol import BatchProtocol, ending, held_by, pending_of
from libs.models import (
    Asset,
    AssetDraft,
    AssetMetadata,
    AssetState,
    Batch,
    BatchFile,
    BatchState,
    object_key,
)

MetadataOf = Callable[[AssetDraft, int, str], AssetMetadata]
"""Makes an asset's metadata from its draft, its version and its key; may be called repeatedly."""


@dataclass(frozen=True)
class _Terms:
    """What all reservations of one call have in common."""

    fence: int
    lake_bucket: str
    metadata_of: MetadataOf

    def reservation(self, draft: AssetDraft, version: int, reserved_at: datetime) -> Asset:
        key = object_key(
            draft.dataset_id, version, draft.content_hash, draft.format.suffix, fence=self.fence
        )
        fields = {name: getattr(draft, name) for name in AssetDraft.model_fields}
        return Asset.model_validate(
            {
                **fields,
                "state": AssetState.PENDING,
                "version": version,
                "s3_bucket": self.lake_bucket,
                "s3_key": key,
                "fence": self.fence,
                "metadata": self.metadata_of(draft, version, key),
                "reserved_at": reserved_at,
            }
        )


class CommitProtocol(BatchProtocol):
    """Reserve, then commit."""

    def reserve(
        self,
        fingerprint: str,
        fence: int,
        drafts: Sequence[AssetDraft],
        *,
        lake_bucket: str,
        metadata_of: MetadataOf,
    ) -> tuple[Asset, ...]:
        """Give every draft its version and key, as pending assets in the drafts' order.

        A draft that was reserved before keeps its version. Raises `LeaseLostError` when the lease
        is lost, `ReservationError` when an asset of that id is committed or another's.
        """
        _refuse_strangers(fingerprint, drafts)
        terms = _Terms(fence, lake_bucket, metadata_of)

        def body(session: ClientSession) -> tuple[Asset, ...]:
            self._touch(session, fingerprint, fence)
            known = self._known(session, drafts)
            assets: dict[str, Asset] = {}
            # Counters are taken in one order by all, so that two batches cannot block each other.
            for draft in sorted(drafts, key=lambda draft: draft.dataset_id):
                before = known.get(draft.id)
                slot = (
                    (before.version, before.reserved_at)
                    if before
                    else self._next_version(session, draft.dataset_id)
                )
                assets[draft.id] = terms.reservation(draft, *slot)
            reach(Point.VERSIONS_TAKEN)
            self._store(session, assets, known)
            return tuple(assets[draft.id] for draft in drafts)

        return self.transactions.run(f"reserve assets of batch {fingerprint}", body)

    def commit(
        self,
        fingerprint: str,
        fence: int,
        assets: Sequence[Asset],
        files: tuple[BatchFile, ...],
    ) -> Batch:
        """Make the batch's reserved assets exist, all or none; returns the committed batch.

        Raises `LeaseLostError` when a successor holds the batch, `ReservationError` when an asset
        is not the one that was reserved, `CommitUnknownError` when the ledger fell silent and
        could not be asked what became of it.
        """
        change = ending(BatchState.COMMITTED, files=to_bson(files), error=None)

        def body(session: ClientSession) -> Batch:
            batch = self.batches.change(held_by(fingerprint, fence), change, session)
            if batch is None:
                return self._committed_before(session, fingerprint, fence)
            committed = [_committed(asset, batch) for asset in assets]
            writes: list[Write] = [
                ReplaceOne(_reservation_of(asset, fingerprint, fence), encode(asset))
                for asset in committed
            ]
            if self.assets.write(writes, session) != len(committed):
                raise ReservationError(
                    f"Batch {fingerprint}: an asset to commit is not reserved under fence {fence} "
                    "with this version, key and hash."
                )
            self.assets.delete(pending_of(fingerprint), session)
            self._set_current(session, committed)
            reach(Point.COMMITTING)
            return batch

        return self.transactions.run(f"commit batch {fingerprint}", body)

    def _touch(self, session: ClientSession, fingerprint: str, fence: int) -> None:
        """Check the fence with a write that changes something: a claim in between conflicts."""
        longer = [{"$set": {"lease.expires_at": {"$add": ["$lease.expires_at", 1]}}}]
        if self.batches.change(held_by(fingerprint, fence), longer, session) is None:
            raise LeaseLostError(fingerprint, fence, self.batches.get(fingerprint, session))

    def _known(self, session: ClientSession, drafts: Sequence[AssetDraft]) -> dict[str, Asset]:
        ids = [draft.id for draft in drafts]
        known = {a.id: a for a in self.assets.find({"_id": {"$in": ids}}, session=session)}
        for draft in drafts:
            asset = known.get(draft.id)
            if asset is None:
                continue
            if asset.state is not AssetState.PENDING:
                raise ReservationError(f"Asset {asset.id} ({asset.uri}) is committed already.")
            if (asset.batch, asset.dataset_id) != (draft.batch, draft.dataset_id):
                raise ReservationError(
                    f"Asset {asset.id} is reserved for {asset.dataset_id} of batch {asset.batch}, "
                    f"not for {draft.dataset_id} of batch {draft.batch}."
                )
        return known

    def _next_version(self, session: ClientSession, dataset_id: str) -> tuple[int, datetime]:
        raised = {
            "rung": rung_of(dataset_id),
            "last_version": {"$add": [{"$ifNull": ["$last_version", 0]}, 1]},
            "current_version": {"$ifNull": ["$current_version", None]},
            "current_asset_id": {"$ifNull": ["$current_asset_id", None]},
            "updated_at": NOW,
        }
        dataset = self.datasets.change(
            {"_id": {"$eq": dataset_id}}, [{"$set": raised}], session, upsert=True
        )
        if dataset is None:
            raise MissingDocumentError("datasets", dataset_id)
        return dataset.last_version, dataset.updated_at

    def _store(
        self, session: ClientSession, assets: dict[str, Asset], known: dict[str, Asset]
    ) -> None:
        writes: list[Write] = [
            ReplaceOne({"_id": {"$eq": asset.id}}, encode(asset))
            if asset.id in known
            else InsertOne(encode(asset))
            for asset in assets.values()
        ]
        if self.assets.write(writes, session) != len(assets):
            raise ReservationError("A reservation vanished while it was being renewed.")

    def _committed_before(self, session: ClientSession, fingerprint: str, fence: int) -> Batch:
        batch = self.batches.get(fingerprint, session)
        if batch is None or batch.fence != fence or batch.state is not BatchState.COMMITTED:
            raise LeaseLostError(fingerprint, fence, batch)
        return batch

    def _set_current(self, session: ClientSession, assets: Sequence[Asset]) -> None:
        writes: list[Write] = [
            UpdateOne({"_id": {"$eq": asset.dataset_id}}, _current(asset))
            for asset in sorted(assets, key=lambda asset: asset.dataset_id)
        ]
        if self.datasets.write(writes, session) != len(assets):
            raise MissingDocumentError("datasets", ", ".join(a.dataset_id for a in assets))


def _refuse_strangers(fingerprint: str, drafts: Sequence[AssetDraft]) -> None:
    strangers = [draft.id for draft in drafts if draft.batch != fingerprint]
    if strangers:
        raise ValueError(f"drafts {strangers} are not of batch {fingerprint}")


def _committed(asset: Asset, batch: Batch) -> Asset:
    return asset.model_copy(update={"state": AssetState.COMMITTED, "committed_at": batch.ended_at})


def _reservation_of(asset: Asset, fingerprint: str, fence: int) -> BsonDocument:
    return {
        **pending_of(fingerprint),
        "_id": {"$eq": asset.id},
        "fence": {"$eq": fence},
        "version": {"$eq": asset.version},
        "s3_key": {"$eq": asset.s3_key},
        "content_hash": {"$eq": asset.content_hash},
    }


def _current(asset: Asset) -> list[dict[str, object]]:
    is_newer = {"$gte": [asset.version, {"$ifNull": ["$current_version", 0]}]}
    return [
        {
            "$set": {
                "current_version": {"$max": ["$current_version", asset.version]},
                "current_asset_id": {"$cond": [is_newer, literal(asset.id), "$current_asset_id"]},
                "updated_at": NOW,
            }
        }
    ]
