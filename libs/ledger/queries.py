"""Questions to the ledger. Readers' ones know committed assets only; nothing here writes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from libs.ledger.codec import encode
from libs.ledger.connection import Connection
from libs.models import Asset, AssetState, Batch, BatchState, Dataset, ManifestUpload

COMMITTED = {"state": {"$eq": AssetState.COMMITTED.value}}
PENDING = {"state": {"$eq": AssetState.PENDING.value}}


class Queries(Connection):
    """What people, tools and the auditor may ask."""

    def batch(self, fingerprint: str) -> Batch | None:
        """The batch with this fingerprint."""
        return self.batches.get(fingerprint)

    def batch_of_upload(self, upload: ManifestUpload) -> Batch | None:
        """The batch whose newest upload is this one."""
        query = {f"upload.{key}": {"$eq": value} for key, value in encode(upload).items()}
        return self.batches.first(query)

    def find_batches(self, text: str, limit: int = 100) -> tuple[Batch, ...]:
        """Batches with this `batch_id`, or whose fingerprint begins so; the newest first."""
        choices: list[dict[str, object]] = [{"batch_id": {"$eq": text}}]
        if re.fullmatch(r"[0-9a-f]{4,64}", text):
            choices.append({"_id": {"$gte": text, "$lt": text + "g"}})
        return self.batches.find({"$or": choices}, [("received_at", -1)], limit=limit)

    def recent_batches(self, limit: int = 20) -> tuple[Batch, ...]:
        """The batches received last, the newest first."""
        return self.batches.find({}, [("received_at", -1)], limit=limit)

    def asset(self, asset_id: str) -> Asset | None:
        """The committed asset with this id."""
        return self.assets.first({"_id": {"$eq": asset_id}, **COMMITTED})

    def current_assets(
        self, project: str | None = None, limit: int = 100, skip: int = 0
    ) -> tuple[Asset, ...]:
        """The highest committed version of each dataset (of a project), by dataset id."""
        query: dict[str, object] = {"current_asset_id": {"$ne": None}}
        if project is not None:
            # "0" is the character after "/": all ids that begin with `<project>/`.
            query["_id"] = {"$gte": f"{project}/", "$lt": f"{project}0"}
        datasets = self.datasets.find(query, [("_id", 1)], skip=skip, limit=limit)
        ids = [dataset.current_asset_id for dataset in datasets]
        found = {a.id: a for a in self.assets.find({"_id": {"$in": ids}, **COMMITTED})}
        return tuple(found[id_] for id_ in ids if id_ is not None and id_ in found)

    def versions(self, dataset_id: str) -> tuple[Asset, ...]:
        """The committed versions of a dataset, the highest first."""
        query = {"dataset_id": {"$eq": dataset_id}, **COMMITTED}
        return self.assets.find(query, [("version", -1)])

    def assets_of_batch(self, fingerprint: str) -> tuple[Asset, ...]:
        """The committed assets of a batch, in the manifest's order: all of them, or none."""
        # The batch is asked first. Its assets became visible with it, so that what is read after
        # it is never a part; a scan of the assets alone can begin before a commit and end after.
        batch = self.batches.get(fingerprint)
        if batch is None or batch.state is not BatchState.COMMITTED:
            return ()
        return self.assets.find({"batch": {"$eq": fingerprint}, **COMMITTED}, [("file_index", 1)])

    def committed_assets(self) -> Iterator[Asset]:
        """Every committed asset, by id, a page at a time; one committed meanwhile may be missed."""
        return self.assets.pages(COMMITTED)

    def pending_assets(self) -> Iterator[Asset]:
        """Every reservation, by id, a page at a time: for the auditor, not for readers."""
        return (it for it in self.assets.pages(PENDING) if it.state is AssetState.PENDING)

    def asset_by_key(self, s3_key: str) -> Asset | None:
        """The asset that owns a key of the lake, a reserved one too: its object is no orphan."""
        return self.assets.first({"s3_key": {"$eq": s3_key}})

    def asset_of_version(self, dataset_id: str, version: int) -> Asset | None:
        """The asset that has or will have this version, a reserved one too: for the auditor."""
        query = {"dataset_id": {"$eq": dataset_id}, "version": {"$eq": version}}
        return self.assets.first(query)

    def dataset(self, dataset_id: str) -> Dataset | None:
        """A dataset's counter and current version; it may have no committed version yet."""
        return self.datasets.get(dataset_id)
