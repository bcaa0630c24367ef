"""Runs on several machines: spread, killed, cancelled, come back. Here each is some processes."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import time
import uuid
from pathlib import Path

import httpx
import pytest

from tests.e2e.machines import Site, wait_for
from tests.processes import command_lines

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(900)]

LEASE_S = 8
"""As `machines.py` sets it; 120 by default."""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    from libs.stack import down, up

    state = Path("/tmp") / f"spatial-etl-machines-{uuid.uuid4().hex[:8]}"
    up(state, dagster=False, progress=print)
    try:
        site = Site(state, tmp_path_factory.mktemp("site"))
        try:
            site.start_broker()
            site.start_head(page=True)
            site.a = site.new_worker("a")
            site.b = site.new_worker("b", ETL_LOG_FORMAT="json")
            yield site
        finally:
            site.stop()
    finally:
        down(state, purge=True)


def ask(site, query: str, **variables) -> dict:
    answer = httpx.post(
        f"http://127.0.0.1:{site.page_port}/graphql",
        json={"query": query, "variables": variables},
        timeout=60,
    ).json()
    assert "errors" not in answer, answer
    return answer["data"]


def status_of(site, run_id: str) -> str:
    query = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
    return ask(site, query, id=run_id)["runOrError"]["status"]


def workers_of(site, names) -> list[tuple[str, str]]:
    return [(run["worker"], run["state"]) for name in names for run in site.runs_of(name)]


def require_whole(site, name: str) -> None:
    """Committed once, with the object that its document names, byte for byte."""
    (asset,) = site.assets_of(name)
    assert (asset["state"], asset["version"]) == ("committed", 1)
    listed = site.s3().list_objects("data-lake", prefix=f"{asset['dataset_id']}/", recursive=True)
    assert [found.object_name for found in listed] == [asset["s3_key"]]
    body = site.s3().get_object("data-lake", asset["s3_key"]).read()
    assert hashlib.sha256(body).hexdigest() == asset["content_hash"]


def test_a_machine_that_dies_loses_nothing_and_takes_runs_again_when_it_comes_back(site):
    a, b = site.a, site.b
    a.hold.touch()
    b.hold.touch()
    names = [site.submit(f"n{number}") for number in range(4)]
    wait_for("two runs are held on each machine", 240, lambda: a.held() == b.held() == 2)
    assert sorted(workers_of(site, names)) == [("a", "running")] * 2 + [("b", "running")] * 2
    assert len(a.run_folders()) == len(site.schemas(a)) == 2

    a.kill()
    died = time.monotonic()
    b.hold.unlink()
    wait_for("all batches are committed", 240, lambda: site.committed(*names))
    print(f"healed {time.monotonic() - died:.0f} s after the kill, with a lease of {LEASE_S} s")
    for name in names:
        require_whole(site, name)
        last = site.runs_of(name)[-1]
        assert (last["worker"], last["state"]) == ("b", "committed")
    # A sensor tells the ledger of the dead ones, maybe after others have done their work.
    wait_for("the dead runs are known to have failed", 60,
             lambda: ("a", "running") not in workers_of(site, names))  # fmt: skip
    # What the dead one was writing, the ledger holds for a minute: longer than a lease is here, so
    # that one who waits for it may be taken for dead and fail as well.
    lost = [one for one in workers_of(site, names) if one != ("b", "failed")]
    assert sorted(lost) == [("a", "failed")] * 2 + [("b", "committed")] * 4
    assert len(a.run_folders()) == 2, "nobody else can reach its folder"

    a.hold.unlink()
    site.start_worker(a)
    wait_for("it has taken away what it left", 90, lambda: not a.run_folders())
    wait_for("its schemas are gone", 30, lambda: not site.schemas(a))
    b.hold.touch()
    more = [site.submit(f"again{number}") for number in range(4)]
    wait_for("the others are done by the one that is back", 240,
             lambda: sum(site.committed(name) for name in more) == 2)  # fmt: skip
    b.hold.unlink()
    wait_for("all are committed", 120, lambda: site.committed(*more))
    assert {worker for worker, _ in workers_of(site, more)} == {"a", "b"}
    for machine in (a, b):
        wait_for("nothing is left", 30,
                 lambda it=machine: not it.run_folders() and not site.schemas(it))  # fmt: skip


def test_a_run_that_a_person_cancels_stops_on_its_machine_and_is_not_tried_again(site):
    a, b = site.a, site.b
    a.hold.touch()
    b.hold.touch()
    name = site.submit("cancelled")
    wait_for("it is held", 120, lambda: a.held() + b.held() == 1)
    (run,) = site.runs_of(name)
    done = ask(site, "mutation($id: String!) { terminateRun(runId: $id) { __typename } }",
               id=run["_id"])  # fmt: skip
    assert done["terminateRun"]["__typename"] == "TerminateRunSuccess"
    wait_for("Dagster knows", 90, lambda: status_of(site, run["_id"]) == "CANCELED")
    wait_for("the ledger knows", 60, lambda: site.batches()[name]["state"] == "cancelled")
    assert a.held() + b.held() == 0
    a.hold.unlink()
    b.hold.unlink()
    time.sleep(6)  # the sensor would have begun again after one
    assert [it["state"] for it in site.runs_of(name)] == ["cancelled"]
    assert site.assets_of(name) == []
    for machine in (a, b):
        assert not machine.run_folders() and not site.schemas(machine)


def test_no_password_is_in_what_workers_and_broker_write_or_are_called_with(site):
    secrets = [site.broker_password, site.storage["DAGSTER_POSTGRES_PASSWORD"],
               *(value for name, value in site.env.items()
                 if re.search("PASSWORD|SECRET", name))]  # fmt: skip
    logs = b"".join(path.read_bytes() for path in site.folder.glob("*/*.log"))
    assert len(logs) > 1000
    called = b"".join(command_lines())
    kept = b"".join(
        site.broker(database).dump(key) or b""
        for database in (0, 1)
        for key in site.broker(database).scan_iter()
    )
    for secret in secrets:
        for where, text in (("a log", logs), ("a command line", called), ("the broker", kept)):
            assert secret.encode() not in text, where


def test_a_worker_whose_log_is_json_writes_no_other_line_and_names_each_run(site):
    text = (site.b.folder / "start-worker.sh.log").read_text()
    _, _, text = text.partition("_warn_or_raise_security_error(egid, euid, gid, uid,\n")  # root's
    lines = [json.loads(line) for line in text.splitlines()]
    assert any(line["message"] == "b@etl ready." for line in lines)
    committed = [line for line in lines if line["message"].startswith("Committed version 1")]
    assert committed
    for line in committed:
        (run,) = site.ledger()["runs"].find({"_id": line["run_id"]})
        assert run["worker"] == "b" and run["batch"] == line["batch"]
        (asset,) = site.ledger()["assets"].find({"_id": line["asset_id"]})
        assert asset["batch"] == line["batch"]


@pytest.mark.torture
def test_a_broker_that_dies_takes_no_run_with_it(site):
    a, b = site.a, site.b
    (broker,) = (machine for machine in site.machines if machine.name == "broker")
    a.hold.touch()
    b.hold.touch()
    names = [site.submit(f"broker{number}") for number in range(6)]
    wait_for("four runs are held", 240, lambda: a.held() + b.held() == 4)
    broker.kill()
    a.hold.unlink()
    b.hold.unlink()
    wait_for("the four end without a broker", 180,
             lambda: sum(site.committed(name) for name in names) == 4)  # fmt: skip
    time.sleep(30)
    assert sum(site.committed(name) for name in names) == 4, "nobody hands out the others"
    site.again(broker)
    wait_for("the others begin when it is back", 300, lambda: site.committed(*names))
    for name in names:
        require_whole(site, name)
        assert [run["state"] for run in site.runs_of(name)] == ["committed"], "one attempt each"


@pytest.mark.torture
def test_a_run_whose_process_alone_dies_is_noticed_by_its_worker(site):
    a, b = site.a, site.b
    a.hold.touch()
    b.hold.touch()
    name = site.submit("lone")
    wait_for("it is held", 120, lambda: a.held() + b.held() == 1)
    (sign,) = [*a.folder.glob("hold.*"), *b.folder.glob("hold.*")]
    os.kill(int(sign.suffix[1:]), signal.SIGKILL)
    sign.unlink()
    a.hold.unlink()
    b.hold.unlink()
    wait_for("it is done by another attempt", 180, lambda: site.committed(name))
    require_whole(site, name)
    wait_for("the dead run is known to have failed", 60,
             lambda: [run["state"] for run in site.runs_of(name)] == ["failed", "committed"],
             )  # fmt: skip
