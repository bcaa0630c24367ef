"""One hostile batch: run it, and see from outside that it ended as it must and left nothing."""

from __future__ import annotations

import json
import os
import re
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from libs.errors import InputError
from tests.hostile.canary import Canary, Secret
from tests.hostile.table import Row
from tests.hostile.watch import Watched, descendants, watched
from tests.servers import User

SECONDS = 30 if "HOSTILE_CASES" in os.environ else 10
"""In its bounded form the suite shares the machine with other tests: a file of 8 rows, which takes
1 s, took 10 there once, and 1.9 at most in 220 tries. `make torture` has the machine for itself."""
RSS_BYTES = 10**9


@dataclass
class Attack:
    """Somebody who means harm and can reach nothing but the bucket."""

    user: User
    canary: Canary
    secret: Secret
    settings: object
    folder: Path
    case: str
    group: str
    rows: list[Row] = field(default_factory=list)

    def reject_file(self, path: Path, driver: str, says: str, **more) -> dict:
        """A batch of one file, which must be rejected with words that match `says`."""
        return self.reject(self.manifest_of(path, driver, **more), says, names=path.name)

    def commit_file(self, path: Path, driver: str, **more) -> Committed:
        """A batch of one file, which must be committed."""
        return self.commit(self.manifest_of(path, driver, **more))

    def manifest_of(self, path: Path, driver: str, **more):
        """The upload of a manifest with one file; `beside` are its side files."""
        from libs.models import INPUT_FORMATS

        for other in more.pop("beside", ()):
            self.user.upload(other)
        intent = more.pop("intent", "ingest_vector")
        on_error = more.pop("on_error", "reject_batch")
        entry = {
            "path": self.user.upload(path), "type": INPUT_FORMATS[driver].kind.value,
            "format": driver, "crs": "EPSG:4326", **more,
        }  # fmt: skip
        return self.user.manifest([entry], intent=intent, on_error=on_error)

    def reject(self, upload, says: str, names: str | None = None) -> dict:
        """The upload must be rejected: recorded, answered, nothing left. Returns the receipt."""
        from libs.ingest import BatchRejectedError

        caught = None
        with self.guarded("rejected") as run:
            try:
                self.user.run(upload, run.run_id)
            except InputError as error:
                caught = error
        assert caught is not None, "it was committed"
        assert type(caught) is BatchRejectedError
        problems = [problem.model_dump() for problem in caught.problems]
        assert problems
        for problem in problems:
            assert all(problem[part].strip() for part in ("where", "what", "cure")), problem
            if names is not None:
                assert names in problem["where"] + problem["what"], problem
        assert re.search(says, str(caught)), f"{says!r} is not in: {caught}"
        return self._rejection(caught.batch, problems, run.run_id)

    def _rejection(self, batch, problems: list[dict], run_id: str) -> dict:
        found = self._document("batches", batch.id)
        assert found["state"] == "rejected"
        assert found["lease"] is None
        assert self._document("runs", run_id)["state"] == "rejected"
        assert _all_problems(found) == problems
        receipt = self.user.receipt(batch)
        assert receipt["outcome"] == "rejected"
        assert _all_problems(receipt) == problems
        assert self._count("assets", {"batch": batch.id}) == 0
        platform = self.user.platform
        for item in platform.vault.list_objects(platform.lake_bucket, f"{self.user.name}/"):
            owner = {"s3_key": item.key, "state": "committed"}
            assert self._count("assets", owner) == 1, f"{item.key} is nobody's"
        self._no_secret(found, receipt, self._document("runs", run_id))
        return receipt

    def commit(self, upload) -> Committed:
        """The upload must be committed, its assets readable and without a secret in them."""
        from libs.ingest import Committed as Done

        with self.guarded("committed") as run:
            done = self.user.run(upload, run.run_id)
        assert isinstance(done, Done)
        assert self._document("batches", done.batch.id)["state"] == "committed"
        assert self._count("assets", {"batch": done.batch.id, "state": "pending"}) == 0
        receipt = self.user.receipt(done.batch)
        assert receipt["outcome"] == "committed"
        files = []
        for item in done.assets:
            document = self._document("assets", item.asset.id)
            assert document["state"] == "committed"
            path = self.user.download(item.asset, self.folder)
            files.append(path)
            assert not self.secret.is_in_asset(path)
            self._no_secret(document, item.picture or b"")
        self._no_secret(self._document("batches", done.batch.id), receipt)
        return Committed([item.asset for item in done.assets], files, receipt)

    def guarded(self, outcome: str) -> _Guard:
        """Around one run: within the limits, and nothing is left. The outcome is for the table."""
        return _Guard(self, outcome)

    def _document(self, collection: str, key: str) -> dict:
        found = self.user.platform.ledger.database[collection].find_one({"_id": {"$eq": key}})
        assert found is not None
        return found

    def _count(self, collection: str, query: dict) -> int:
        return self.user.platform.ledger.database[collection].count_documents(query)

    def _no_secret(self, *texts: object) -> None:
        for text in texts:
            assert not self.secret.is_in(text)


@dataclass(frozen=True)
class Committed:
    """What came of a batch that is allowed to commit."""

    assets: list
    files: list[Path]
    receipt: dict

    @property
    def asset(self):
        [asset] = self.assets
        return asset

    @property
    def file(self) -> Path:
        [file] = self.files
        return file

    def sum_of(self, count: str) -> int:
        """One count over all steps' changes, `rows_repaired` say, as the document has it."""
        changes = [step.change for step in self.asset.recipe.steps if step.change]
        return sum(getattr(change, count) for change in changes)


class _Guard:
    """Around a run: time, memory, network, and what is left once it has ended."""

    def __init__(self, attack: Attack, outcome: str) -> None:
        self._attack, self.outcome = attack, outcome
        self.run_id = str(uuid.uuid4())

    def __enter__(self) -> _Guard:
        self._calls = len(self._attack.canary.calls)
        self._children = set(descendants(os.getpid()))
        self._watching = watched()
        self._seen: Watched = self._watching.__enter__()
        return self

    def __exit__(self, *failure) -> None:
        self._watching.__exit__(*failure)
        attack, seen = self._attack, self._seen
        attack.rows.append(
            Row(attack.group, attack.case, self.outcome, seen.seconds, seen.peak_bytes)
        )
        if failure[0] is not None:
            return
        assert seen.seconds < SECONDS
        assert seen.peak_bytes < RSS_BYTES
        assert len(attack.canary.calls) == self._calls, attack.canary.calls[self._calls :]
        assert not list(self._left())

    def _left(self) -> Iterator[str]:
        """Every trace that the run should have taken with it."""
        digits = self.run_id.replace("-", "")
        limits = self._attack.user.platform.limits
        yield from (str(path) for path in limits.work_dir.rglob("*"))
        with psycopg.connect(**_parameters(self._attack.settings.compute)) as connection:
            query = "SELECT nspname FROM pg_namespace WHERE nspname LIKE %s"
            yield from (name for (name,) in connection.execute(query, (f"proc_{digits}%",)))
        until = time.monotonic() + 2
        while born := set(descendants(os.getpid())) - self._children:
            if time.monotonic() > until:
                yield from map(str, born)
                return
            time.sleep(0.02)


def _parameters(compute) -> dict[str, object]:
    return {
        "host": compute.host, "port": compute.port, "dbname": compute.database,
        "user": compute.user, "password": compute.password.get_secret_value(),
    }  # fmt: skip


def _all_problems(document: dict) -> list[dict]:
    """The batch's own problems and then its files', from a ledger document or a receipt."""
    own = [*document["problems"], *(p for file in document["files"] for p in file["problems"])]
    return json.loads(json.dumps(own))


@pytest.fixture
def attack(user, canary, secret, settings, tmp_path, request, hostile_rows):
    """The tests' way to attack; what it does is a row of the table."""
    group = getattr(request.module, "GROUP", request.module.__name__.rpartition(".")[2])
    yield Attack(user, canary, secret, settings, tmp_path, request.node.name, group, hostile_rows)
