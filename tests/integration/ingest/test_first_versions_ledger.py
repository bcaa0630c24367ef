"""The ledger and lake of the first version, in today's hands: read, listed, audited, gone on with.

`ledger/fixtures/first_shape.json` was written by the first version that had the whole flow.
"""

from __future__ import annotations

import base64
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bson.json_util import loads

from libs.ledger import Ledger

pytestmark = pytest.mark.integration

FIRST_SHAPE = Path(__file__).parents[1] / "ledger/fixtures/first_shape.json"


@pytest.fixture
def written() -> dict[str, Any]:
    return loads(FIRST_SHAPE.read_text())


@pytest.fixture
def old_ledger(settings, written):
    """The first version's documents in a database that nothing of today's has touched."""
    database = f"test_first_shape_{uuid.uuid4().hex[:12]}"
    with Ledger.connect(settings.ledger.model_copy(update={"database": database})) as ledger:
        for name, documents in written["collections"].items():
            ledger.database[name].insert_many(documents)
        yield ledger
        ledger.client.drop_database(database)


@pytest.fixture
def old_platform(settings, vault, compute, old_ledger, written):
    """That ledger with the lake of its time."""
    from libs.ingest import Platform

    if settings.vault.lake_bucket != "data-lake":
        pytest.skip("The first version's documents name a lake called data-lake.")
    for key, kept in written["objects"].items():
        vault.put_bytes(
            "data-lake", key, base64.b64decode(kept["bytes"]),
            content_type="application/octet-stream", metadata=kept["metadata"],
        )  # fmt: skip
    yield replace(Platform.connect(settings), ledger=old_ledger, vault=vault, compute=compute)
    for found in list(vault.list_objects("data-lake", "first-shape/")):
        vault.remove("data-lake", found.key)


def test_the_first_versions_ledger_is_read_listed_audited_and_given_a_next_version(
    old_platform, user, written, tmp_path
):
    from libs.audit import audit

    ledger = old_platform.ledger
    assert ledger.migrate() == ("002_workers", "003_shared_steps", "004_rungs")
    assert [asset.version for asset in ledger.versions("first-shape/places")] == [2, 1]
    (current,) = ledger.current_assets("first-shape", limit=10)
    assert current.version == 2
    states = {batch.batch_id: batch.state.value for batch in ledger.recent_batches(10)}
    assert states == {
        "first-shape-one": "committed", "first-shape-two": "committed",
        "first-shape-bad": "rejected", "first-shape-dead": "running",
        "first-shape-cancelled": "cancelled",
    }  # fmt: skip
    runs = ledger.recent_runs(10)
    assert len(runs) == len(written["collections"]["runs"])
    assert {run.worker for run in runs} == {None}

    report = audit(old_platform, repair=True, verify_bytes=True)
    of_ours = [it for it in report.findings if "first-shape" in it.subject]
    assert [it.kind.value for it in of_ours] == ["pending_asset"], "what the dead run reserved"
    assert "dead_run" in {it.kind.value for it in report.findings}
    assert report.assets_checked == 2
    assert not [it for it in of_ours if it.kind.needs_a_person]

    path = tmp_path / "places.geojson"
    path.write_text(
        '{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": '
        '{"name": "three"}, "geometry": {"type": "Point", "coordinates": [1, 2]}}]}'
    )
    own = replace(user, platform=old_platform)
    done = own.run(
        own.manifest([own.vector(path, "GeoJSON", dataset="places")], project="first-shape")
    )
    (made,) = done.assets
    assert made.asset.version == 4, "the dead run's version 3 is never given again"
    assert ledger.run(made.asset.run_id).worker
