"""Questions to the ledger, answered as reports: what `status`, `asset` and the others print."""

from __future__ import annotations

import re
from dataclasses import dataclass

from libs.cli.errors import NotFoundError
from libs.cli.reports import (
    AssetLine,
    AssetList,
    AssetReport,
    BatchList,
    BatchReport,
    LineageReport,
    batch_report,
)
from libs.ledger import Ledger
from libs.models import Asset, Batch, BatchState
from libs.settings import Settings

NO_RECEIPT_YET = (BatchState.RECEIVED, BatchState.RUNNING)


@dataclass(frozen=True)
class Registry:
    """The ledger, with what reports need beside it."""

    ledger: Ledger
    landing_bucket: str
    dagster_url: str

    @classmethod
    def connect(cls, settings: Settings) -> Registry:
        """From settings; raises `ConfigError`."""
        return cls(
            ledger=Ledger.connect(settings.ledger),
            landing_bucket=settings.vault_address.landing_bucket,
            dagster_url=settings.etl.dagster_url,
        )

    def close(self) -> None:
        """Give the connections back."""
        self.ledger.close()

    def __enter__(self) -> Registry:
        try:
            self.ledger.require_ready()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def recent_batches(self, limit: int) -> BatchList:
        """The batches received last."""
        return self._list(self.ledger.recent_batches(limit))

    def find_batches(self, text: str) -> BatchList:
        """The batches with this batch id or beginning of a fingerprint. Raises `NotFoundError`."""
        found = self.ledger.find_batches(text)
        if not found:
            raise NotFoundError(
                f"The ledger knows no batch {text!r}, neither by batch id nor by fingerprint. "
                "A manifest that no run has taken up yet is not in it: `spatial-etl stack status` "
                "shows whether Dagster runs."
            )
        return self._list(found)

    def report(self, batch: Batch) -> BatchReport:
        """One batch with its run and its assets."""
        from libs.ingest import receipt_key

        unanswered = batch.state in NO_RECEIPT_YET
        return batch_report(
            batch,
            run=self.ledger.run_of_batch(batch.id),
            assets=self.ledger.assets_of_batch(batch.id),
            landing_bucket=self.landing_bucket,
            receipt_key=None if unanswered else receipt_key(batch),
            dagster_url=self.dagster_url,
        )

    def assets(self, project: str | None, limit: int) -> AssetList:
        """The newest version of each dataset."""
        found = self.ledger.current_assets(project, limit=limit)
        return AssetList(assets=tuple(AssetLine.of(asset, self.dagster_url) for asset in found))

    def asset(self, text: str) -> AssetReport:
        """One asset with its ledger document. Raises `NotFoundError`."""
        asset = self.find_asset(text)
        return AssetReport(
            asset=asset,
            in_short=AssetLine.of(asset, self.dagster_url),
            versions=tuple(one.version for one in self.ledger.versions(asset.dataset_id)),
        )

    def lineage(self, text: str) -> LineageReport:
        """Where an asset came from. Raises `NotFoundError`."""
        asset = self.find_asset(text)
        return LineageReport(
            asset=AssetLine.of(asset, self.dagster_url),
            statement=asset.metadata.iso19115.lineage.statement,
            sources=asset.sources,
            recipe=asset.recipe,
            tool_versions=asset.tool_versions,
            notes=asset.notes,
        )

    def find_asset(self, text: str) -> Asset:
        """By id, `project/dataset` (the newest version), or `project/dataset@version`.

        Raises:
            NotFoundError: no committed asset is called so.
        """
        if re.fullmatch(r"[0-9a-f]{32}", text):
            found = self.ledger.asset(text)
            if found is None:
                raise NotFoundError(f"The ledger knows no committed asset with the id {text}.")
            return found
        match = re.fullmatch(r"([^/@]+/[^/@]+?)(?:@v?([0-9]+))?", text)
        if match is None:
            raise NotFoundError(
                f"{text!r} names no asset: give an id of 32 hexadecimal digits, PROJECT/DATASET, "
                "or PROJECT/DATASET@VERSION. `spatial-etl assets` lists them."
            )
        return self._version(match.group(1), match.group(2))

    def _version(self, dataset_id: str, version: str | None) -> Asset:
        versions = self.ledger.versions(dataset_id)
        if not versions:
            raise NotFoundError(
                f"There is no dataset {dataset_id!r}. `spatial-etl assets` lists what there is."
            )
        if version is None:
            return max(versions, key=lambda asset: asset.version)
        for asset in versions:
            if asset.version == int(version):
                return asset
        there = ", ".join(str(asset.version) for asset in versions)
        raise NotFoundError(f"{dataset_id} has no version {version}; there are: {there}.")

    def _list(self, batches: tuple[Batch, ...]) -> BatchList:
        return BatchList(batches=tuple(self.report(batch) for batch in batches))
