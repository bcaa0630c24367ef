"""MongoDB's wire protocol: one message, one reply that names it. Knows no command but its name."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import bson

from tests.faults.framing import Exchange, FramingError, Piece

_HEADER = struct.Struct("<iiii")  # length, request id, response to, kind of message
_HEADER_BYTES = _HEADER.size
_LARGEST_MESSAGE_BYTES = 64 * 2**20
_ENOUGH_FOR_A_NAME_BYTES = 1024
_OP_QUERY, _OP_COMPRESSED, _OP_MSG = 2004, 2012, 2013
_MORE_TO_COME = 2
_STRING = 2
_NO_CALLS = frozenset(
    {"hello", "ismaster", "ping", "saslstart", "saslcontinue", "endsessions", "killcursors"}
)
"""In lower case: what a driver says by itself, when it likes."""


class _Stream:
    """Cuts one direction into messages; the beginning of each comes in one piece."""

    def __init__(self) -> None:
        self._begun = bytearray()
        self._left = 0
        self.exchange: Exchange | None = None

    def messages(self, data: bytes, enough: int) -> Iterator[tuple[memoryview, bool, bool]]:
        """Bytes, whether a message begins with them (and has `enough` of it), whether it ends."""
        left = memoryview(data)
        if self._begun:
            self._begun += left
            left, self._begun = memoryview(bytes(self._begun)), bytearray()
        while left:
            begins = self._left == 0
            if begins and not self._has_a_beginning(left, enough):
                self._begun += left
                return
            if begins:
                self._left = _length(left)
            piece, left = left[: self._left], left[self._left :]
            self._left -= len(piece)
            yield piece, begins, self._left == 0

    @staticmethod
    def _has_a_beginning(left: memoryview, enough: int) -> bool:
        if len(left) < _HEADER_BYTES:
            return False
        length, _, _, kind = _HEADER.unpack_from(left)
        first_section = bytes(left[20:21])
        whole = kind == _OP_COMPRESSED or (kind == _OP_MSG and first_section > b"\0")
        needed = length if whole else min(length, enough)
        return len(left) >= int(needed)


class MongoConversation:
    """Calls by their request ids."""

    label = "ledger"
    ends_after_error = False

    def __init__(self) -> None:
        self._up, self._down = _Stream(), _Stream()
        self._waiting: dict[int, Exchange] = {}  # put in by one thread, taken out by the other

    def requests(self, data: bytes) -> Iterator[Piece]:
        """The client's next bytes."""
        for piece, begins, ends in self._up.messages(data, _ENOUGH_FOR_A_NAME_BYTES):
            if begins:
                self._up.exchange = self._begin(piece)
            exchange = self._up.exchange
            yield Piece(piece, exchange, begins and exchange is not None, ends)

    def _begin(self, message: memoryview) -> Exchange | None:
        _, request_id, _, kind = _HEADER.unpack_from(message)
        body = bytes(message[_HEADER_BYTES:])
        if kind == _OP_COMPRESSED:
            kind, body = _decompressed(body)
        command, on = _command(kind, body)
        if command is None or command.lower() in _NO_CALLS:
            return None
        exchange = Exchange(f"{command} {on}" if on else command, tag=request_id)
        answered = not (kind == _OP_MSG and int.from_bytes(body[:4], "little") & _MORE_TO_COME)
        if answered:
            self._waiting[request_id] = exchange
        return exchange

    def replies(self, data: bytes) -> Iterator[Piece]:
        """The server's next bytes."""
        for piece, begins, ends in self._down.messages(data, _HEADER_BYTES):
            if begins:
                _, _, response_to, _ = _HEADER.unpack_from(piece)
                self._down.exchange = self._waiting.pop(response_to, None)
            yield Piece(piece, self._down.exchange, ends=ends)

    def forget(self, exchange: Exchange) -> None:
        """No reply is expected."""
        assert isinstance(exchange.tag, int)
        self._waiting.pop(exchange.tag, None)

    def error_reply(self, exchange: Exchange) -> bytes:
        """An OP_MSG that says that the server is going down."""
        assert isinstance(exchange.tag, int)
        document = bson.encode(
            {
                "ok": 0.0,
                "errmsg": "The server is in quiesce mode and will shut down",
                "code": 91,
                "codeName": "ShutdownInProgress",
            }
        )
        body = b"\0\0\0\0" + b"\0" + document
        return _HEADER.pack(_HEADER_BYTES + len(body), 1, exchange.tag, _OP_MSG) + body


def _length(message: memoryview) -> int:
    length = int.from_bytes(message[:4], "little", signed=True)
    if not _HEADER_BYTES <= length <= _LARGEST_MESSAGE_BYTES:
        raise FramingError(f"MongoDB: a message cannot have {length} bytes.")
    return length


def _decompressed(body: bytes) -> tuple[int, bytes]:
    """The kind and the body of the message inside; of snappy and zstd only the kind."""
    kind, _, compressor = struct.unpack_from("<iiB", body)
    packed = body[9:]
    if compressor == 2:
        return kind, zlib.decompress(packed)
    return kind, packed if compressor == 0 else b""


def _command(kind: int, body: bytes) -> tuple[str | None, str]:
    """The command and what it works on, where that is said; None where this cannot be a call."""
    if kind == _OP_MSG:
        return _first_key(body, _document_at(body)) if body else ("compressed", "")
    if kind == _OP_QUERY:
        return _first_key(body, body.index(b"\0", 4) + 1 + 8)
    return None, ""


def _document_at(body: bytes) -> int:
    """Where the section of kind 0 has its document; sequences (kind 1) may come before it."""
    at = 4
    while body[at]:
        at += 1 + int.from_bytes(body[at + 1 : at + 5], "little")
    return at + 1


def _first_key(body: bytes, at: int) -> tuple[str, str]:
    kind = body[at + 4]
    end = body.index(b"\0", at + 5)
    value = body[end + 5 : body.find(b"\0", end + 5)] if kind == _STRING else b""
    return body[at + 5 : end].decode(), value.decode()
