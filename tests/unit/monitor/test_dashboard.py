"""The dashboard: each panel explains itself, has a unit, and is where no other one is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

BOARD = json.loads(
    (Path(__file__).resolve().parents[3] / "services/grafana/spatial-etl.json").read_text()
)
PANELS = BOARD["panels"]


def test_it_is_of_grafana_10_and_asks_the_data_source_that_its_reader_chose():
    assert BOARD["schemaVersion"] >= 38 and BOARD["uid"]
    assert [it["type"] for it in BOARD["templating"]["list"]] == ["datasource"]
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_explains_itself_and_has_a_unit(panel):
    assert panel["description"].endswith(".") and len(panel["description"]) > 40
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["targets"] and all(it["expr"] and it["legendFormat"] for it in panel["targets"])
    assert {it["datasource"]["uid"] for it in [panel, *panel["targets"]]} == {"${datasource}"}
    assert len({it["refId"] for it in panel["targets"]}) == len(panel["targets"])


def test_no_two_panels_lie_on_each_other():
    taken = [
        (x, y)
        for panel in PANELS
        for place in [panel["gridPos"]]
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(taken)) == len(taken) and max(x for x, _ in taken) < 24


@pytest.mark.parametrize(
    "metric",
    ["batches_total", "runs_total", "stage_seconds", "input_bytes_total", "output_bytes_total",
     "queue_runs", "oldest_manifest_age_seconds", "audit_findings", "server_up"],
)  # fmt: skip
def test_what_an_operator_asks_first_has_a_panel(metric):
    expressions = " ".join(it["expr"] for panel in PANELS for it in panel["targets"])
    assert f"spatial_etl_{metric}" in expressions
