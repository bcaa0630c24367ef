"""A backup and a restore that are killed: what is left never looks whole, and it can go on."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from libs.audit import audit
from libs.backup import BackupFolderError, check_backup
from libs.ledger import LedgerRestoringError
from tests.faults.proxy import DROP_BEFORE, PASS, CallLog, FaultProxy
from tests.faults.stores import LAKE
from tests.integration.backup.conftest import place

pytestmark = pytest.mark.integration
SPATIAL_ETL = Path(sys.executable).with_name("spatial-etl")


class Killed:
    """Runs a command against a platform, and kills it before a call of it reaches its store."""

    def __init__(self, made, folder):
        self._made = made
        self._folder = folder

    def run(self, *arguments, before=None):
        """The names of its calls and its exit code. `before`: a name's beginning, and which one."""
        log, killer = CallLog(), _Killer(before)
        endpoint, uri = self._made.env["MINIO_ENDPOINT"], urlsplit(self._made.env["MONGODB_URI"])
        host, _, port = endpoint.rpartition(":")
        with ExitStack() as stack:
            vault = stack.enter_context(FaultProxy("http", host, int(port), killer, log))
            ledger = stack.enter_context(FaultProxy("mongodb", uri.hostname, uri.port, killer, log))
            through = place(
                self._made.env,
                self._folder,
                MINIO_ENDPOINT=vault.address,
                MONGODB_URI=f"mongodb://{ledger.address}/?directConnection=true",
            )
            through.stores.close()
            process = subprocess.Popen(
                [SPATIAL_ETL, "--env-file", through.file, *map(str, arguments)],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            killer.pid = process.pid
            said, _ = process.communicate(timeout=200)
        assert killer.has_killed == (before is not None), said
        return log.names, process.returncode


class _Killer:
    def __init__(self, before):
        self._name, self._left = before or ("nothing", 0)
        self.pid = None
        self.has_killed = False

    def __call__(self, call):
        if call.name.startswith(self._name):
            self._left -= 1
            if self._left == 0:
                os.kill(self.pid, signal.SIGKILL)
                self.has_killed = True
        return DROP_BEFORE if self.has_killed else PASS


def is_whole(folder):
    for path in folder.rglob("*.parquet"):
        if hashlib.sha256(path.read_bytes()).hexdigest()[:12] not in path.name:
            return False
    return True


def test_a_killed_backup_is_none_and_the_next_one_copies_only_the_rest(rehearsal, source, tmp_path):
    folder, killed = tmp_path / "b", Killed(source, tmp_path)
    for before in (("ledger: find assets", 1), ("vault: GET", 6)):
        assert killed.run("backup", folder, before=before)[1] == -signal.SIGKILL
        with pytest.raises(BackupFolderError, match="no backup that was finished"):
            check_backup(folder)
        assert is_whole(folder / "objects")
    there = [path for path in (folder / "objects").rglob("*") if path.is_file()]
    assert there
    calls, code = killed.run("backup", folder)
    assert code == 0
    report = check_backup(folder)
    assert report.damages_count == 0 and len(report.backups) == 1
    assert sum(name.startswith("vault: GET") for name in calls) == report.objects - len(there)
    assert len(list((folder / "ledger").iterdir())) == 1
    assert not list((folder / ".incoming").iterdir())


MOMENTS = [
    ("ledger: insert restores", 1),  # nothing is there yet
    ("vault: PUT", 3),
    ("ledger: update batches", 1),  # all objects and assets are there
    ("ledger: aggregate assets", 1),  # all documents, as they were
    ("ledger: update restores", 1),  # all is done but to say so
]
"""In this order, each one a try at the same restore."""


def test_a_killed_restore_is_seen_by_nobody_and_the_same_command_goes_on(
    rehearsal, target, tmp_path
):
    killed, command = Killed(target, tmp_path), ("restore", rehearsal.folder)
    for before in MOMENTS:
        assert killed.run(*command, before=before)[1] == -signal.SIGKILL
        there = target.stores.keys(LAKE)
        if before == MOMENTS[0]:
            assert not there and not target.collection("restores")
            continue
        with target.platform() as platform:
            for work in (lambda: audit(platform, repair=True), platform.check):
                with pytest.raises(LedgerRestoringError, match=rehearsal.later.name):
                    work()
        # The vault may still have been at work on what the killed process had sent.
        left = set(target.stores.keys(LAKE))
        assert set(there) <= left, "an object was taken for left over"
    calls, code = killed.run(*command)
    assert code == 0
    assert not [name for name in calls if name.startswith("vault: PUT") and LAKE in name]
    with target.platform() as platform:
        found = audit(platform, repair=False, verify_bytes=True)
    assert not found.findings and found.assets_checked == rehearsal.later.objects
    assert set(rehearsal.before) <= set(target.collection("assets"))
    # Ended batches keep theirs; of the others, one may not have been claimed yet.
    fences = {item["fence"] for item in target.collection("batches").values()}
    assert fences <= {1, 1000, 1001}


@pytest.mark.torture
@pytest.mark.timeout(3600)
def test_a_restore_may_be_killed_before_any_of_its_calls(rehearsal, target, tmp_path):
    killed, number = Killed(target, tmp_path), 0
    while True:
        number += 1
        try:
            killed.run("restore", rehearsal.folder, before=("", number))
        except AssertionError:  # it ended before its call of this number
            break
    with target.platform() as platform:
        found = audit(platform, repair=False, verify_bytes=True)
    assert not found.findings and found.assets_checked == rehearsal.later.objects
