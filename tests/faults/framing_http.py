"""HTTP/1.1 as S3 clients speak it: requests and replies, their bodies by length or in chunks."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Protocol
from urllib.parse import parse_qsl, unquote

from tests.faults.framing import Exchange, FramingError, Piece

_END_OF_HEAD = b"\r\n\r\n"
_LARGEST_HEAD_BYTES = 2**20
_TELLING_PARAMETERS = ("partNumber", "prefix")
"""Query parameters whose values are part of a call's name; others may be long, random or secret."""


class _Body(Protocol):
    done: bool

    def take(self, data: memoryview) -> int:
        """How many of these bytes belong to the body."""


class _SizedBody:
    """A body whose length is known; 0: none."""

    def __init__(self, size: int) -> None:
        self._left = size
        self.done = size == 0

    def take(self, data: memoryview) -> int:
        taken = min(self._left, len(data))
        self._left -= taken
        self.done = self._left == 0
        return taken


class _BodyUntilTheEnd:
    """A reply's body without a length: it ends with the connection."""

    done = False

    def take(self, data: memoryview) -> int:
        return len(data)


class _ChunkedBody:
    """Lines that say how many bytes follow, and trailers after the chunk of size 0."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._data_left = 0
        self._in_trailers = False
        self.done = False

    def take(self, data: memoryview) -> int:
        at = 0
        while at < len(data) and not self.done:
            if self._data_left:
                step = min(self._data_left, len(data) - at)
                self._data_left -= step
                at += step
            else:
                at = self._take_line(data, at)
        return at

    def _take_line(self, data: memoryview, at: int) -> int:
        end = bytes(data[at : at + 4096]).find(b"\n")
        stop = at + 4096 if end < 0 else at + end + 1
        self._line += data[at:stop]
        if len(self._line) > _LARGEST_HEAD_BYTES:
            raise FramingError("HTTP: the line of a chunk's size has no end.")
        if end >= 0:
            line, self._line = bytes(self._line).strip(), bytearray()
            self._line_ended(line)
        return min(stop, len(data))

    def _line_ended(self, line: bytes) -> None:
        if self._in_trailers:
            self.done = not line
            return
        size = int(line.partition(b";")[0], 16)
        self._in_trailers = size == 0
        self._data_left = size + 2 if size else 0  # with the line's end behind the data


class _Head:
    """The lines before a body."""

    def __init__(self, raw: bytes) -> None:
        lines = raw.decode("latin-1").strip("\r\n").split("\r\n")
        self.first = lines[0].split(" ", 2)
        if len(self.first) < 2 or "HTTP/" not in lines[0]:
            raise FramingError(f"HTTP: not the first line of a message: {lines[0][:80]!r}.")
        pairs = (line.partition(":") for line in lines[1:])
        self.fields = {name.strip().lower(): value.strip() for name, _, value in pairs}

    def sized_body(self) -> _Body | None:
        """The body that the header announces; None: it says nothing about one."""
        if "chunked" in self.fields.get("transfer-encoding", "").lower():
            return _ChunkedBody()
        length = self.fields.get("content-length")
        return _SizedBody(int(length)) if length is not None else None


class _Stream:
    """Cuts one direction into heads and bodies."""

    def __init__(self) -> None:
        self._head = bytearray()
        self.body: _Body | None = None

    def whole_head(self, data: memoryview) -> tuple[bytes | None, memoryview]:
        """The head, once it is complete, and the bytes that are left."""
        begin = max(len(self._head) - 3, 0)
        self._head += data
        end = self._head.find(_END_OF_HEAD, begin)
        if end < 0:
            if len(self._head) > _LARGEST_HEAD_BYTES:
                raise FramingError("HTTP: a header has no end.")
            return None, data[:0]
        end += len(_END_OF_HEAD)
        raw, rest = bytes(self._head[:end]), bytes(self._head[end:])
        self._head = bytearray()
        return raw, memoryview(rest)

    def body_piece(self, data: memoryview) -> tuple[memoryview, bool, memoryview]:
        """The bytes of the body, whether it ends with them, and the bytes that are left."""
        assert self.body is not None
        taken = self.body.take(data)
        done = self.body.done
        if done:
            self.body = None
        return data[:taken], done, data[taken:]


class HttpConversation:
    """Requests and replies in turn, on a connection that may be kept."""

    label = "vault"
    ends_after_error = False

    def __init__(self) -> None:
        self._up, self._down = _Stream(), _Stream()
        self._request: Exchange | None = None
        self._reply: Exchange | None = None
        self._waiting: deque[Exchange] = deque()  # appended by one thread, taken by the other

    def requests(self, data: bytes) -> Iterator[Piece]:
        """The client's next bytes."""
        left = memoryview(data)
        while left:
            if self._up.body is not None:
                piece, done, left = self._up.body_piece(left)
                yield Piece(piece, self._request, ends=done)
                continue
            raw, left = self._up.whole_head(left)
            if raw is not None:
                head = _Head(raw)
                self._request = Exchange(_name(head), tag=head)
                self._waiting.append(self._request)
                body = head.sized_body() or _SizedBody(0)
                self._up.body = None if body.done else body
                yield Piece(raw, self._request, begins=True, ends=body.done)

    def replies(self, data: bytes) -> Iterator[Piece]:
        """The server's next bytes; interim answers (100 Continue) belong to no call."""
        left = memoryview(data)
        while left:
            if self._down.body is not None:
                piece, done, left = self._down.body_piece(left)
                yield Piece(piece, self._reply, ends=done)
                continue
            raw, left = self._down.whole_head(left)
            if raw is not None:
                yield self._reply_begins(raw)

    def _reply_begins(self, raw: bytes) -> Piece:
        head = _Head(raw)
        status = int(head.first[1])
        if 100 <= status < 200 or not self._waiting:
            return Piece(raw)
        self._reply = self._waiting.popleft()
        if status in (204, 304) or _method(self._reply) == "HEAD":
            body: _Body = _SizedBody(0)
        else:
            body = head.sized_body() or _BodyUntilTheEnd()
        self._down.body = None if body.done else body
        return Piece(raw, self._reply, ends=body.done)

    def forget(self, exchange: Exchange) -> None:
        """No reply is expected."""
        self._waiting.remove(exchange)

    def error_reply(self, exchange: Exchange) -> bytes:
        """503, as S3 says it; a HEAD gets no words."""
        body = (
            b'<?xml version="1.0" encoding="UTF-8"?>\n'
            b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message>"
            b"<RequestId>fault</RequestId><HostId>fault</HostId></Error>"
        )
        head = (
            "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/xml\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode()
        return head if _method(exchange) == "HEAD" else head + body


def _method(exchange: Exchange) -> str:
    assert isinstance(exchange.tag, _Head)
    return exchange.tag.first[0]


def _name(head: _Head) -> str:
    path, _, query = head.first[1].partition("?")
    words = [
        f"{key}={value}" if key in _TELLING_PARAMETERS and value else key
        for key, value in parse_qsl(query, keep_blank_values=True)
        if not key.startswith("X-Amz-")
    ]
    return f"{head.first[0]} {unquote(path)}{'?' if words else ''}{'&'.join(words)}"
