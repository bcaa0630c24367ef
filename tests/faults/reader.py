"""A reader that looks all the time while faults happen: it must never see half of anything."""

from __future__ import annotations

import hashlib
import threading

from pymongo.errors import PyMongoError
from urllib3.exceptions import HTTPError

from tests.faults.checker import Submitted, Violation
from tests.faults.stores import Stores

CHECK = "readers_see_all_or_nothing"
_NEVER_CHANGES = ("content_hash", "s3_key", "run_id", "committed_at")


class Reader:
    """Polls ledger and lake as somebody who wants the newest data; enter it around a case."""

    def __init__(self, stores: Stores, submitted: Submitted) -> None:
        self._stores = stores
        self._submitted = submitted
        self._done = threading.Event()
        self._read: dict[str, tuple[object, ...]] = {}
        """What each version that was ever seen committed was like."""
        self._final: dict[str, str] = {}
        self.violations: list[Violation] = []
        self.looks = 0

    def __enter__(self) -> Reader:
        self._thread = threading.Thread(target=self._poll, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _poll(self) -> None:
        while not self._done.wait(0.04):
            try:
                self._look()
            except (PyMongoError, HTTPError, OSError):
                continue  # a store is away just now
            self.looks += 1

    def _look(self) -> None:
        batches = list(self._stores.ledger["batches"].find({"upload.key": self._submitted.key}))
        for batch in batches:
            self._never_leaves_its_end(batch["_id"], batch["state"])
        assets = list(
            self._stores.ledger["assets"].find(
                {"dataset_id": {"$in": list(self._submitted.values)}, "state": "committed"}
            )
        )
        newest = {a["dataset_id"] for a in assets if a["batch"] in {b["_id"] for b in batches}}
        if newest and newest != set(self._submitted.values):
            # The scan is no snapshot: what was committed while it went on may be seen in part.
            assets = list(self._stores.ledger["assets"].find({"state": "committed"}))
            again = {a["dataset_id"] for a in assets if a["batch"] in {b["_id"] for b in batches}}
            if again and again != set(self._submitted.values):
                self._complain(f"of one batch, only {sorted(again)} were there")
        for asset in assets:
            self._read_once(asset)

    def _never_leaves_its_end(self, fingerprint: str, state: str) -> None:
        before = self._final.get(fingerprint)
        if before is not None and before != state:
            self._complain(f"a batch that was {before} became {state}")
        if state in ("committed", "rejected"):
            self._final[fingerprint] = state

    def _read_once(self, asset: dict) -> None:
        name = f"{asset['dataset_id']} v{asset['version']}"
        likeness = tuple(asset[field] for field in _NEVER_CHANGES)
        known = self._read.setdefault(name, likeness)
        if known != likeness:
            self._complain(f"{name} was committed as {known} and became {likeness}")
        if known is not likeness:
            return
        found = self._stores.object(asset["s3_bucket"], asset["s3_key"])
        if found is None:
            self._complain(f"{name} was committed, and its object was not there")
        elif hashlib.sha256(found.body).hexdigest() != asset["content_hash"]:
            self._complain(f"{name} was committed, and its bytes were others")

    def _complain(self, what: str) -> None:
        violation = Violation(CHECK, what)
        if violation not in self.violations:
            self.violations.append(violation)
