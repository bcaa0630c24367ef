"""A TCP proxy that can do harm at the n-th call between one process and one store.

It decides nothing: a plan is asked at each call, before any byte of it is passed on. Where calls
begin and end is the business of `framing`; one connection's that of `relay`.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType

from tests.faults.framing import ProtocolName, conversation
from tests.faults.relay import (
    DELAY,
    DROP_AFTER,
    DROP_BEFORE,
    ERROR,
    HALF_CLOSE,
    PASS,
    Action,
    Call,
    Relay,
)

__all__ = [
    "DELAY",
    "DROP_AFTER",
    "DROP_BEFORE",
    "ERROR",
    "HALF_CLOSE",
    "PASS",
    "Action",
    "Call",
    "CallLog",
    "FaultProxy",
    "Plan",
    "pass_all",
]

Plan = Callable[[Call], Action]


def pass_all(_call: Call) -> Action:
    """The plan of a proxy that does no harm."""
    return PASS


class CallLog:
    """Numbers calls from 1. Proxies that share one number the calls to all their stores."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[Call] = []

    def add(self, name: str) -> Call:
        """The next call."""
        with self._lock:
            call = Call(len(self._calls) + 1, name)
            self._calls.append(call)
            return call

    @property
    def calls(self) -> list[Call]:
        """What has been called so far, in the order of the numbers."""
        with self._lock:
            return list(self._calls)

    @property
    def names(self) -> list[str]:
        """The names of the calls so far."""
        return [call.name for call in self.calls]


class FaultProxy:
    """Listens on a free port of 127.0.0.1 while it is entered.

    `plan` may block, kill or stop the client, and be replaced at any time. An exception in it, or
    bytes that are not the protocol, break off the connection and are raised at the end.
    """

    def __init__(
        self,
        protocol: ProtocolName,
        upstream_host: str,
        upstream_port: int,
        plan: Plan = pass_all,
        log: CallLog | None = None,
    ) -> None:
        self._protocol = protocol
        self._upstream = (upstream_host, upstream_port)
        self.plan = plan
        self.log = log or CallLog()
        self.host = "127.0.0.1"
        self._flowing = threading.Event()
        self._flowing.set()
        self._refusing = False
        self._lock = threading.Lock()
        self._relays: set[Relay] = set()
        self._failures: list[Exception] = []

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def address(self) -> str:
        """host:port."""
        return f"{self.host}:{self.port}"

    @property
    def open_connections(self) -> int:
        """How many connections of clients it carries now."""
        with self._lock:
            return len(self._relays)

    def __enter__(self) -> FaultProxy:
        self._listener = socket.create_server((self.host, 0), backlog=128)
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._refusing = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread, which a close would not
        self._accepting.join()
        self._listener.close()
        self.cut()
        if error is None and self._failures:
            raise self._failures[0]

    def cut(self) -> None:
        """Break off all connections; close new ones as soon as they come."""
        with self._lock:
            self._refusing = True
            relays = list(self._relays)
        for relay in relays:
            relay.break_off()

    def mend(self) -> None:
        """Take new connections again."""
        self._refusing = False

    def stall(self) -> None:
        """Take connections and keep them, but pass no byte either way."""
        self._flowing.clear()

    def resume(self) -> None:
        """Pass on what has come meanwhile, and all that comes."""
        self._flowing.set()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # the listener was shut down
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        if self._refusing:
            client.close()
            return
        try:
            server = socket.create_connection(self._upstream, timeout=10)
        except OSError:  # a store that is away is no failure here: it is what the client sees
            client.close()
            return
        server.settimeout(None)
        relay = Relay(
            client,
            server,
            conversation(self._protocol),
            self._decide,
            self._flowing,
            self._failures.append,
        )
        with self._lock:
            refused = self._refusing
            if not refused:
                self._relays.add(relay)
        if refused:
            relay.close()
            return
        try:
            relay.run()
        finally:
            with self._lock:
                self._relays.discard(relay)

    def _decide(self, name: str) -> Action:
        return self.plan(self.log.add(name))
