"""What the vault does when the server, the network or the settings are not as they should be."""

from __future__ import annotations

import hashlib
import socket
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from pydantic import SecretStr

from libs.errors import ConfigError, OperatorError, TransientError
from libs.settings import VaultSettings
from libs.vault import (
    BucketMissingError,
    KeyConflictError,
    ObjectChangedError,
    ObjectTooLargeError,
    Vault,
    VaultConfigError,
    VaultCredentialsError,
    VaultDeniedError,
    VaultRefusedError,
    VaultUnavailableError,
)

OLD, NEW = b"old" * 1000, b"new" * 1500
MODIFIED = "Tue, 24 Nov 2026 04:14:17 GMT"


SECRET = "not-for-any-eye-4711"


@dataclass
class Reply:
    """What to answer; `announced` bytes are promised, `body` is sent."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    announced: int | None = None


Answer = Callable[[BaseHTTPRequestHandler], Reply]


class Server:
    """Its `answer` may be set by the test; it counts the requests."""

    def __init__(self) -> None:
        self.answer: Answer = lambda _: Reply(status=404)
        self.requests: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                self.rfile.read(int(self.headers.get("content-length") or 0))
                outer.requests.append(f"{self.command} {self.path}")
                reply = outer.answer(self)
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                length = len(reply.body) if reply.announced is None else reply.announced
                self.send_header("Content-Length", str(length))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(reply.body)
                if reply.announced is not None:
                    self.close_connection = True

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_one  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Nothing on stderr."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.endpoint = f"127.0.0.1:{self._http.server_port}"
        Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


def vault_at(endpoint: str, timeout_s: float = 2.0) -> Vault:
    """A vault whose server is at `endpoint`."""
    return Vault.connect(
        VaultSettings(
            _env_file=None,
            endpoint=endpoint,
            access_key="somebody",
            secret_key=SecretStr(SECRET),
            timeout_s=timeout_s,
        )
    )


@pytest.fixture
def scripted(server: Server) -> Vault:
    return vault_at(server.endpoint)


def etag_of(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def as_object(body: bytes, etag: str, **more):
    headers = {"ETag": f'"{etag}"', "Last-Modified": MODIFIED, "Content-Type": "x/y"}
    return Reply(body=body, headers=headers | more.pop("headers", {}), **more)


def s3_error(status: int, code: str, message: str = "No."):
    body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
    return Reply(status=status, body=body, headers={"Content-Type": "application/xml"})


def fetch(vault, target: Path, body: bytes, **more):
    return vault.fetch_file("landing-zone", "a.bin", etag=etag_of(body), target=target, **more)


def test_a_whole_body_is_stored_and_hashed(server, scripted, tmp_path) -> None:
    server.answer = lambda _: as_object(OLD, etag_of(OLD))
    got = fetch(scripted, tmp_path / "a.bin", OLD)
    assert got.sha256 == hashlib.sha256(OLD).hexdigest()
    assert (tmp_path / "a.bin").read_bytes() == OLD


def test_a_server_that_ignores_the_condition_is_seen_through_by_its_etag(
    server, scripted, tmp_path
) -> None:
    server.answer = lambda _: as_object(NEW, etag_of(NEW))
    with pytest.raises(ObjectChangedError, match="s3://landing-zone/a"):
        fetch(scripted, tmp_path / "a.bin", OLD)
    assert list(tmp_path.iterdir()) == []


def test_new_bytes_under_the_old_etag_are_not_taken(server, scripted, tmp_path) -> None:
    """The embedded store's race: the object is replaced between its etag and its bytes."""
    torn = NEW[: len(OLD)]
    server.answer = lambda request: (
        as_object(NEW, etag_of(NEW)) if request.command == "HEAD" else as_object(torn, etag_of(OLD))
    )
    with pytest.raises(ObjectChangedError):
        fetch(scripted, tmp_path / "a.bin", OLD)
    assert list(tmp_path.iterdir()) == []


def test_a_cut_body_under_the_pinned_etag_can_be_tried_again(server, scripted, tmp_path) -> None:
    """The other side of it: the old size with the new etag, which is the pinned one."""
    server.answer = lambda request: as_object(
        NEW if request.command == "HEAD" else NEW[: len(OLD)], etag_of(NEW)
    )
    with pytest.raises(VaultUnavailableError, match="being replaced"):
        fetch(scripted, tmp_path / "a.bin", NEW)
    assert list(tmp_path.iterdir()) == []


def test_one_wrong_answer_about_an_object_that_stands_is_not_the_users_fault(
    server, scripted, tmp_path
) -> None:
    def slip(request):
        return (
            as_object(OLD, etag_of(OLD))
            if request.command == "HEAD"
            else s3_error(412, "PreconditionFailed")
        )

    server.answer = slip
    with pytest.raises(VaultUnavailableError):
        fetch(scripted, tmp_path / "a.bin", OLD)


def test_an_etag_that_is_missing_for_a_moment_is_asked_for_again(server, scripted) -> None:
    etags = iter(["", ""])
    server.answer = lambda _: as_object(OLD, next(etags, "e"))
    assert scripted.stat("landing-zone", "a").etag == "e"


def test_a_short_body_can_be_tried_again_and_leaves_no_file(server, scripted, tmp_path) -> None:
    server.answer = lambda _: as_object(OLD[:-5], etag_of(OLD), announced=len(OLD))
    with pytest.raises(VaultUnavailableError, match="before all bytes"):
        fetch(scripted, tmp_path / "a.bin", OLD)
    assert list(tmp_path.iterdir()) == []


def test_more_bytes_than_allowed_are_an_error_and_leave_no_file(server, scripted, tmp_path) -> None:
    server.answer = lambda _: as_object(OLD, etag_of(OLD))
    with pytest.raises(ObjectTooLargeError, match="2,999 bytes"):
        fetch(scripted, tmp_path / "a.bin", OLD, max_bytes=len(OLD) - 1)
    assert list(tmp_path.iterdir()) == []


def test_an_old_target_stays_as_it_was_when_a_fetch_fails(server, scripted, tmp_path) -> None:
    (tmp_path / "a.bin").write_bytes(b"before")
    server.answer = lambda _: as_object(NEW, etag_of(NEW))
    with pytest.raises(ObjectChangedError):
        fetch(scripted, tmp_path / "a.bin", OLD)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"before"]


def test_what_an_uploader_calls_compressed_is_fetched_as_it_is_stored(
    server, scripted, tmp_path
) -> None:
    server.answer = lambda _: as_object(OLD, etag_of(OLD), headers={"Content-Encoding": "gzip"})
    fetch(scripted, tmp_path / "a.bin", OLD)
    assert (tmp_path / "a.bin").read_bytes() == OLD


def test_reading_a_part_spoils_no_later_request(server, scripted) -> None:
    server.answer = lambda _: as_object(b"x" * 5_000_000, "e")
    assert scripted.read_bytes("landing-zone", "a", etag="e", max_bytes=3) == b"xxx"
    server.answer = lambda _: as_object(b"yy", "f")
    assert scripted.read_bytes("landing-zone", "a", etag="f", max_bytes=3) == b"yy"


def test_an_object_without_etag_cannot_be_pinned(server, scripted, tmp_path) -> None:
    with pytest.raises(VaultRefusedError, match="no etag"):
        scripted.fetch_file("landing-zone", "a", etag="", target=tmp_path / "a")


def test_a_busy_server_is_asked_again(server, scripted) -> None:
    busy = iter([s3_error(503, "SlowDown"), s3_error(503, "SlowDown")])
    server.answer = lambda _: next(busy, as_object(OLD, "e"))
    assert scripted.stat("landing-zone", "a").size_bytes == len(OLD)
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (s3_error(503, "SlowDown"), VaultUnavailableError),
        (s3_error(500, "InternalError"), VaultUnavailableError),
        (s3_error(500, "InternalError", "oh: cause(is a directory)"), KeyConflictError),
        (s3_error(507, "XMinioStorageFull"), VaultRefusedError),
        (s3_error(500, "InternalError", "no space left on device"), VaultRefusedError),
        (Reply(status=502, body=b"<html>"), VaultUnavailableError),
        (s3_error(403, "AccessDenied"), VaultDeniedError),
        (s3_error(403, "RequestTimeTooSkewed"), VaultDeniedError),
        (s3_error(403, "InvalidAccessKeyId"), VaultCredentialsError),
        (s3_error(403, "SignatureDoesNotMatch"), VaultCredentialsError),
        (s3_error(404, "NoSuchBucket"), BucketMissingError),
        (s3_error(400, "EntityTooLarge"), VaultRefusedError),
        (Reply(status=400, body=b"HTTP request to an HTTPS server"), VaultConfigError),
    ],
)
def test_what_a_server_says_to_a_write_becomes_an_error_of_its_kind(
    server, scripted, reply, kind
) -> None:
    server.answer = lambda _: reply
    with pytest.raises(kind) as caught:
        scripted.put_bytes("landing-zone", "folder/a.bin", b"x")
    assert type(caught.value) is kind
    assert server.endpoint in str(caught.value)


def test_a_stranger_at_the_endpoint_is_a_matter_of_settings(server, scripted) -> None:
    server.answer = lambda _: Reply(body=b"It looks like you are trying to access something else")
    with pytest.raises(ConfigError, match="MINIO_ENDPOINT"):
        scripted.check()


def test_a_missing_object_is_none_but_a_missing_bucket_is_an_error(server, scripted) -> None:
    def only_the_bucket(request):
        return Reply(status=200 if request.path.strip("/") == "landing-zone" else 404)

    server.answer = only_the_bucket
    assert scripted.stat("landing-zone", "a") is None
    with pytest.raises(BucketMissingError, match="data-lake"):
        scripted.stat("data-lake", "a")


def test_a_server_that_is_not_there_is_given_up_within_seconds() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"127.0.0.1:{unused.getsockname()[1]}"
    started = time.monotonic()
    with pytest.raises(VaultUnavailableError, match=endpoint) as caught:
        vault_at(endpoint, timeout_s=30).check()
    assert time.monotonic() - started < 5
    assert isinstance(caught.value, TransientError)


def test_a_server_that_accepts_and_says_nothing_is_given_up() -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        started = time.monotonic()
        with pytest.raises(VaultUnavailableError, match="MINIO_TIMEOUT_S"):
            vault_at(f"127.0.0.1:{mute.getsockname()[1]}", timeout_s=0.5).stat("landing-zone", "a")
        assert time.monotonic() - started < 5


def test_an_unknown_host_is_a_matter_of_settings_at_the_check_only() -> None:
    vault = vault_at("no-such-host.invalid:9000")
    with pytest.raises(ConfigError, match=r"no-such-host\.invalid"):
        vault.check()
    with pytest.raises(VaultUnavailableError, match=r"no-such-host\.invalid"):
        vault.stat("landing-zone", "a")


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9000", "127.0.0.1:9000/path", "", "a:b"])
def test_a_malformed_endpoint_is_named_at_once(endpoint) -> None:
    with pytest.raises(ConfigError, match="MINIO_ENDPOINT"):
        vault_at(endpoint)


def test_no_secret_shows_in_errors_tracebacks_or_reprs_not_even_with_locals(
    server, scripted
) -> None:
    server.answer = lambda _: s3_error(403, "SignatureDoesNotMatch")
    with pytest.raises(OperatorError) as caught:
        scripted.put_bytes("landing-zone", "a", b"x")
    lines = traceback.TracebackException.from_exception(caught.value, capture_locals=True).format()
    text = "".join(lines) + repr(scripted) + repr(caught.value) + str(vars(scripted))
    assert "sign_v4_s3" in text or "_url_open" in text, "the SDK's frames are part of the traceback"
    assert SECRET not in text


HEAD_REPLY = (
    b'HTTP/1.1 200 OK\r\nContent-Length: 3000\r\nETag: "0123456789abcdef"\r\n'
    b"Last-Modified: Tue, 24 Nov 2026 04:14:17 GMT\r\nx-amz-meta-run: 4711\r\n\r\n"
)


@pytest.fixture
def cutting() -> Iterator[tuple[str, list[int]]]:
    """A server that answers each request with so many bytes of a reply, and hangs up."""
    listener = socket.create_server(("127.0.0.1", 0))
    cuts: list[int] = []

    def serve() -> None:
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            with line:
                line.recv(65536)
                line.sendall(HEAD_REPLY[: cuts.pop(0)] if cuts else HEAD_REPLY)

    Thread(target=serve, daemon=True).start()
    yield f"127.0.0.1:{listener.getsockname()[1]}", cuts
    listener.close()


EVERY_SEVENTH = range(1, len(HEAD_REPLY), 7)


@pytest.mark.parametrize("cut", [*EVERY_SEVENTH, len(HEAD_REPLY) - 2, len(HEAD_REPLY) - 1])
def test_half_a_header_is_never_taken_for_a_whole_one(cutting, cut):
    endpoint, cuts = cutting
    vault = vault_at(endpoint)
    cuts[:] = [cut]
    seen = vault.stat("lake", "a")
    assert (seen.etag, seen.size_bytes, seen.metadata) == (
        "0123456789abcdef", 3000, {"run": "4711"},
    )  # fmt: skip
    cuts[:] = [cut] * 9
    with pytest.raises(VaultUnavailableError):
        vault.stat("lake", "a")
