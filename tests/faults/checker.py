"""The platform's promises, checked from outside; shares no code with the pipeline.

Each function checks one promise and gives the ways in which it is broken, as sentences. The names
of the functions are those of the table of planted bugs.
"""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyarrow.parquet
import rasterio

from tests.faults.stores import LAKE, LANDING, Document, Stores


@dataclass(frozen=True)
class Submitted:
    """What the user handed in, and what must come of it."""

    key: str
    """The manifest's."""
    sources: dict[str, bytes]
    """By key, the files in the manifest's order."""
    values: dict[str, list[int]]
    """By dataset id: the values of the attribute `n`, or the pixels."""
    outcome: str = "committed"


@dataclass(frozen=True)
class Violation:
    """One promise that was broken."""

    check: str
    what: str

    def __str__(self) -> str:
        return f"{self.check}: {self.what}"


Check = Callable[[Stores, Submitted], Iterator[str]]


def check_all(stores: Stores, submitted: Submitted) -> list[Violation]:
    """Every check, on one submission and on the stores as a whole."""
    return [
        Violation(check.__name__, what) for check in CHECKS for what in check(stores, submitted)
    ]


def ended_once(stores: Stores, submitted: Submitted) -> Iterator[str]:
    """The batch ends once, with one outcome, and with a reason when that is not `committed`."""
    batches = list(stores.ledger["batches"].find({"upload.key": submitted.key}))
    if len(batches) != 1:
        yield f"{len(batches)} batches were made of {submitted.key}"
        return
    [batch] = batches
    if batch["state"] != submitted.outcome:
        yield f"the batch is {batch['state']} ({batch['error']}) and not {submitted.outcome}"
    if batch["lease"] is not None:
        yield "an ended batch still has a lease"
    files = Counter(item["outcome"] for item in batch["files"])
    count = stores.ledger["assets"].count_documents({"batch": batch["_id"], "state": "committed"})
    if count != files["committed"] or (batch["state"] == "committed") != (count > 0):
        yield f"a {batch['state']} batch says {dict(files)} and has {count} committed asset(s)"
    runs = stores.ledger["runs"].count_documents({"batch": batch["_id"], "state": "committed"})
    if runs != (batch["state"] == "committed"):
        yield f"{runs} runs say that they committed this batch"
    reasons = [*batch["problems"], *(p for file in batch["files"] for p in file["problems"])]
    if batch["state"] == "rejected" and not reasons:
        yield "a rejected batch gives no reason"
    if batch["state"] == "failed" and not batch["error"]:
        yield "a failed batch gives no reason"


def answered_once(stores: Stores, submitted: Submitted) -> Iterator[str]:
    """One receipt, in the right folder, saying what the ledger says; the manifest has moved."""
    name = submitted.key.removeprefix("manifests/").removesuffix(".json")
    receipts = {
        folder: stores.receipt(f"manifests/{folder}/{name}.receipt.json")
        for folder in ("done", "rejected", "failed")
    }
    there = sorted(folder for folder, receipt in receipts.items() if receipt)
    wanted = {"committed": "done", "rejected": "rejected"}.get(submitted.outcome, "failed")
    if there != [wanted]:
        yield f"receipts lie in {there}, and not just in {wanted}"
        return
    if receipts[wanted]["outcome"] != submitted.outcome:
        yield f"the receipt says {receipts[wanted]['outcome']}"
    batch = stores.ledger["batches"].find_one({"_id": receipts[wanted]["fingerprint"]})
    if batch is None or batch["state"] != receipts[wanted]["outcome"]:
        known = batch["state"] if batch else "nothing"
        yield f"the receipt says {receipts[wanted]['outcome']}, and the ledger {known}"
    if submitted.outcome == "failed":
        return
    if stores.has_landing(submitted.key):
        yield "the manifest still lies where it was uploaded"
    archived = stores.object(LANDING, f"manifests/{wanted}/{name}.json")
    if archived is None:
        yield "the manifest is not in the archive"


def documents_have_their_objects(stores: Stores, _submitted: Submitted) -> Iterator[str]:
    """Each committed document has its object: its bytes, its hash, its link back."""
    for asset in stores.ledger["assets"].find({"state": "committed"}):
        found = stores.object(asset["s3_bucket"], asset["s3_key"])
        name = f"{asset['dataset_id']} v{asset['version']}"
        if found is None:
            yield f"{name} has no object at {asset['s3_key']}"
            continue
        if hashlib.sha256(found.body).hexdigest() != asset["content_hash"]:
            yield f"the bytes of {name} do not have the hash of its document"
        if found.size != asset["size_bytes"]:
            yield f"{name} has {found.size} bytes and not {asset['size_bytes']}"
        wanted = {
            "mongodb_doc_id": asset["_id"],
            "content_hash": asset["content_hash"],
            "run_id": asset["run_id"],
            "dataset_id": asset["dataset_id"],
            "version": str(asset["version"]),
        }
        wrong = [key for key, value in wanted.items() if found.metadata.get(key) != value]
        if wrong:
            yield f"the object of {name} has another {', '.join(wrong)} than its document"


def objects_have_their_documents(stores: Stores, _submitted: Submitted) -> Iterator[str]:
    """Nothing lies in the lake that no committed document owns."""
    owned = {asset["s3_key"] for asset in stores.ledger["assets"].find({"state": "committed"})}
    for key in stores.keys(LAKE):
        if key not in owned:
            yield f"{key} belongs to no committed document"


def nothing_is_pending(stores: Stores, _submitted: Submitted) -> Iterator[str]:
    """No reservation and no running run is left."""
    for asset in stores.ledger["assets"].find({"state": {"$ne": "committed"}}):
        yield f"{asset['dataset_id']} v{asset['version']} is still {asset['state']}"
    for run in stores.ledger["runs"].find({"state": "running"}):
        yield f"run {run['_id']} is still running"


def nothing_is_left_over(stores: Stores, _submitted: Submitted) -> Iterator[str]:
    """No schema, no file in the work folder, no part of an upload."""
    yield from (f"schema {name} is left" for name in stores.schemas())
    yield from (f"{path} is left in the work folder" for path in stores.leftovers()[:3])
    yield from (f"an upload of {key} was never completed" for key in stores.incomplete_uploads())


def versions_are_given_once(stores: Stores, _submitted: Submitted) -> Iterator[str]:
    """No dataset has a version twice, and each points at its newest one."""
    by_dataset: dict[str, list[Document]] = {}
    for asset in stores.ledger["assets"].find({}):
        by_dataset.setdefault(asset["dataset_id"], []).append(asset)
    for dataset_id, assets in by_dataset.items():
        versions = Counter(asset["version"] for asset in assets)
        twice = sorted(version for version, count in versions.items() if count > 1)
        if twice:
            yield f"{dataset_id} has version {twice} more than once"
        dataset = stores.ledger["datasets"].find_one({"_id": dataset_id})
        committed = {a["version"]: a["_id"] for a in assets if a["state"] == "committed"}
        newest = max(committed, default=None)
        if dataset is None or dataset["last_version"] < max(versions):
            yield f"the counter of {dataset_id} is behind its versions"
        elif (dataset["current_version"], dataset["current_asset_id"]) != (
            newest,
            committed.get(newest),
        ):
            yield f"{dataset_id} points at version {dataset['current_version']} and not {newest}"


def data_is_whole(stores: Stores, submitted: Submitted) -> Iterator[str]:
    """What a reader gets is what the user sent: every value, and the proof of the sources."""
    if submitted.outcome != "committed":
        return
    batch = stores.ledger["batches"].find_one({"upload.key": submitted.key})
    if batch is None:
        return
    hashes = {key: hashlib.sha256(body).hexdigest() for key, body in submitted.sources.items()}
    for asset in stores.ledger["assets"].find({"batch": batch["_id"], "state": "committed"}):
        found = stores.object(asset["s3_bucket"], asset["s3_key"])
        values = None if found is None else _values(asset["kind"], found.body)
        if values != submitted.values[asset["dataset_id"]]:
            yield f"{asset['dataset_id']} reads as {str(values)[:100]}"
        for source in asset["sources"]:
            if hashes[source["uri"].removeprefix(f"s3://{LANDING}/")] != source["sha256"]:
                yield f"{asset['dataset_id']} names another hash of {source['uri']}"


def _values(kind: str, body: bytes) -> list[int] | str:
    try:
        if kind == "vector":
            return sorted(pyarrow.parquet.read_table(io.BytesIO(body))["n"].to_pylist())
        with rasterio.MemoryFile(body) as file, file.open() as raster:
            return raster.read(1).ravel().tolist()
    except Exception as error:  # noqa: BLE001  a file that cannot be read is what is looked for
        return f"nothing ({type(error).__name__})"


CHECKS: tuple[Check, ...] = (
    ended_once,
    answered_once,
    documents_have_their_objects,
    objects_have_their_documents,
    nothing_is_pending,
    nothing_is_left_over,
    versions_are_given_once,
    data_is_whole,
)
