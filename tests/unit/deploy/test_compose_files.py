"""Compose itself accepts the files, alone and with each override."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
import yaml


@pytest.mark.parametrize("override", [None, "dev", "seaweedfs", "test", "workers"])
def test_docker_compose_accepts_it_and_fills_in_every_variable(root, override, tmp_path):
    program = shutil.which("docker-compose")
    if program is None:
        pytest.skip("docker-compose is not installed here (Debian's package docker-compose)")
    files = ["docker-compose.yaml", *([f"docker-compose.{override}.yaml"] if override else [])]
    environment = tmp_path / "env"
    subprocess.run([root / "scripts/make_env.sh", environment], check=True, capture_output=True)
    with environment.open("a") as file:
        file.write("PUBLISH_SITE_ADDRESS=10.1.2.3\n")
    done = subprocess.run(
        [program, "--env-file", environment, *(part for file in files for part in ("-f", file)),
         "config"],
        cwd=root,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
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


def test_without_passwords_it_does_not_start(root, tmp_path):
    program = shutil.which("docker-compose")
    if program is None:
        pytest.skip("docker-compose is not installed here (Debian's package docker-compose)")
    empty = tmp_path / "env"
    empty.touch()
    done = subprocess.run(
        [program, "--env-file", empty, "-f", "docker-compose.yaml", "config"],
        cwd=root,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
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
