"""The watcher's HTTP side: `/metrics`, `/healthz`, `/readyz`. Reads, and lets nobody do anything.

Nothing here asks a server of the platform, so that a scrape costs nothing and never waits.
"""

from __future__ import annotations

import json
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from libs.monitor.watch import Watch

_AT_ONCE = 16
"""Connections; a further one is closed unheard."""
_PATIENCE_S = 10.0
"""For a request to come, and for its answer to be taken."""
_JSON = "application/json"


class MetricsServer(ThreadingHTTPServer):
    """Serves until `shutdown`."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], registry: CollectorRegistry, watch: Watch) -> None:
        self.registry = registry
        self.watch = watch
        self._room = threading.BoundedSemaphore(_AT_ONCE)
        super().__init__(address, _Handler)

    def process_request(self, request: socket, client_address: object) -> None:  # type: ignore[override]
        """Answer in a thread, as long as there is room for one."""
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: socket, client_address: object) -> None:  # type: ignore[override]
        """The thread's work."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """Somebody hung up: no reason for a stack trace in the log."""


class _Handler(BaseHTTPRequestHandler):
    server: MetricsServer
    timeout = _PATIENCE_S
    server_version = "spatial-etl"
    sys_version = ""

    def do_GET(self) -> None:
        """One of three pages."""
        pages = {"/metrics": self._metrics, "/healthz": self._alive, "/readyz": self._ready}
        page = pages.get(self.path.partition("?")[0])
        if page is None:
            self._answer(HTTPStatus.NOT_FOUND, {"pages": sorted(pages)})
        else:
            page()

    def _metrics(self) -> None:
        encode, kind = choose_encoder(self.headers.get("Accept", ""))
        self._send(HTTPStatus.OK, encode(self.server.registry), kind)

    def _alive(self) -> None:
        stuck = self.server.watch.is_stuck
        status = HTTPStatus.SERVICE_UNAVAILABLE if stuck else HTTPStatus.OK
        self._answer(status, {"status": "a look hangs" if stuck else "alive"})

    def _ready(self) -> None:
        watch = self.server.watch
        verdicts, now = watch.verdicts, time.time()
        is_fresh = watch.has_looked and not watch.is_stuck
        ready = is_fresh and all(one.problem is None for one in verdicts)
        servers = {
            one.server: {
                "up": one.problem is None,
                "problem": one.problem,
                "looked_s_ago": round(now - one.at, 1),
            }
            for one in verdicts
        }
        status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        self._answer(status, {"status": "ready" if ready else "not ready", "servers": servers})

    def _answer(self, status: HTTPStatus, content: dict[str, object]) -> None:
        self._send(status, (json.dumps(content, indent=1) + "\n").encode(), _JSON)

    def _send(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """A scrape every few seconds is no news."""
