"""The fault proxy between real clients and the real stores: what passes, what is done."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import http.server
import io
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Protocol

import adbc_driver_postgresql.dbapi as adbc
import psycopg
import pyarrow as pa
import pymongo
import pymongo.errors
import pytest
import urllib3
from minio import Minio, S3Error
from psycopg import conninfo

from libs.settings import Settings
from tests.faults.framing import ProtocolName
from tests.faults.proxy import (
    DELAY,
    DROP_AFTER,
    DROP_BEFORE,
    ERROR,
    HALF_CLOSE,
    PASS,
    Action,
    Call,
    CallLog,
    FaultProxy,
    Plan,
)

pytestmark = pytest.mark.integration

SETTINGS = Settings()


class Store(Protocol):
    """One of the three, with a small thing to write into it and to look for afterwards."""

    protocol: ProtocolName
    address: tuple[str, int]
    lost: tuple[type[Exception], ...]
    """What its client raises when it gets no answer."""
    trouble: str
    """What its client says of the error that the proxy answers."""

    def write(self, address: tuple[str, int], name: str) -> None: ...
    def has(self, name: str) -> bool: ...
    def call_of(self, name: str) -> str: ...
    def clean(self) -> None: ...


class VaultStore:
    protocol: ProtocolName = "http"
    lost = (urllib3.exceptions.HTTPError,)
    trouble = "SlowDown"

    def __init__(self) -> None:
        self.settings = SETTINGS.vault
        host, _, port = self.settings.endpoint.rpartition(":")
        self.address = (host, int(port))
        self.prefix = f"proxy-{uuid.uuid4().hex[:8]}"
        self.bucket = self.settings.lake_bucket

    def client(self, address: tuple[str, int]) -> Minio:
        return Minio(
            "{}:{}".format(*address),
            access_key=self.settings.access_key,
            secret_key=self.settings.secret_key.get_secret_value(),
            region=self.settings.region,
            secure=False,
            http_client=urllib3.PoolManager(retries=False, timeout=20, maxsize=1),
        )

    def write(self, address: tuple[str, int], name: str) -> None:
        self.client(address).put_object(self.bucket, self.key(name), io.BytesIO(b"abc"), 3)

    def has(self, name: str) -> bool:
        try:
            response = self.client(self.address).get_object(self.bucket, self.key(name))
        except S3Error as error:
            assert error.code == "NoSuchKey"
            return False
        return bool(response.read() == b"abc")

    def key(self, name: str) -> str:
        return f"{self.prefix}/{name}"

    def call_of(self, name: str) -> str:
        return f"vault: PUT /{self.bucket}/{self.key(name)}"

    def clean(self) -> None:
        client = self.client(self.address)
        for item in client.list_objects(self.bucket, f"{self.prefix}/", recursive=True):
            client.remove_object(self.bucket, item.object_name)


class LedgerStore:
    protocol: ProtocolName = "mongodb"
    lost = (pymongo.errors.AutoReconnect,)
    trouble = "ShutdownInProgress"

    def __init__(self) -> None:
        self.settings = SETTINGS.ledger
        parsed = pymongo.uri_parser.parse_uri(self.settings.uri)
        self.address = parsed["nodelist"][0]
        self.database = f"test_proxy_{uuid.uuid4().hex[:12]}"

    @contextlib.contextmanager
    def client(self, address: tuple[str, int]) -> Iterator[pymongo.MongoClient]:
        secret = self.settings.password
        with pymongo.MongoClient(
            *address,
            username=self.settings.username,
            password=secret.get_secret_value() if secret else None,
            authSource=self.settings.auth_source,
            directConnection=True,
            retryWrites=False,
            retryReads=False,
            serverSelectionTimeoutMS=5000,
            heartbeatFrequencyMS=500,
        ) as client:
            yield client

    def write(self, address: tuple[str, int], name: str) -> None:
        with self.client(address) as client:
            client[self.database]["things"].insert_one({"_id": name})

    def has(self, name: str) -> bool:
        with self.client(self.address) as client:
            return client[self.database]["things"].find_one({"_id": name}) is not None

    def call_of(self, name: str) -> str:
        return "ledger: insert things"

    def clean(self) -> None:
        with self.client(self.address) as client:
            client.drop_database(self.database)


class ComputeStore:
    protocol: ProtocolName = "postgresql"
    lost = (psycopg.OperationalError,)
    trouble = "terminating connection due to administrator command"

    def __init__(self) -> None:
        self.settings = SETTINGS.compute
        self.address = (self.settings.host, self.settings.port)
        self.schema = f"test_proxy_{uuid.uuid4().hex[:12]}"
        self.table = f"{self.schema}.things"
        self.run(f"CREATE SCHEMA {self.schema}")
        self.run(f"CREATE TABLE {self.table} (name text)")

    def uri(self, address: tuple[str, int]) -> str:
        return conninfo.make_conninfo(
            host=address[0],
            port=address[1],
            dbname=self.settings.database,
            user=self.settings.user,
            password=self.settings.password.get_secret_value(),
        )

    def client(self, address: tuple[str, int]) -> psycopg.Connection:
        return psycopg.connect(self.uri(address), autocommit=True)

    def run(self, statement: str) -> None:
        with self.client(self.address) as connection:
            connection.execute(statement)

    def write(self, address: tuple[str, int], name: str) -> None:
        with self.client(address) as connection:
            connection.execute(f"INSERT INTO {self.table} VALUES (%s)", [name])

    def has(self, name: str) -> bool:
        with self.client(self.address) as connection:
            query = f"SELECT FROM {self.table} WHERE name = %s"
            return connection.execute(query, [name]).rowcount == 1

    def call_of(self, name: str) -> str:
        return f"compute: INSERT INTO {self.table} VALUES ($1)"[: len("compute: ") + 60]

    def clean(self) -> None:
        self.run(f"DROP SCHEMA {self.schema} CASCADE")


def _fixture_of(kind: type[Store]) -> Iterator[Store]:
    store = kind()
    yield store
    store.clean()


@pytest.fixture(scope="module")
def vault() -> Iterator[VaultStore]:
    yield from _fixture_of(VaultStore)


@pytest.fixture(scope="module")
def ledger() -> Iterator[LedgerStore]:
    yield from _fixture_of(LedgerStore)


@pytest.fixture(scope="module")
def compute() -> Iterator[ComputeStore]:
    yield from _fixture_of(ComputeStore)


@pytest.fixture(params=["vault", "ledger", "compute"])
def store(request: pytest.FixtureRequest) -> Store:
    return request.getfixturevalue(request.param)


def before(store: Store, **options) -> FaultProxy:
    return FaultProxy(store.protocol, *store.address, **options)


def at_first(action: Action) -> Plan:
    """The action for the first call, and nothing for those after it."""
    return lambda call: action if call.number == 1 else PASS


def to(proxy: FaultProxy) -> tuple[str, int]:
    return proxy.host, proxy.port


def wait_until(holds: Callable[[], bool]) -> None:
    limit = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < limit, "it never came to that"
        time.sleep(0.01)


def test_a_call_passes_and_is_counted_once_by_its_name(store: Store) -> None:
    with before(store) as proxy:
        store.write(to(proxy), "passed")
        assert proxy.log.calls == [Call(1, store.call_of("passed"))]
    assert store.has("passed")


def test_a_call_dropped_before_is_not_done(store: Store) -> None:
    with before(store, plan=at_first(DROP_BEFORE)) as proxy:
        with pytest.raises(store.lost):
            store.write(to(proxy), "never")
        assert not store.has("never")
        store.write(to(proxy), "second")
        assert len(proxy.log.calls) == 2
    assert store.has("second")


def test_a_call_dropped_after_is_done_and_its_client_hears_nothing(store: Store) -> None:
    with (
        before(store, plan=at_first(DROP_AFTER)) as proxy,
        pytest.raises(store.lost),
    ):
        store.write(to(proxy), "unheard")
    assert store.has("unheard")


def test_an_error_reaches_the_client_and_the_store_does_nothing(store: Store) -> None:
    with before(store, plan=at_first(ERROR)) as proxy:
        with pytest.raises(Exception, match=store.trouble):
            store.write(to(proxy), "refused")
        assert not store.has("refused")
        store.write(to(proxy), "after the error")
    assert store.has("after the error")


# Not the vault: http.client takes half a header for a whole one; see the half of an object below.
@pytest.mark.parametrize("store", ["ledger", "compute"], indirect=True)
def test_half_a_reply_is_a_lost_answer_to_a_call_that_was_done(store: Store) -> None:
    with before(store, plan=at_first(HALF_CLOSE)) as proxy:
        with pytest.raises(store.lost):
            store.write(to(proxy), "halved")
        assert store.has("halved")
        wait_until(lambda: proxy.open_connections == 0)


def test_a_delay_delays(store: Store) -> None:
    with before(store, plan=at_first(DELAY(0.3))) as proxy:
        begin = time.monotonic()
        store.write(to(proxy), "late")
        assert time.monotonic() - begin >= 0.3
    assert store.has("late")


def test_a_plan_is_asked_before_any_byte_is_passed_on_and_may_block(store: Store) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def plan(_call: Call) -> Action:
        asked.set()
        assert go_on.wait(10)
        return PASS

    with before(store, plan=plan) as proxy:
        writer = threading.Thread(target=store.write, args=(to(proxy), "blocked"))
        writer.start()
        assert asked.wait(5)
        assert not store.has("blocked")
        go_on.set()
        writer.join(10)
    assert store.has("blocked")


def test_nothing_gets_through_a_cut_until_it_is_mended(store: Store) -> None:
    with before(store) as proxy:
        store.write(to(proxy), "before the cut")
        proxy.cut()
        cut_off = pytest.raises((*store.lost, pymongo.errors.PyMongoError))
        with cut_off, pymongo.timeout(0.5):
            store.write(to(proxy), "cut")
        assert not store.has("cut")
        proxy.mend()
        store.write(to(proxy), "mended")
    assert store.has("mended")


def test_a_stalled_line_passes_nothing_and_then_all_of_it(store: Store) -> None:
    with before(store) as proxy:
        proxy.stall()
        writer = threading.Thread(target=store.write, args=(to(proxy), "stalled"))
        writer.start()
        time.sleep(0.3)
        assert writer.is_alive()
        assert not store.has("stalled")
        assert proxy.open_connections >= 1
        proxy.resume()
        writer.join(10)
    assert store.has("stalled")


def test_many_clients_at_once_do_not_mix(store: Store) -> None:
    def plan(call: Call) -> Action:
        return DROP_AFTER if call.number % 2 else PASS

    heard, unheard = [], []

    def write(name: str) -> None:
        try:
            store.write(to(proxy), name)
        except store.lost:
            unheard.append(name)
        else:
            heard.append(name)

    names = [f"one of many {index}" for index in range(8)]
    with before(store, plan=plan) as proxy:
        writers = [threading.Thread(target=write, args=(name,)) for name in names]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join(20)
        assert [call.number for call in proxy.log.calls] == list(range(1, 9))
    assert (len(heard), len(unheard)) == (4, 4)
    assert all(store.has(name) for name in names)


def test_two_proxies_can_number_their_calls_together(vault, compute) -> None:
    log = CallLog()
    with before(vault, log=log) as one, before(compute, log=log) as other:
        for _ in range(2):
            vault.write(to(one), "shared")
            compute.write(to(other), "shared")
    assert log.names == [vault.call_of("shared"), compute.call_of("shared")] * 2
    assert [call.number for call in log.calls] == [1, 2, 3, 4]


def test_what_a_plan_raises_is_raised_at_the_end(compute) -> None:
    def plan(_call: Call) -> Action:
        raise ZeroDivisionError

    with (
        pytest.raises(ZeroDivisionError),
        before(compute, plan=plan) as proxy,
        pytest.raises(compute.lost),
    ):
        compute.write(to(proxy), "never planned")


def test_large_objects_pass_byte_for_byte_and_by_parts(vault: VaultStore) -> None:
    data = os.urandom(50 * 2**20)
    with before(vault) as proxy:
        client, key = vault.client(to(proxy)), vault.key("large")
        client.put_object(vault.bucket, key, io.BytesIO(data), len(data), part_size=2**26)
        with contextlib.closing(client.get_object(vault.bucket, key)) as response:
            got = hashlib.sha256(response.read())
        assert got.digest() == hashlib.sha256(data).digest()
        assert client.stat_object(vault.bucket, key).size == len(data)
        some, part_size = io.BytesIO(data[: 12 * 2**20]), 5 * 2**20
        client.put_object(vault.bucket, key, some, -1, part_size=part_size, num_parallel_uploads=1)
        client.remove_object(vault.bucket, key)
        path = f"/{vault.bucket}/{key}"
        assert proxy.log.names == [
            f"vault: {what}"
            for what in (
                f"PUT {path}",
                f"GET {path}",
                f"HEAD {path}",
                f"POST {path}?uploads",
                *(f"PUT {path}?partNumber={part}&uploadId" for part in (1, 2, 3)),
                f"POST {path}?uploadId",
                f"DELETE {path}",
            )
        ]
    with before(vault, plan=at_first(DROP_AFTER)) as proxy:
        client = vault.client(to(proxy))
        with pytest.raises(vault.lost):
            client.put_object(vault.bucket, key, io.BytesIO(data), len(data), part_size=2**26)
    with contextlib.closing(vault.client(vault.address).get_object(vault.bucket, key)) as response:
        assert response.read() == data


def test_half_an_object_is_half_an_object(vault: VaultStore) -> None:
    data, key = os.urandom(10**6), vault.key("halves")
    vault.client(vault.address).put_object(vault.bucket, key, io.BytesIO(data), len(data))
    with before(vault, plan=at_first(HALF_CLOSE)) as proxy:
        response = vault.client(to(proxy)).get_object(vault.bucket, key)
        got = bytearray()
        with pytest.raises(urllib3.exceptions.ProtocolError):
            for piece in response.stream(1000):
                got += piece
    assert 400_000 < len(got) <= 500_000
    assert data.startswith(got)


class _Echo(http.server.BaseHTTPRequestHandler):
    """Sends a chunked body back in chunks, each once more; the standard library's own HTTP."""

    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in (body[:7], body[7:]):
            self.wfile.write(b"%x;note=1\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\nX-Trailer: 1\r\n\r\n")

    def log_message(self, *_arguments: object) -> None:
        """Nothing to say."""


def test_chunked_bodies_pass_and_the_connection_is_kept() -> None:
    pieces = [b"a", b"\r\n0\r\n\r\n", os.urandom(300_000), b"PUT / HTTP/1.1\r\n\r\n"]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with FaultProxy("http", *server.server_address) as proxy:
            connection = http.client.HTTPConnection(*to(proxy), timeout=10)
            for _ in range(3):
                connection.request("PUT", "/x?X-Amz-Signature=secret", iter(pieces))
                assert connection.getresponse().read() == b"".join(pieces)
            assert proxy.log.names == ["vault: PUT /x"] * 3
            assert proxy.open_connections == 1
            proxy.plan = lambda _call: ERROR
            connection.request("PUT", "/x", iter(pieces))
            answer = connection.getresponse()
            assert (answer.status, b"SlowDown" in answer.read()) == (503, True)
            proxy.plan = lambda _call: DROP_AFTER
            with pytest.raises(http.client.RemoteDisconnected):
                connection.request("PUT", "/x", iter(pieces))
                connection.getresponse()
            connection.close()
        server.shutdown()


def test_a_drivers_own_talk_with_the_ledger_is_no_call(ledger: LedgerStore) -> None:
    with before(ledger) as proxy, ledger.client(to(proxy)) as client:
        things = client[ledger.database]["more"]
        things.insert_many([{"_id": index, "text": "x" * 10_000} for index in range(1000)])
        assert client.admin.command("ping")["ok"] == 1
        with client.start_session() as session, session.start_transaction():
            things.update_one({"_id": 1}, {"$set": {"text": "new"}}, session=session)
        assert sum(len(found["text"]) for found in things.find()) == 999 * 10_000 + 3
        time.sleep(1.2)  # two heartbeats
        names = proxy.log.names
    getting_more = [name for name in names if name == "ledger: getMore"]
    assert [name for name in names if name not in getting_more] == [
        "ledger: insert more",
        "ledger: update more",
        "ledger: commitTransaction",
        "ledger: find more",
    ]
    assert getting_more


def test_a_compressed_call_has_its_name(ledger: LedgerStore) -> None:
    with before(ledger) as proxy:
        address = "{}:{}".format(*to(proxy))
        with (
            pymongo.MongoClient(address, compressors="zlib", directConnection=True) as client,
            pytest.raises(pymongo.errors.OperationFailure, match="auth"),
        ):
            client["nothing"]["there"].find_one()
        assert proxy.log.names == ["ledger: find there"]


def a_table(rows: int) -> pa.Table:
    return pa.table(
        {"a": pa.array(range(rows), pa.int64()), "b": [os.urandom(100) for _ in range(rows)]}
    )


def test_many_rows_pass_through_adbc_both_ways(compute: ComputeStore) -> None:
    table = a_table(200_000)
    with before(compute) as proxy:
        with adbc.connect(_as_url(compute, proxy)) as connection, connection.cursor() as cursor:
            cursor.adbc_ingest("many", table, mode="create", db_schema_name=compute.schema)
            connection.commit()
            cursor.execute(f"SELECT a, b FROM {compute.schema}.many ORDER BY a")
            assert cursor.fetch_arrow_table().cast(table.schema) == table
        names = proxy.log.names
    rows_of_copy = [name for name in names if name.startswith("compute: rows of COPY")]
    assert len(rows_of_copy) == 1
    assert sum(name.startswith("compute: COPY") for name in names) == 2
    assert "compute: COMMIT" in names


def _as_url(compute: ComputeStore, proxy: FaultProxy) -> str:
    settings = compute.settings
    return (
        f"postgresql://{settings.user}:{settings.password.get_secret_value()}"
        f"@{proxy.address}/{settings.database}"
    )


@pytest.mark.parametrize("action", [DROP_BEFORE, DROP_AFTER, ERROR])
def test_rows_of_a_copy_are_a_call_of_their_own(compute: ComputeStore, action: Action) -> None:
    table = f"{compute.schema}.rows_{action.kind.name.lower()}"
    compute.run(f"CREATE TABLE {table} (a integer)")

    def plan(call: Call) -> Action:
        return action if call.name.startswith("compute: rows of ") else PASS

    with (
        before(compute, plan=plan) as proxy,
        compute.client(to(proxy)) as connection,
        pytest.raises(psycopg.OperationalError),
        connection.cursor().copy(f"COPY {table} FROM STDIN") as copy,
    ):
        for number in range(200_000):
            copy.write_row([number])
    with compute.client(compute.address) as connection:
        count = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert count == ((200_000,) if action is DROP_AFTER else (0,))


def test_the_count_holds_after_a_copy_that_fails_and_in_a_pipeline(compute: ComputeStore) -> None:
    with before(compute) as proxy, compute.client(to(proxy)) as connection:
        connection.execute("CREATE TEMP TABLE t (a integer)")
        with (
            pytest.raises(psycopg.errors.InvalidTextRepresentation),
            connection.cursor().copy("COPY pg_temp.t FROM STDIN") as copy,
        ):
            for _ in range(100_000):
                copy.write_row(["no number"])
        assert connection.execute("SELECT 1").fetchone() == (1,)
        with connection.pipeline():
            cursors = [connection.execute("SELECT %s::int", [value]) for value in range(50)]
            assert [cursor.fetchone() for cursor in cursors] == [(value,) for value in range(50)]
        proxy.plan = lambda _call: DROP_AFTER
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 2")
        names = proxy.log.names
    assert names[:4] == [
        "compute: CREATE TEMP TABLE t (a integer)",
        "compute: COPY pg_temp.t FROM STDIN",
        "compute: rows of COPY pg_temp.t FROM STDIN",
        "compute: SELECT 1",
    ]
    assert names[-1] == "compute: SELECT 2"
