"""A stack of its own, in a temporary folder, started and ill-treated. Dagster is the e2e tests'."""

import io
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from pathlib import Path

import psutil
import psycopg
import pymongo
import pytest
from minio import Minio
from minio.error import S3Error
from pymongo.errors import OperationFailure

from libs.settings import Settings
from libs.stack import StackPaths, down, identity, status, up
from libs.stack.errors import MovedFolderError, ServerFailedError
from libs.stack.supervision import Supervisor

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(300)]

STORES = {"vault", "front", "ledger", "compute"}


def start(state: Path, lines: list[str] | None = None):
    return up(state, dagster=False, progress=(lines if lines is not None else []).append)


def pids(state: Path) -> dict[str, int]:
    return {one.name: one.pid for one in status(state) if one.name in STORES}


def processes(state: Path) -> list[psutil.Process]:
    """Whatever says the folder's name in its command line or works in it; psutil's view."""
    found = []
    for process in psutil.process_iter():
        try:
            words = [*process.cmdline(), process.cwd()]
        except psutil.Error:
            continue
        if process.pid != os.getpid() and any(str(state) in word for word in words):
            found.append(process)
    return found


def eventually(holds, seconds: float = 40.0):
    deadline = time.monotonic() + seconds
    while not (value := holds()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.2)
    return value


def all_running(state: Path) -> bool:
    return {one.name for one in status(state) if one.state == "running"} >= STORES


def minio_of(settings: Settings) -> Minio:
    return Minio(
        endpoint=settings.vault.endpoint,
        access_key=settings.vault.access_key,
        secret_key=settings.vault.secret_key.get_secret_value(),
        secure=False,
    )


def mongo_of(settings: Settings) -> pymongo.MongoClient:
    ledger = settings.ledger
    password = ledger.password.get_secret_value()
    return pymongo.MongoClient(ledger.uri, username=ledger.username, password=password)


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def put_something(settings: Settings) -> None:
    minio_of(settings).put_object(
        bucket_name="data-lake", object_name="kept", data=io.BytesIO(b"here"), length=4
    )
    with mongo_of(settings) as client:
        client["kept"]["kept"].replace_one({"_id": 1}, {"x": "here"}, upsert=True)


def assert_something_is_there(settings: Settings) -> None:
    assert minio_of(settings).get_object(bucket_name="data-lake", object_name="kept").read()
    with mongo_of(settings) as client:
        assert client["kept"]["kept"].find_one({"_id": 1}) == {"_id": 1, "x": "here"}


@pytest.fixture(scope="module")
def state():
    # Not pytest's own temporary folder: PostgreSQL's user could not enter that one.
    folder = Path(tempfile.mkdtemp(prefix="spatial-etl-test-"))
    folder.chmod(0o755)
    yield folder / "stack"
    down(folder / "stack", purge=True)
    shutil.rmtree(folder)


@pytest.fixture
def running(state):
    start(state)
    return Settings(state / ".env")


def test_a_second_up_changes_nothing_and_is_quick(state, running):
    before = pids(state)
    lines: list[str] = []
    begun = time.monotonic()
    info = start(state, lines)
    assert time.monotonic() - begun < 1.0
    assert (info.changed, lines) == (False, [])
    assert pids(state) == before


def test_no_secret_stands_in_a_command_line(state, running):
    secrets = passwords(state)
    lines = [" ".join(process.cmdline()) for process in processes(state)]
    assert len(lines) >= 4
    assert not [line for line in lines if any(secret in line for secret in secrets)]


def test_files_that_hold_secrets_are_their_owners_only(state, running):
    secrets = [secret.encode() for secret in passwords(state)]
    files = [path for path in state.rglob("*") if path.is_file() and not path.is_socket()]
    holding = [path for path in files if any(secret in path.read_bytes() for secret in secrets)]
    assert {"identity.json", ".env", "supervisord.conf"} <= {path.name for path in holding}
    assert not [path for path in holding if stat.S_IMODE(path.stat().st_mode) & 0o077]
    assert not state.stat().st_mode & (stat.S_IRWXO | stat.S_IRGRP)


def test_logs_hold_no_secret(state, running):
    text = b"".join(path.read_bytes() for path in (state / "logs").iterdir())
    assert not [secret for secret in passwords(state) if secret.encode() in text]


def passwords(state: Path) -> list[str]:
    kept = identity.load(StackPaths.of(state))
    found = [value.clear for _, value in kept if hasattr(value, "clear")]
    assert len(found) == 8
    return found


def test_every_server_listens_on_loopback_only(state, running):
    addresses = {
        connection.laddr.ip
        for process in processes(state)
        for connection in _connections(process)
        if connection.status == psutil.CONN_LISTEN
    }
    assert addresses == {"127.0.0.1"}


def _connections(process: psutil.Process) -> list:
    try:
        return process.net_connections(kind="inet")
    except psutil.NoSuchProcess:  # one of PostgreSQL's, whose client has just left
        return []


def test_no_server_answers_without_its_password(running):
    with pytest.raises(S3Error, match=r"AccessDenied|InvalidAccessKeyId"):
        Minio(endpoint=running.vault.endpoint, secure=False).bucket_exists(bucket_name="data-lake")
    with pymongo.MongoClient(running.ledger.uri) as client, pytest.raises(OperationFailure):
        client[running.ledger.database]["assets"].find_one()
    with pytest.raises(psycopg.OperationalError, match=r"no password|authentication failed"):
        psycopg.connect(
            host="127.0.0.1", port=running.compute.port, dbname="compute",
            user=running.compute.user, password="guessed",
        )  # fmt: skip


def test_the_pipelines_role_makes_schemas_and_reaches_nothing_else(running):
    compute = running.compute
    with psycopg.connect(
        host=compute.host, port=compute.port, dbname=compute.database, user=compute.user,
        password=compute.password.get_secret_value(), autocommit=True,
    ) as connection:  # fmt: skip
        connection.execute("CREATE SCHEMA proc_mine")
        connection.execute("CREATE TABLE proc_mine.t AS SELECT ST_Point(1, 2, 4326) AS geom")
        connection.execute("DROP SCHEMA proc_mine CASCADE")
        for refused in (
            "CREATE TABLE public.mine (i int)",
            "CREATE ROLE other SUPERUSER",
            "COPY (SELECT 1) TO PROGRAM 'true'",
            "SELECT pg_read_file('/etc/hostname')",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(refused)


def test_the_pipelines_ledger_user_cannot_make_users(running):
    with mongo_of(running) as client, pytest.raises(OperationFailure, match="not authorized"):
        client.admin.command("createUser", "other", pwd="x", roles=["root"])


@pytest.mark.parametrize("name", sorted(STORES))
def test_a_server_that_is_killed_comes_back_with_its_data(state, running, name):
    put_something(running)
    before = pids(state)
    os.kill(before[name], signal.SIGKILL)
    eventually(lambda: pids(state)[name] not in (before[name], None) and all_running(state))
    assert_something_is_there(running)
    others = STORES - {name}
    assert {other: pids(state)[other] for other in others} == {o: before[o] for o in others}


def test_up_recovers_from_a_killed_supervisor_with_the_same_ports_and_passwords(state, running):
    put_something(running)
    before = (state / "identity.json").read_text()
    os.kill(int((state / "supervisord.pid").read_text()), signal.SIGKILL)
    info = start(state)
    assert info.changed and all_running(state)
    assert (state / "identity.json").read_text() == before
    assert_something_is_there(running)
    assert sum("supervisord" in " ".join(p.cmdline()) for p in processes(state)) == 1


def test_what_supervisor_did_by_itself_meanwhile_is_no_error(state, running, monkeypatch):
    paths = StackPaths.of(state)
    before = pids(state)
    supervisor = Supervisor(paths, identity.load(paths).supervisor)
    monkeypatch.setattr(Supervisor, "is_running", lambda *_: False)  # as it was a moment ago
    supervisor.start("front")
    assert pids(state) == before


def test_down_leaves_no_process_and_up_finds_the_data_again(state, running):
    put_something(running)
    assert down(state)
    assert processes(state) == []
    assert {one.state for one in status(state)} == {"stopped"}
    assert down(state), "a second time is no fault"
    start(state)
    assert_something_is_there(running)


def test_stale_files_of_a_dead_stack_are_no_trouble(state, running):
    down(state)
    (state / "supervisord.pid").write_text("1")
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(state / "supervisor.sock"))
    (state / "compute" / "postmaster.pid").write_text("1\n")
    start(state)
    assert all_running(state)


def test_an_object_that_was_read_lies_on_the_disk_once(state, running):
    kept_twice_before = state / "vault" / "cache"
    kept_twice_before.mkdir()
    down(state)
    start(state)
    assert not kept_twice_before.exists()
    there = size_of(state / "vault")
    size = 24 * 2**20
    client = minio_of(running)
    client.put_object(
        bucket_name="data-lake", object_name="large", data=io.BytesIO(os.urandom(size)), length=size
    )
    assert len(client.get_object(bucket_name="data-lake", object_name="large").read()) == size
    time.sleep(1)  # a cache would be filled in the background
    assert size <= size_of(state / "vault") - there < 1.5 * size


def test_a_port_that_a_stranger_took_is_replaced_and_said(state, running):
    down(state)
    port = running.compute.port
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.bind(("127.0.0.1", port))
        stranger.listen()
        lines: list[str] = []
        start(state, lines)
    assert any(str(port) in line and "taken" in line for line in lines)
    assert Settings(state / ".env").compute.port != port
    assert all_running(state)


def test_a_server_that_cannot_start_is_named_with_its_own_words_and_the_cure(state, running):
    down(state)
    version = state / "compute" / "PG_VERSION"
    owner = version.stat()
    try:
        version.write_text("9\n")
        with pytest.raises(ServerFailedError) as caught:
            start(state)
    finally:
        version.write_text("15\n")
        os.chown(version, owner.st_uid, owner.st_gid)
    message = str(caught.value)
    assert caught.value.name == "compute"
    assert "not compatible" in message and "stack up" in message and "compute.log" in message
    start(state)
    assert all_running(state)


def forget_the_place(state):
    """As a release left it that did not keep the path; its identity is needed by other tests."""
    path = state / "identity.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({name: content[name] for name in content if name != "state"}))


@pytest.mark.parametrize("older", [False, True])
def test_a_copy_of_a_running_stack_is_refused_and_does_it_no_harm(state, running, older):
    put_something(running)
    copy = state.with_name("copy")
    subprocess.run(["cp", "-a", state, copy], check=True)
    if older:
        forget_the_place(copy)
    before = pids(state)
    for act in (down, start, lambda folder: down(folder, purge=True)):
        with pytest.raises(MovedFolderError, match="is a copy of the one in"):
            act(copy)
    shutil.rmtree(copy)
    assert pids(state) == before and all_running(state)
    assert_something_is_there(running)


@pytest.mark.parametrize("older", [False, True])
def test_a_stack_that_was_moved_is_refused_until_it_is_put_back_or_linked(state, running, older):
    put_something(running)
    down(state)
    if older:
        forget_the_place(state)
    moved = state.rename(state.with_name("moved"))
    with pytest.raises(MovedFolderError, match="Put it back"):
        start(moved)
    assert down(state) is False
    state.symlink_to(moved)
    start(state)
    assert_something_is_there(running)
    assert down(state)
    state.unlink()
    moved.rename(state)
    start(state)
    assert_something_is_there(running)
    assert identity.load(StackPaths.of(state)).state is not None


def test_purge_deletes_the_folder(state, running):
    assert down(state, purge=True)
    assert not state.exists()
    assert processes(state) == []
    assert down(state, purge=True) is False


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another user")
def test_where_postgresqls_user_cannot_go_its_data_lies_at_its_own_home(tmp_path):
    tmp_path.chmod(0o700)
    state = tmp_path / "stack"
    try:
        start(state)
        elsewhere = identity.load(StackPaths.of(state)).compute_dir
        assert not elsewhere.is_relative_to(state) and elsewhere.is_dir()
        assert all_running(state)
    finally:
        down(state, purge=True)
    assert not elsewhere.exists() and not state.exists()
