"""No secret of the stack is in anything that a run writes, says, or starts."""

from __future__ import annotations

import base64
import contextlib
import io
import logging
import threading
import time
import traceback
import uuid
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from bson import json_util
from pydantic import SecretStr

from libs.compute import PostGIS
from libs.errors import SpatialEtlError
from libs.ledger import Ledger
from libs.vault import Vault
from tests.hostile import makers
from tests.hostile.secrets_of_stack import all_secrets, leaked
from tests.processes import command_lines

pytestmark = pytest.mark.integration
GROUP = "secrets"
OWN = ("libs.stack", "spatial-etl", "juicefs", "secantus", "postgres", "supervisord", "minio")


@pytest.fixture(scope="module")
def secrets(settings):
    found = all_secrets(settings)
    assert len(found) >= 4
    assert all(len(secret) >= 16 for secret in found.values())
    return found


@pytest.fixture
def log():
    """Everything that anybody logs, at DEBUG."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield out
    root.removeHandler(handler)
    root.setLevel(level)


def good_file(attack, tmp_path):
    [path] = makers.honest(tmp_path, "GPKG")
    return attack.manifest_of(path, "GPKG")


def test_the_search_finds_a_secret_in_every_form(secrets):
    secret = next(iter(secrets.values()))
    for text in (secret, f"x{secret}y", quote(f"p/{secret}", safe="")):
        assert leaked(secrets, text)
    for before in (b"", b"u:", b"user:", b"abc"):
        assert leaked(secrets, base64.b64encode(before + secret.encode() + b"@host"))
    assert not leaked(secrets, "nothing of it")


def documents(attack):
    base = attack.user.platform.ledger.database
    for name in base.list_collection_names():
        yield from (json_util.dumps(document) for document in base[name].find())


def test_neither_logs_nor_ledger_nor_receipts_have_one(attack, tmp_path, secrets, log):
    done = attack.commit(good_file(attack, tmp_path))
    bad = tmp_path / "bad.gpkg"
    bad.write_bytes(b"no database")
    receipt = attack.reject_file(bad, "GPKG", "cannot read it")
    for text in (log.getvalue(), str(done.receipt), str(receipt), *documents(attack)):
        assert not leaked(secrets, text)
    assert len(log.getvalue()) > 1000


def broken(settings, server):
    """The platform with one server that is away, or that refuses the password."""
    wrong = SecretStr("wrong-" + uuid.uuid4().hex)
    compute, vault, ledger = settings.compute, settings.vault, settings.ledger
    away = "127.0.0.1:9"
    return {
        "PostGIS is away": lambda p: replace(p, compute=PostGIS.connect(
            compute.model_copy(update={"port": 9, "connect_timeout_s": 1}))),
        "PostGIS refuses": lambda p: replace(p, compute=PostGIS.connect(
            compute.model_copy(update={"password": wrong}))),
        "the vault is away": lambda p: replace(p, vault=Vault.connect(
            vault.model_copy(update={"endpoint": away, "timeout_s": 1}))),
        "the vault refuses": lambda p: replace(p, vault=Vault.connect(
            vault.model_copy(update={"secret_key": wrong}))),
        "the ledger is away": lambda p: replace(p, ledger=Ledger.connect(
            ledger.model_copy(update={"uri": f"mongodb://{away}/", "timeout_s": 1}))),
        "the ledger refuses": lambda p: replace(p, ledger=Ledger.connect(
            ledger.model_copy(update={"password": wrong}))),
    }[server], wrong.get_secret_value()  # fmt: skip


SERVERS = ["PostGIS is away", "PostGIS refuses", "the vault is away", "the vault refuses",
           "the ledger is away", "the ledger refuses"]  # fmt: skip


def everything_said(error, *, with_locals):
    """The error, its causes and contexts: words, reprs, and tracebacks."""
    seen = []
    while error is not None and error not in seen:
        seen.append(error)
        error = error.__cause__ or error.__context__
    for one in seen:
        yield from (str(one), repr(one), repr(one.args))
        told = traceback.TracebackException.from_exception(one, capture_locals=with_locals)
        yield "".join(told.format())


def failure_of(user, upload):
    """In a frame that has no secret of its own."""
    try:
        user.run(upload)
    except SpatialEtlError as error:
        return error
    raise AssertionError("it did not fail")


@pytest.mark.parametrize("server", SERVERS)
def test_no_error_of_a_server_has_one(attack, tmp_path, secrets, settings, log, server):
    upload = good_file(attack, tmp_path)
    change, wrong = broken(settings, server)
    cut_off = replace(attack.user, platform=change(attack.user.platform))
    error = failure_of(cut_off, upload)
    searched = {**secrets, "the wrong one": wrong}
    # Local variables too where the frames are ours; the drivers of the others keep passwords there.
    for text in everything_said(error, with_locals="vault" in server):
        assert not leaked(searched, text)
    assert not leaked(searched, log.getvalue())
    for store in (cut_off.platform, settings.compute, settings.vault, settings.ledger):
        assert not leaked(searched, repr(store) + str(store))


class Watcher:
    """Reads every process's command line, and the environments of those below this one."""

    def __init__(self) -> None:
        self.commands: set[bytes] = set()
        self.environments: dict[bytes, bytes] = {}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()

    def _watch(self):
        import os

        from tests.hostile.watch import descendants

        while not self._done.is_set():
            self.commands |= command_lines()
            for pid in descendants(os.getpid()):
                with contextlib.suppress(OSError):
                    command = Path(f"/proc/{pid}/cmdline").read_bytes()
                    self.environments[command] = Path(f"/proc/{pid}/environ").read_bytes()
            time.sleep(0.01)


def test_no_process_shows_one_while_a_run_goes_on(attack, tmp_path, secrets, monkeypatch):
    """A secret in our own environment, as Compose and Kubernetes put it there, stays ours."""
    for name, secret in secrets.items():
        monkeypatch.setenv(f"SECRET_{name.upper().replace('.', '_')}", secret)
    raster = makers.raster(tmp_path / "r.tif")
    with Watcher() as watcher:
        attack.commit(good_file(attack, tmp_path))
        attack.commit_file(raster, "GTiff", crs="EPSG:32633")
    for command in watcher.commands:
        assert not leaked(secrets, command)
    of_readers = [c for c in watcher.environments if b"vector_child" in c]
    of_gdal = [c for c in watcher.environments if b"gdal" in c]
    assert of_readers
    assert of_gdal
    # Just after fork a child is still a copy of its parent: it has our command line then.
    own = Path("/proc/self/cmdline").read_bytes()
    for command, environment in watcher.environments.items():
        if command not in (own, b""):
            assert not leaked(secrets, environment), command


def test_the_stacks_servers_are_among_the_processes_seen():
    commands = b" ".join(command_lines())
    assert any(name.encode() in commands for name in OWN)
