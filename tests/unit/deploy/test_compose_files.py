"""Compose itself accepts the files, alone and with each override."""

from __future__ import annotations

import os
import re
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


def test_a_worker_machines_env_names_its_own_file_and_a_project_beside_the_heads(
    root, compose_config, tmp_path
):
    head, worker = tmp_path / "head", tmp_path / "worker"
    subprocess.run([root / "scripts/make_env.sh", head], check=True, capture_output=True)
    printed = subprocess.run(
        [root / "scripts/worker_env.sh", "10.1.2.3", head], check=True, capture_output=True
    )
    worker.write_bytes(printed.stdout)
    assert yaml.safe_load(compose_config(worker).stdout)["services"].keys() == {"compute", "worker"}
    assert "\nCOMPOSE_PROJECT_NAME=spatial-etl\n" in head.read_text()
    assert "\nCOMPOSE_PROJECT_NAME=spatial-etl-worker\n" in worker.read_text()


def test_an_override_that_stands_in_the_env_holds_for_every_command(root, compose_config, tmp_path):
    environment = tmp_path / "env"
    subprocess.run([root / "scripts/make_env.sh", environment], check=True, capture_output=True)
    with environment.open("a") as file:
        file.write("COMPOSE_FILE=docker-compose.yaml:docker-compose.seaweedfs.yaml\n")
    services = yaml.safe_load(compose_config(environment).stdout)["services"]
    assert services["vault"]["image"] == "spatial-etl-seaweedfs:0.1.0"


def overrides_of_the_manual(root):
    """The overrides that docs/operations.md shows, by the first service that each changes."""
    text = (root / "docs/operations.md").read_text()
    blocks = re.findall(r"^ *```yaml\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    found = [block for block in blocks if "services:" in block]
    return {next(iter(yaml.safe_load(block)["services"])): block for block in found}


def test_the_manuals_overrides_do_what_it_says(root, compose_config, tmp_path):
    environment = tmp_path / "env"
    subprocess.run([root / "scripts/make_env.sh", environment], check=True, capture_output=True)
    shown = overrides_of_the_manual(root)
    assert set(shown) == {"user-code", "vault-init"}
    merged = {}
    for name, text in shown.items():
        override = tmp_path / f"{name}.yaml"
        override.write_text(text)
        done = compose_config(environment, "docker-compose.yaml", str(override))
        assert done.returncode == 0, done.stderr
        merged[name] = yaml.safe_load(done.stdout)["services"]
    folders = {
        "user-code": {"/var/lib/spatial-etl/work": "/mnt/work",
                      "/opt/etl/configs/recipes": "/srv/recipes"},
        "monitor": {"/var/lib/spatial-etl/work": "/mnt/work"},
        "backup": {"/var/lib/spatial-etl/backup": "/mnt/backup"},
    }  # fmt: skip
    for service, wanted in folders.items():
        mounts = [mount.split(":") for mount in merged["user-code"][service]["volumes"]]
        assert len({parts[1] for parts in mounts}) == len(mounts)
        assert wanted.items() <= {parts[1]: parts[0] for parts in mounts}.items()
    for name, service in merged["vault-init"].items():
        endpoint = service["environment"].get("MINIO_ENDPOINT", "s3.example.org:443")
        assert endpoint == "s3.example.org:443", f"{name} would still ask MinIO"
        if "MINIO_ENDPOINT" in service["environment"]:
            assert "edge" in service["networks"], f"{name} has no way out"
    assert "--buckets-only" in merged["vault-init"]["vault-init"]["command"]
