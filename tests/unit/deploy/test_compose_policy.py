"""Every container of Docker Compose is what a careful operator would ask for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ONE_SHOT = {"vault-init", "ledger-init", "backup"}
PINNED = re.compile(r".+:(?!latest$)[A-Za-z0-9._-]*\d[A-Za-z0-9._-]*")
MUST_BE_GIVEN = re.compile(r"\$\{[A-Z0-9_]+:\?[^}]+\}")


def default_of(text):
    return re.sub(r"\$\{[A-Z0-9_]+:-([^}]*)\}", r"\1", str(text))


def whole(file):
    return yaml.safe_load((Path(__file__).resolve().parents[3] / file).read_text())["services"]


def services():
    """Each container that is described whole: the platform's, the broker, a worker machine's."""
    platform, head = whole("docker-compose.yaml"), whole("docker-compose.workers.yaml")
    worker = whole("docker-compose.worker.yaml")
    found = {**platform, "broker": head["broker"]}
    return {**found, **{f"worker machine: {name}": it for name, it in worker.items()}}


@pytest.fixture(params=sorted(services()))
def service(request):
    return request.param, services()[request.param]


def test_it_is_pinned_unprivileged_and_bounded(service):
    _, it = service
    assert PINNED.fullmatch(default_of(it["image"])), it["image"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", it["user"])
    assert it["read_only"] is True
    assert it["cap_drop"] == ["ALL"] and "cap_add" not in it
    assert it["security_opt"] == ["no-new-privileges:true"]
    assert not it.get("privileged") and "network_mode" not in it and "pid" not in it
    assert it["mem_limit"] and it["pids_limit"]


def test_it_says_whether_it_is_well_unless_it_ends_by_itself(service):
    name, it = service
    if name in ONE_SHOT:
        assert it["restart"] == "no" and "healthcheck" not in it
    else:
        assert it["healthcheck"]["test"][0] == "CMD"
        assert {"interval", "timeout", "retries", "start_period"} <= set(it["healthcheck"])
        assert it["restart"] == "unless-stopped"


def test_its_ports_are_open_to_this_machine_only(service):
    name, it = service
    for port in it.get("ports", []):
        where = "${PUBLISH_SITE_ADDRESS:?set it in .env}:" if name == "broker" else "127.0.0.1:"
        assert port.startswith(where), port
    if "edge" not in it["networks"]:
        assert "ports" not in it


def test_no_secret_stands_in_the_file(service):
    _, it = service
    for name, value in it["environment"].items():
        if re.search(r"PASSWORD|SECRET|REPLICA_KEY|ACCESS_KEY", name):
            assert MUST_BE_GIVEN.fullmatch(str(value)), name


def test_it_waits_for_what_it_needs_until_that_is_ready(service, compose):
    _, it = service
    for other, how in it.get("depends_on", {}).items():
        ends = other in ONE_SHOT
        wanted = "service_completed_successfully" if ends else "service_healthy"
        assert how["condition"] == wanted, other
        assert other in {**compose["services"], **whole("docker-compose.worker.yaml")}


def test_what_it_writes_to_is_a_volume_or_bounded_memory(service):
    _, it = service
    for mount in it.get("tmpfs", []):
        assert ":size=" in mount
    for mount in it.get("volumes", []):
        assert re.match(r"[a-z-]+:/", mount), f"{mount}: no path of the machine"


def test_each_container_gets_only_the_secrets_that_are_its_own(compose):
    secret = re.compile(r"\$\{([A-Z0-9_]+):\?")
    given = {
        name: {found[1] for value in it["environment"].values()
               if (found := secret.match(str(value)))}
        for name, it in compose["services"].items()
    }  # fmt: skip
    administrators = {
        "MINIO_ADMIN_SECRET_KEY": {"vault", "vault-init"},
        "MONGODB_ADMIN_PASSWORD": {"ledger", "ledger-init"},
        "MONGODB_ADMIN_REPLICA_KEY": {"ledger"},
        "LANDING_SECRET_KEY": {"vault-init"},
        "MINIO_SECRET_KEY": {"vault-init", "user-code", "backup", "monitor"},
        "POSTGIS_PASSWORD": {"compute", "user-code", "monitor"},
        "DAGSTER_POSTGRES_PASSWORD": {"dagster-storage", "user-code", "webserver", "daemon"},
    }
    for variable, services in administrators.items():
        assert {name for name, has in given.items() if variable in has} == services, variable


def test_the_stores_are_on_a_network_without_a_way_out(compose):
    assert compose["networks"]["inside"] == {"internal": True}
    for name, it in compose["services"].items():
        assert "inside" in it["networks"], name


def test_with_workers_the_stores_listen_on_the_address_that_was_named_and_on_no_other():
    for name, it in whole("docker-compose.workers.yaml").items():
        for port in it.get("ports", []):
            assert port.startswith("${PUBLISH_SITE_ADDRESS:?set it in .env}:"), name


def test_a_worker_machine_has_no_open_port_and_no_administrators_secret():
    for name, it in whole("docker-compose.worker.yaml").items():
        assert "ports" not in it, name
        text = str(it["environment"])
        assert "ADMIN" not in text and "LANDING_SECRET" not in text, name


def test_the_brokers_password_goes_to_those_who_speak_with_it_and_to_no_one_else():
    head = whole("docker-compose.workers.yaml")
    have = {name for name, it in head.items()
            if "DAGSTER_BROKER_PASSWORD" in it.get("environment", {})}  # fmt: skip
    assert have == {"broker", "webserver", "daemon"}


def test_a_worker_gets_every_setting_that_the_code_server_gets(compose):
    there = compose["services"]["user-code"]["environment"]
    here = whole("docker-compose.worker.yaml")["worker"]["environment"]
    assert set(there) - set(here) == set()
