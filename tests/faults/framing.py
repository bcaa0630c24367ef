"""Where a call begins and where its reply ends, in the bytes of a connection. Opens no socket.

A call is one request of a client: an HTTP request, a MongoDB command, or a PostgreSQL message that
the server answers with ReadyForQuery. The three protocols are in the modules beside this one. What
they hand out are pieces of the bytes that came in, so that a large body is never held.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, TypeAlias

Bytes: TypeAlias = bytes | bytearray | memoryview
ProtocolName = Literal["http", "mongodb", "postgresql"]


class FramingError(Exception):
    """The bytes are not the protocol that the proxy was told to expect."""


@dataclass(eq=False)
class Exchange:
    """One call and its reply on one connection; two of them are never equal."""

    name: str
    tag: object = None
    """What the protocol needs to know its reply by."""


class Piece(NamedTuple):
    """Some bytes of a stream, and the call they belong to (None: to no call; pass them on)."""

    data: Bytes
    exchange: Exchange | None = None
    begins: bool = False
    ends: bool = False


class Conversation(Protocol):
    """One connection's two streams. One thread feeds the requests, another one the replies."""

    label: str
    """The store, as calls are named after it."""
    ends_after_error: bool
    """Whether the server of this protocol hangs up after the error of `error_reply`."""

    def requests(self, data: bytes) -> Iterator[Piece]:
        """The client's next bytes; the piece that begins a call has its whole header."""

    def replies(self, data: bytes) -> Iterator[Piece]:
        """The server's next bytes."""

    def forget(self, exchange: Exchange) -> None:
        """This call is not passed on, so that no reply to it is expected."""

    def error_reply(self, exchange: Exchange) -> bytes:
        """What a server answers that cannot carry out the call now."""


def conversation(protocol: ProtocolName) -> Conversation:
    """The framing of a new connection."""
    from tests.faults.framing_http import HttpConversation
    from tests.faults.framing_mongodb import MongoConversation
    from tests.faults.framing_postgresql import PostgresConversation

    kinds: dict[str, type[Conversation]] = {
        "http": HttpConversation,
        "mongodb": MongoConversation,
        "postgresql": PostgresConversation,
    }
    return kinds[protocol]()
