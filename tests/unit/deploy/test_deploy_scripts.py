"""The shell scripts: clean for shellcheck, and careful with what they are given."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SCRIPTS = [
    *sorted(ROOT.glob("services/*/*.sh")),
    ROOT / "deploy/secrets.sh",
    ROOT / "requirements/compile.sh",
    *sorted(ROOT.glob("scripts/*.sh")),
]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_has_nothing_to_say(script):
    assert os.access(script, os.X_OK)
    checker = Path(sys.executable).with_name("shellcheck")
    done = subprocess.run([checker, script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_environment_file_has_no_placeholder_left_and_is_never_overwritten(tmp_path):
    target = tmp_path / ".env"
    subprocess.run([ROOT / "scripts/make_env.sh", target], check=True, capture_output=True)
    text = target.read_text()
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert "change-me" not in text
    assert "MONGODB_URI=mongodb://127.0.0.1:27017/?directConnection=true\n" in text
    passwords = [line.split("=")[1] for line in text.splitlines()
                 if not line.startswith("#") and len(line.split("=")[-1]) == 48]  # fmt: skip
    assert len(passwords) == len(set(passwords)) >= 8
    again = subprocess.run([ROOT / "scripts/make_env.sh", target], capture_output=True, check=False)
    assert again.returncode == 1
    assert target.read_text() == text


@pytest.fixture
def bundle(tmp_path):
    """A bundle with the right parts, tiny; its image archive is only bytes."""
    folder = tmp_path / "spatial-etl-0.1.0"
    (folder / "wheels").mkdir(parents=True)
    (folder / "images.tar").write_bytes(b"images")
    (folder / "wheels" / "x.whl").write_bytes(b"wheel")
    readme = tmp_path / "README.md"
    readme.write_text("source")
    with tarfile.open(folder / "source.tar", "w") as archive:
        archive.add(readme, "source/README.md")
    sums = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  ./{path.relative_to(folder)}\n"
        for path in sorted(folder.rglob("*")) if path.is_file()
    ]  # fmt: skip
    (folder / "SHA256SUMS").write_text("".join(sums))
    return folder


@pytest.fixture
def load(bundle, tmp_path):
    """Runs load.sh with a stand-in for Docker that notes what it was asked to do."""
    programs = tmp_path / "programs"
    programs.mkdir()
    notes = tmp_path / "docker-was-asked"
    docker = programs / "docker"
    docker.write_text(f'#!/bin/sh\necho "$@" >>{notes}\n')
    docker.chmod(0o755)

    def run():
        archive = tmp_path / "bundle.tar"
        with tarfile.open(archive, "w") as packed:
            packed.add(bundle, bundle.name)
        target = tmp_path / "site"
        done = subprocess.run(
            [ROOT / "scripts/load.sh", target, archive],
            env={"PATH": f"{programs}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
        return done, target, notes.read_text() if notes.exists() else ""

    return run


def test_a_bundle_is_loaded_and_unpacked(load):
    done, target, asked = load()
    assert done.returncode == 0, done.stderr
    assert asked.startswith("load --input ") and asked.strip().endswith("images.tar")
    assert (target / "README.md").read_text() == "source"
    assert (target / "wheels" / "x.whl").is_file()
    again, _, _ = load()
    assert again.returncode == 1 and "is there already" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        ((), "TARGET="),
        (("", ""), "TARGET="),
        (("nowhere", ""), "BUNDLE="),
        (("nowhere",), "BUNDLE="),
    ],
)
def test_without_a_folder_or_a_bundle_it_says_what_to_name(tmp_path, arguments, missing):
    done = subprocess.run(
        [ROOT / "scripts/load.sh", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and missing in done.stderr and "make load" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_damaged_bundle_reaches_neither_docker_nor_the_disk(load, bundle):
    (bundle / "images.tar").write_bytes(b"imagez")
    done, target, asked = load()
    assert done.returncode == 1
    assert "images.tar" in done.stderr and "damaged" in done.stderr
    assert not asked and not target.exists()


def test_a_bundle_with_a_stranger_in_it_is_refused(load, bundle):
    (bundle / "wheels" / "evil.whl").write_bytes(b"x")
    done, target, asked = load()
    assert done.returncode == 1 and "evil.whl" in done.stderr
    assert not asked and not target.exists()


SEAWEEDFS = {
    "MINIO_ADMIN_ACCESS_KEY": "root", "MINIO_ADMIN_SECRET_KEY": "r" * 20,
    "MINIO_ACCESS_KEY": "pipe", "MINIO_SECRET_KEY": "p" * 20,
    "LANDING_ACCESS_KEY": "ana", "LANDING_SECRET_KEY": "a" * 20,
}  # fmt: skip


def start_seaweedfs(tmp_path, **changes):
    users = tmp_path / "users.json"
    done = subprocess.run(
        [ROOT / "services/seaweedfs/start.sh"],
        env={"PATH": os.environ["PATH"], "WEED": "echo", "USERS_FILE": str(users), **SEAWEEDFS,
             **changes},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    return done, users


def test_seaweedfs_gets_three_users_each_with_the_rights_of_its_role(tmp_path):
    done, users = start_seaweedfs(tmp_path)
    assert done.returncode == 0, done.stderr
    assert stat.S_IMODE(users.stat().st_mode) == 0o600
    found = {it["name"]: it for it in json.loads(users.read_text())["identities"]}
    assert found["pipeline"]["credentials"] == [{"accessKey": "pipe", "secretKey": "p" * 20}]
    assert set(found["landing"]["actions"]) == {
        "Read:landing-zone", "Write:landing-zone", "List:landing-zone", "Tagging:landing-zone",
        "Read:data-lake", "List:data-lake",
    }  # fmt: skip
    assert "Write:data-lake" in found["pipeline"]["actions"]
    assert "Admin" not in found["pipeline"]["actions"]
    assert not any(secret in done.stdout for secret in SEAWEEDFS.values() if len(secret) == 20)


@pytest.mark.parametrize("value", ["", 'x","y', "a b", "x\ny"])
def test_seaweedfs_does_not_start_with_a_password_that_could_break_its_file(tmp_path, value):
    done, users = start_seaweedfs(tmp_path, MINIO_SECRET_KEY=value)
    assert done.returncode == 78
    assert "MINIO_SECRET_KEY" in done.stderr and (not value or value not in done.stderr)
    assert not users.exists()
