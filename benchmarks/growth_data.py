"""A ledger with many assets: the documents of one real batch, again and again under other names."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from libs.ledger import Ledger
from libs.ledger.codec import encode
from libs.ledger.listing import rung_of
from libs.models import Asset, Batch, Dataset, Document, Run

INSERT_AT_ONCE = 200
DATASETS_OF_A_PROJECT = 50
VERSIONS_OF_A_DATASET = 5


@dataclass(frozen=True)
class Template:
    """What one real batch of one file left in the ledger."""

    batch: Batch
    asset: Asset
    run: Run

    @classmethod
    def of(cls, ledger: Ledger, asset_id: str) -> Template:
        """Read it."""
        asset = ledger.asset(asset_id)
        batch, run = ledger.batch(asset.batch), ledger.run(asset.run_id)
        return cls(batch, asset, run)


class Copy(NamedTuple):
    """The same batch under other names, and its dataset once it is the newest version."""

    batch: Batch
    asset: Asset
    run: Run
    dataset: Dataset | None


def copy_of(template: Template, number: int, age: int = 0) -> Copy:
    """The copy of that number, `age` minutes older than the original."""
    mark = hashlib.sha256(str(number).encode()).hexdigest()
    run_id, later = str(uuid.UUID(mark[:32])), timedelta(minutes=-age)
    series, version = divmod(number, VERSIONS_OF_A_DATASET)
    dataset_id = f"GROWTH{series // DATASETS_OF_A_PROJECT}/d{series}"
    batch, asset, run = template.batch, template.asset, template.run
    upload = batch.upload.model_copy(update={"key": f"manifests/growth-{number}.json"})
    times = {
        name: value + later for name in ("received_at", "ended_at", "settled_at")
        if (value := getattr(batch, name)) is not None
    }  # fmt: skip
    return Copy(
        batch.model_copy(
            update={"id": mark, "batch_id": f"growth-{number}", "upload": upload, **times}
        ),
        asset.model_copy(
            update={
                "id": mark[:32], "batch": mark, "run_id": run_id, "dataset_id": dataset_id,
                "version": version + 1,
                "s3_key": f"{dataset_id}/v{version + 1}/{mark[:12]}.parquet",
                "committed_at": asset.reserved_at + later,
            }
        ),
        run.model_copy(
            update={"id": run_id, "batch": mark, "started_at": run.started_at + later,
                    "ended_at": run.started_at + later}
        ),
        Dataset(
            id=dataset_id, rung=rung_of(dataset_id), last_version=version + 1,
            current_version=version + 1, current_asset_id=mark[:32],
            updated_at=asset.reserved_at + later,
        )
        if version + 1 == VERSIONS_OF_A_DATASET
        else None,
    )  # fmt: skip


def fill(ledger: Ledger, template: Template, count: int) -> None:
    """Write that many assets, one a minute until now, with their batches, runs and datasets.

    The validators see all.
    """
    for start in range(0, count, INSERT_AT_ONCE):
        copies = [
            copy_of(template, number, age=count - number)
            for number in range(start, min(count, start + INSERT_AT_ONCE))
        ]
        for name, documents in _by_collection(copies):
            if documents:
                ledger.database[name].insert_many([encode(it) for it in documents])


def _by_collection(copies: list[Copy]) -> Iterator[tuple[str, list[Document]]]:
    yield "batches", [it.batch for it in copies]
    yield "assets", [it.asset for it in copies]
    yield "runs", [it.run for it in copies]
    yield "datasets", [it.dataset for it in copies if it.dataset is not None]
