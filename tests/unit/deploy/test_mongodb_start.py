"""services/mongodb/start.sh: what it gives to mongod, and how it ends.

MongoDB is not here: stand-ins for `mongod` and `mongosh` note what they get. The script is real.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
HOST = socket.gethostname().split(".")[0]
SECRETS = {
    "MONGODB_ADMIN_REPLICA_KEY": "replica-key-4711",
    "MONGODB_ADMIN_USERNAME": "admin",
    "MONGODB_ADMIN_PASSWORD": "password-4711",
}
MONGOD = """#!/usr/bin/env python3
import json, os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.3), sys.exit(7)))
with open(os.environ["NOTES"] + ".part", "w") as notes:
    json.dump({"arguments": sys.argv[1:], "environment": dict(os.environ)}, notes)
os.rename(os.environ["NOTES"] + ".part", os.environ["NOTES"])
while True:
    time.sleep(0.1)
"""


@pytest.fixture
def start(tmp_path):
    programs, started = tmp_path / "programs", []
    programs.mkdir()

    def run(members: str, mongosh: str = "exit 0") -> subprocess.Popen:
        for name, text in (
            ("mongod", MONGOD),
            ("mongosh", f"#!/bin/sh\necho $@ >{tmp_path}/asked\n{mongosh}\n"),
        ):
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        process = subprocess.Popen(
            [ROOT / "services/mongodb/start.sh"],
            env={
                **SECRETS,
                "PATH": f"{programs}:{os.environ['PATH']}",
                "MONGODB_ADMIN_MEMBERS": members,
                "KEYFILE": str(tmp_path / "keyfile"),
                "CONFIG_FOLDER": "/etc/spatial-etl",
                "NOTES": str(tmp_path / "notes"),
            },
            stderr=subprocess.DEVNULL,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()


def wait_for(path: Path) -> str:
    until = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < until, f"{path.name} did not appear"
        time.sleep(0.05)
    return path.read_text()


def test_the_server_gets_the_keyfile_and_none_of_the_secrets(start, tmp_path):
    process = start(f"{HOST}.ledger:27017,other:27017")
    notes = json.loads(wait_for(tmp_path / "notes"))
    assert notes["arguments"] == ["--config", "/etc/spatial-etl/mongod.conf"]
    assert not set(SECRETS) & set(notes["environment"])
    assert stat.S_IMODE((tmp_path / "keyfile").stat().st_mode) == 0o600
    assert (tmp_path / "keyfile").read_text() == "replica-key-4711\n"
    asked = wait_for(tmp_path / "asked")
    assert asked.split() == [
        "--quiet",
        "--norc",
        "--nodb",
        "--file",
        "/etc/spatial-etl/first_start.js",
    ]
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 7, "it waits for the server, and ends as the server ends"


def test_another_member_leaves_the_set_to_the_first(start, tmp_path):
    process = start(f"first.ledger:27017,{HOST}.ledger:27017")
    wait_for(tmp_path / "notes")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 7
    assert not (tmp_path / "asked").exists()


def test_when_the_set_cannot_be_made_the_container_ends(start, tmp_path):
    process = start(f"{HOST}:27017", mongosh=f"while [ ! -e {tmp_path}/notes ]; do :; done; exit 3")
    assert process.wait(timeout=20) == 1


def test_without_a_key_it_does_not_start(tmp_path):
    done = subprocess.run(
        [ROOT / "services/mongodb/start.sh"],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "MONGODB_ADMIN_REPLICA_KEY" in done.stderr
