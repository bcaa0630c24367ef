"""A relay before the vault that counts: what readers ask for, and how much they get."""

from __future__ import annotations

import re
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_REQUEST = re.compile(rb"(?:\A|\r\n\r\n)(GET|HEAD) \S+ HTTP/1\.[01]\r\n")
_CHUNK_BYTES = 65_536


@dataclass
class Traffic:
    """What went through since the last `reset`."""

    gets: int = 0
    heads: int = 0
    received_bytes: int = 0
    """From the vault to the reader, headers included."""
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def reset(self) -> None:
        with self.lock:
            self.gets = self.heads = self.received_bytes = 0

    def asked(self, chunk: bytes) -> None:
        """Clients send a request whole and wait for its answer before the next."""
        found = _REQUEST.findall(chunk)
        with self.lock:
            self.gets += found.count(b"GET")
            self.heads += found.count(b"HEAD")

    def answered(self, chunk: bytes) -> None:
        with self.lock:
            self.received_bytes += len(chunk)


@contextmanager
def counting_relay(endpoint: str) -> Iterator[tuple[str, Traffic]]:
    """Yields the endpoint to ask instead, and the counts. Plain HTTP on loopback only."""
    host, _, port = endpoint.rpartition(":")
    traffic = Traffic()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection((host, int(port))) as upstream:
                back = threading.Thread(
                    target=_pump, args=(upstream, self.request, traffic.answered), daemon=True
                )
                back.start()
                _pump(self.request, upstream, traffic.asked)
                back.join()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}", traffic
        finally:
            server.shutdown()


def _pump(source: socket.socket, target: socket.socket, seen) -> None:  # noqa: ANN001  a bound method
    with suppress(OSError):
        while chunk := source.recv(_CHUNK_BYTES):
            seen(chunk)
            target.sendall(chunk)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
