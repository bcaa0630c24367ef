"""Compose itself accepts the files, alone and with each override."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
import yaml


@pytest.fixture
def compose_config(root):
    """Docker Compose's own reading of some files, with the variables of one file and no others."""
    program = shutil.which("docker-compose")
    if program is None:
        pytest.skip("docker-compose is not installed here (Debian's package docker-compose)")

    def read(variables, *files):
        named = [part for file in files for part in ("-f", file)]
        return subprocess.run(
            [program, "--env-file", variables, *named, "config"],
            cwd=root,
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=False,
        )

    return read


@pytest.mark.parametrize("override", [None, "dev", "seaweedfs", "test", "workers"])
def test_docker_compose_accepts_it_and_fills_in_every_variable(
    root, compose_config, override, tmp_path
):
    files = ["docker-compose.yaml", *([f"docker-compose.{override}.yaml"] if override else [])]
    environment = tmp_path / "env"
    subprocess.run([root / "scripts/make_env.sh", environment], check=True, capture_output=True)
    with environment.open("a") as file:
        file.write("PUBLISH_SITE_ADDRESS=10.1.2.3\n")
    done = compose_config(environment, *files)
    assert done.returncode == 0, done.stderr
    assert "variable is not set" not in done.stderr
    services = yaml.safe_load(done.stdout)["services"]
    assert "change-me" not in done.stdout
    image = services["vault"]["image"]
    assert image == f"spatial-etl-{'seaweedfs' if override == 'seaweedfs' else 'minio'}:0.1.0"
    commands = {name: it.get("command", []) for name, it in services.items()}
    assert ("--buckets-only" in commands["vault-init"]) == (override == "seaweedfs")
    assert ("--any-database" in commands["ledger-init"]) == (override == "test")
    assert (services["user-code"]["build"]["target"] == "development") == (override == "dev")


def test_without_passwords_it_does_not_start(compose_config, tmp_path):
    empty = tmp_path / "env"
    empty.touch()
    done = compose_config(empty, "docker-compose.yaml")
    assert done.returncode != 0
    assert "set it in .env" in done.stderr


@pytest.mark.parametrize(
    ("schema", "pattern"),
    [
        ("vendor.compose-spec", "docker-compose*.yaml"),
        ("vendor.github-workflows", ".github/workflows/*.yml"),
    ],
)
def test_the_files_fit_the_published_schema(root, schema, pattern):
    files = sorted(root.glob(pattern))
    assert files
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *files],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_a_worker_machine_starts_with_what_the_head_prints_for_it(root, compose_config, tmp_path):
    head, worker = tmp_path / "head", tmp_path / "worker"
    subprocess.run([root / "scripts/make_env.sh", head], check=True, capture_output=True)
    printed = subprocess.run(
        [root / "scripts/worker_env.sh", "10.1.2.3", head], check=True, capture_output=True
    )
    worker.write_bytes(printed.stdout)
    done = compose_config(worker, "docker-compose.worker.yaml")
    assert done.returncode == 0, done.stderr
    assert "variable is not set" not in done.stderr
    given = yaml.safe_load(done.stdout)["services"]["worker"]["environment"]
    known = dict(line.split("=", 1) for line in head.read_text().splitlines() if line[:1].isupper())
    assert given["MINIO_ENDPOINT"] == "10.1.2.3:9000"
    assert given["DAGSTER_BROKER_HOST"] == given["DAGSTER_POSTGRES_HOST"] == "10.1.2.3"
    assert given["MONGODB_URI"] == "mongodb://10.1.2.3:27017/?directConnection=true"
    for name in ("MINIO_SECRET_KEY", "MONGODB_PASSWORD", "DAGSTER_BROKER_PASSWORD"):
        assert given[name] == known[name]
    kept_from_it = [
        value for name, value in known.items() if "ADMIN" in name or "LANDING_S" in name
    ]
    assert len(kept_from_it) > 3
    secrets = [value for value in kept_from_it if len(value) > 40]
    assert secrets and not any(value in printed.stdout.decode() for value in secrets)
