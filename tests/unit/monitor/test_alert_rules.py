"""Each alert fires when it should and is still when it should be, by Prometheus' own promtool."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.prometheus_programs import program

ROOT = Path(__file__).resolve().parents[3]
RULES = ROOT / "services/prometheus/alerts.yaml"
JOB = 'job="spatial-etl",instance="a:1"'
CLOCK = "1000000x300"
"""A look at 0 s since 1970 by promtool's clock, which begins there."""


def rules():
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for rule in group["rules"]}


def up(server, values):
    return {f'spatial_etl_server_up{{server="{server}"}}': values}


def findings(kind, needs, depth, values):
    name = f'kind="{kind}",needs_a_person="{needs}",depth="{depth}"'
    return {f"spatial_etl_audit_findings{{{name}}}": values}


def queue(queued, started):
    return {
        'spatial_etl_queue_runs{state="queued"}': queued,
        'spatial_etl_queue_runs{state="started"}': started,
        'spatial_etl_queue_runs{state="starting"}': "0x300",
    }


def audit(values, depth="sizes"):
    return {f'spatial_etl_audit_timestamp_seconds{{depth="{depth}"}}': values}


AGE, FREE, SIZE = (
    "spatial_etl_oldest_manifest_age_seconds",
    "spatial_etl_work_disk_free_bytes",
    "spatial_etl_work_disk_size_bytes",
)
FAILED = 'spatial_etl_runs_total{outcome="failed"}'
LOOK = 'spatial_etl_server_look_timestamp_seconds{server="vault"}'
ALIVE = {f"up{{{JOB}}}": "1x300"}
LEDGER_UP = up("ledger", "1x300")
CASES = [
    # alert, the series, when, the labels of each alert that fires then
    ("WatcherAway", {f"up{{{JOB}}}": "0x300"}, "6m", [{"job": "spatial-etl", "instance": "a:1"}]),
    ("WatcherAway", {"other": "1x300"}, "6m", [{"job": "spatial-etl"}]),
    ("WatcherAway", {f"up{{{JOB}}}": "0x3 1x300"}, "6m", []),
    ("WatcherBlind", {LOOK: "0x300"}, "7m", [{"server": "vault"}]),
    ("WatcherBlind", {LOOK: "0+60x300"}, "20m", []),
    ("ServerAway", up("vault", "0x300"), "6m", [{"server": "vault"}]),
    ("ServerAway", up("vault", "1x2 0x3 1x300"), "6m", []),
    ("ManifestWaitsTooLong", {AGE: "3000+60x300"}, "20m", [{}]),
    ("ManifestWaitsTooLong", {AGE: "0+60x30 0x300"}, "80m", []),
    ("BatchesFailing", {FAILED: "7x5 8 9 10 11x300"}, "20m", [{"outcome": "failed"}]),
    ("BatchesFailing", {FAILED: "7x5 8x300"}, "20m", []),
    ("BatchesFailing", {FAILED: "7x5 8 9 10 11x300"}, "60m", []),
    ("RunSilent", {"spatial_etl_silent_runs": "1x300"}, "16m", [{}]),
    ("RunSilent", {"spatial_etl_silent_runs": "1x5 0x300"}, "16m", []),
    ("QueueStuck", queue("4x300", "0x300"), "16m", [{"state": "queued"}]),
    ("QueueStuck", queue("4x300", "1x300"), "16m", []),
    ("QueueStuck", queue("0x300", "0x300"), "16m", []),
    ("AuditNeedsAPerson", findings("missing_object", "true", "sizes", "0 2x300"), "2m",
     [{"kind": "missing_object"}]),
    ("AuditNeedsAPerson", {**findings("altered_object", "true", "bytes", "1x300"),
                           **findings("altered_object", "true", "sizes", "0x300")}, "30m",
     [{"kind": "altered_object"}]),
    ("AuditNeedsAPerson", findings("missing_object", "true", "sizes", "2x5 0x300"), "10m", []),
    ("AuditNeedsAPerson", findings("dead_run", "false", "sizes", "3x300"), "10m", []),
    ("AuditCannotMend", findings("dead_run", "false", "sizes", "3x300"), "130m",
     [{"kind": "dead_run"}]),
    ("AuditCannotMend", findings("dead_run", "false", "sizes", "3x30 0x300"), "130m", []),
    ("NoAudit", {**LEDGER_UP, **audit("0x300")}, "190m", [{}]),
    ("NoAudit", LEDGER_UP, "70m", [{}]),
    ("NoAudit", up("ledger", "0x300"), "70m", []),
    ("NoAudit", {**LEDGER_UP, **audit("0+60x300"), **audit("0x300", "bytes")}, "200m", []),
    ("WorkDiskFilling", {FREE: "9x300", SIZE: "100x300"}, "11m", [{}]),
    ("WorkDiskFilling", {FREE: "11x300", SIZE: "100x300"}, "11m", []),
]  # fmt: skip


def test_every_alert_is_tried_both_ways():
    fires = {alert for alert, _, _, expected in CASES if expected}
    is_still = {alert for alert, _, _, expected in CASES if not expected}
    assert fires == is_still == set(rules())


def told(text, labels):
    return re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: labels[found[1]], text)


def expectation(rule, labels):
    annotations = {name: told(text, labels) for name, text in rule["annotations"].items()}
    return {"exp_labels": {**labels, **rule["labels"]}, "exp_annotations": annotations}


def test_each_alert_fires_and_is_still_as_the_table_says(tmp_path):
    tests = [
        {
            "interval": "1m",
            "input_series": [{"series": name, "values": its} for name, its in series.items()],
            "alert_rule_test": [
                {
                    "eval_time": when,
                    "alertname": alert,
                    "exp_alerts": [expectation(rules()[alert], labels) for labels in expected],
                }
            ],
        }
        for alert, series, when, expected in CASES
    ]
    file = tmp_path / "alerts_test.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "tests": tests}))
    done = subprocess.run(
        [program("promtool"), "test", "rules", file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("what", "file"), [("rules", "alerts.yaml"), ("config", "prometheus.yml")])
def test_promtool_accepts_the_files(what, file):
    path = RULES.parent / file
    done = subprocess.run(
        [program("promtool"), "check", what, path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", rules())
def test_an_alert_says_what_it_is_names_the_cure_and_leads_to_a_paragraph_that_is_there(alert):
    notes = rules()[alert]["annotations"]
    assert notes["summary"].endswith(".") and len(notes["description"]) > 80
    file, _, anchor = notes["runbook"].partition("#")
    titles = re.findall(r"^#+ (.+)$", (ROOT / file).read_text(), re.MULTILINE)
    assert anchor in {
        re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles
    }
