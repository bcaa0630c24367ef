"""PostgreSQL's protocol 3: calls end with Query, Sync or the end of a COPY; replies when ready.

A COPY from the client is two calls: the statement, answered by CopyInResponse, and the rows. What
a client still sends of a COPY that the server has given up belongs to no call. A connection that
goes over to TLS is passed on unread, and nothing on it counts.
"""

from __future__ import annotations

import re
import struct
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from tests.faults.framing import Exchange, FramingError, Piece

_UNTYPED = struct.Struct(">ii")
_TYPED = struct.Struct(">ci")
_LARGEST_STARTUP_BYTES = 100_000
_PROTOCOL, _CANCEL, _SSL, _GSS = 3, 80877102, 80877103, 80877104
_ENOUGH_FOR_A_NAME_BYTES = 4096
_NAME_CHARACTERS = 60
_NO_CALLS = b"pXH"
"""Passwords (SASL too), Terminate, and a Flush behind the end of a call."""
_ENDS_OF_CALLS = b"QSF"
_COPY_DATA, _COPY_ENDS = b"dcf", b"cf"
_COPY_TAGS = (b"d", b"c", b"f")
_READY, _COPY_IN = b"Z", b"GW"
_OTHER_NAMES = {b"E": "execute", b"C": "close", b"S": "sync", b"F": "function call"}


class _Run(NamedTuple):
    """Bytes of one or many messages."""

    data: memoryview
    begun: list[tuple[bytes, int]]
    """Type and place of each message that begins in them."""
    last: bytes
    """The type of the message that ends with them and was to be stopped at; else nothing."""


class _Messages:
    """Cuts one direction into runs of typed messages, whose bodies stream."""

    def __init__(self, enough: int) -> None:
        self._enough = enough  # of a message must have come before it begins
        self._begun = b""
        self._left = 0
        self._kind = b""

    def runs(self, data: bytes, stops: bytes) -> Iterator[_Run]:
        """All bytes, cut behind each message of a type in `stops`."""
        view = memoryview(self._begun + data if self._begun else data)
        self._begun = b""
        start = at = 0
        begun: list[tuple[bytes, int]] = []
        while at < len(view):
            if not self._left:
                kind, length = self._header(view, at)
                if not length:
                    self._begun = bytes(view[at:])
                    break
                self._kind, self._left = kind, length + 1
                begun.append((kind, at - start))
            step = min(self._left, len(view) - at)
            self._left -= step
            at += step
            if not self._left and self._kind in stops:
                yield _Run(view[start:at], begun, self._kind)
                start, begun = at, []
        if at > start:
            yield _Run(view[start:at], begun, b"")

    def _header(self, view: memoryview, at: int) -> tuple[bytes, int]:
        """Type and length; length 0: not enough of it is here."""
        here = len(view) - at
        if here < _TYPED.size:
            return b"", 0
        kind, length = _TYPED.unpack_from(view, at)
        if length < 4:
            raise FramingError(f"PostgreSQL: a message {kind!r} cannot have {length} bytes.")
        return (kind, length) if here >= min(length + 1, self._enough) else (b"", 0)


class PostgresConversation:
    """Calls in turn, many of which may be under way at once."""

    label = "compute"
    ends_after_error = True

    def __init__(self) -> None:
        self._up, self._down = _Messages(_ENOUGH_FOR_A_NAME_BYTES), _Messages(0)
        self._startup = b""
        self._started = False
        self._one_byte_answers = 0
        self._opaque = False
        self._statements: dict[bytes, str] = {}
        self._open: Exchange | None = None
        self._waiting: deque[Exchange] = deque()  # appended by one thread, taken by the other
        # Set before the client can know of it, so that its rows always find it set.
        self._copy: Exchange | None = None

    def requests(self, data: bytes) -> Iterator[Piece]:
        """The client's next bytes."""
        if not self._started and not self._opaque:
            for message in self._startup_messages(data):
                yield Piece(message)
            if not self._started:
                return
            data, self._startup = self._startup, b""
        if self._opaque:
            yield Piece(data)
            return
        copy = self._copy
        ends = _ENDS_OF_CALLS + (b"" if copy and copy.tag != b"Q" else _COPY_ENDS)
        if copy is None and self._open and self._open.tag in _COPY_TAGS:
            self._open = None
        for run in self._up.runs(data, ends + _NO_CALLS + (b"" if copy else _COPY_DATA)):
            self._remember_statements(run)
            begins = self._open is None and self._begin(run)
            exchange, over = self._open, bool(run.last) and run.last in ends
            if over:
                self._open = None
            yield Piece(run.data, exchange, begins, over)

    def _startup_messages(self, data: bytes) -> Iterator[bytes]:
        """The messages without a type, of which StartupMessage is the last."""
        self._startup += data
        while not self._started and len(self._startup) >= _UNTYPED.size:
            length, code = _UNTYPED.unpack_from(self._startup)
            if not _UNTYPED.size <= length <= _LARGEST_STARTUP_BYTES:
                raise FramingError(f"PostgreSQL: a first message cannot have {length} bytes.")
            if len(self._startup) < length:
                return
            message, self._startup = self._startup[:length], self._startup[length:]
            if code in (_SSL, _GSS):
                self._one_byte_answers += 1
            elif code == _CANCEL or code >> 16 == _PROTOCOL:
                self._started = True
            else:
                raise FramingError(f"PostgreSQL: unknown version {code >> 16}.{code & 0xFFFF}.")
            yield message

    def _begin(self, run: _Run) -> bool:
        """Whether the run begins a call; makes it."""
        if not run.begun:
            return False
        kind, at = run.begun[0]
        if kind in _NO_CALLS or (kind in _COPY_DATA and self._copy is None):
            return False
        self._open = Exchange(self._name(kind, bytes(run.data[at + 5 : at + 5 + 4096])), tag=kind)
        self._waiting.append(self._open)
        return True

    def _remember_statements(self, run: _Run) -> None:
        for kind, at in run.begun:
            if kind == b"P":
                body = bytes(run.data[at + 5 : at + 5 + _ENOUGH_FOR_A_NAME_BYTES])
                statement, _, text = body.partition(b"\0")
                self._statements[statement] = _first_words(text)

    def _name(self, kind: bytes, body: bytes) -> str:
        if kind == b"Q":
            return _first_words(body)
        if kind == b"P":
            return self._statements[body.partition(b"\0")[0]]
        if kind == b"B":
            return self._statements.get(body.split(b"\0")[1], "bind")
        if kind == b"D" and body[:1] == b"S":
            statement = self._statements.get(body[1:].partition(b"\0")[0], "")
            return f"describe {statement}".rstrip()
        if kind in _COPY_DATA:
            return f"rows of {self._copy.name if self._copy else 'COPY'}"
        return _OTHER_NAMES.get(kind, f"message {kind!r}")

    def replies(self, data: bytes) -> Iterator[Piece]:
        """The server's next bytes."""
        while self._one_byte_answers and data and not self._opaque:
            self._one_byte_answers -= 1
            answer, data = data[:1], data[1:]
            self._opaque = answer in (b"S", b"G")
            yield Piece(answer)
        if self._opaque:
            if data:
                yield Piece(data)
            return
        for run in self._down.runs(data, _READY + _COPY_IN):
            # A reader takes no harm from the order: a call is put in before it is passed on.
            exchange = self._waiting[0] if self._waiting else None
            if run.last and exchange is not None:
                self._waiting.popleft()
            if run.last:
                self._copy = exchange if run.last in _COPY_IN else None
            yield Piece(run.data, exchange, ends=bool(run.last))

    def forget(self, exchange: Exchange) -> None:
        """No reply is expected."""
        self._waiting.remove(exchange)

    def error_reply(self, exchange: Exchange) -> bytes:
        """FATAL, as a server says it that somebody stops."""
        fields = b"".join(
            kind + text + b"\0"
            for kind, text in (
                (b"S", b"FATAL"),
                (b"V", b"FATAL"),
                (b"C", b"57P01"),
                (b"M", b"terminating connection due to administrator command"),
            )
        )
        return _TYPED.pack(b"E", 4 + len(fields) + 1) + fields + b"\0"


def _first_words(text: bytes) -> str:
    """The beginning of a statement that ends with a zero byte, on one line."""
    words = re.sub(r"\s+", " ", text.partition(b"\0")[0].decode("utf-8", "replace")).strip()
    if len(words) <= _NAME_CHARACTERS:
        return words or "empty query"
    return words[: _NAME_CHARACTERS - 1].rstrip() + "…"
