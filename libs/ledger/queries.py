"""Questions to the ledger. Readers' ones know committed assets only; nothing here writes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from libs.ledger.codec import encode
from libs.ledger.connection import Connection
from libs.ledger.documents import Filter
from libs.ledger.listing import BEYOND_IDS, FIRST_ID, in_order
from libs.models import Asset, AssetState, Batch, BatchState, Dataset, ManifestUpload

COMMITTED = {"state": {"$eq": AssetState.COMMITTED.value}}
PENDING = {"state": {"$eq": AssetState.PENDING.value}}


class Queries(Connection):
    """What people, tools and the auditor may ask."""

    def batch(self, fingerprint: str) -> Batch | None:
        """The batch with this fingerprint."""
        return self.batches.get(fingerprint)

    def batch_of_upload(self, upload: ManifestUpload) -> Batch | None:
        """The batch whose newest upload is this one; of several the one that has ended for good.

        There may be several, when files were replaced between two tries.
        """
        wanted = encode(upload)
        query = {f"upload.{key}": {"$eq": wanted[key]} for key in ("key", "etag")}
        found = [it for it in self.batches.find(query) if encode(it.upload) == wanted]
        return max(found, key=lambda it: (it.state.is_final, it.received_at), default=None)

    def find_batches(self, text: str, limit: int = 100) -> tuple[Batch, ...]:
        """Batches with this `batch_id`, or whose fingerprint begins so; the newest first."""
        # Two questions: one that has an "or" in it, the embedded ledger answers from no index.
        queries: list[Filter] = [{"batch_id": {"$eq": text}}]
        if re.fullmatch(r"[0-9a-f]{4,64}", text):
            queries.append({"_id": {"$gte": text, "$lt": text + "g"}})
        newest_first = [("received_at", -1)]
        found = {
            batch.id: batch
            for query in queries
            for batch in self.batches.find(query, newest_first, limit=limit)
        }
        return tuple(sorted(found.values(), key=lambda it: it.received_at, reverse=True)[:limit])

    def recent_batches(self, limit: int = 20) -> tuple[Batch, ...]:
        """The batches received last, the newest first."""
        return self.batches.newest("received_at", self.server_now(), limit)

    def asset(self, asset_id: str) -> Asset | None:
        """The committed asset with this id."""
        found = self.assets.get(asset_id)
        return found if found is not None and _is_committed(found) else None

    def current_assets(
        self, project: str | None = None, limit: int = 100, after: str | None = None
    ) -> tuple[Asset, ...]:
        """The highest committed version of each dataset (of a project), by dataset id.

        `after`: of the datasets behind that id only, for the next page.
        """
        # "0" is the character after "/": all ids that begin with `<project>/`.
        start, end = (FIRST_ID, BEYOND_IDS) if project is None else (f"{project}/", f"{project}0")
        if after is not None:
            # "-" is the first character that an id may go on with.
            start = max(start, f"{after}-")
        datasets = in_order(self.datasets, start, end, limit)
        published = (it.current_asset_id for it in datasets if it.current_asset_id is not None)
        ids = list(islice(published, limit))
        current = self.assets.find({"_id": {"$in": ids}})
        found = {asset.id: asset for asset in current if _is_committed(asset)}
        return tuple(found[id_] for id_ in ids if id_ in found)

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
        found = self.assets.find({"batch": {"$eq": fingerprint}}, [("file_index", 1)])
        return tuple(asset for asset in found if _is_committed(asset))

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


def _is_committed(asset: Asset) -> bool:
    # Asked of the asset and not in the query: a condition beside the one that has an index is
    # answered by the embedded ledger, by its own account, from no index at all.
    return asset.state is AssetState.COMMITTED
