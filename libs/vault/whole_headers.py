"""HTTP connections that never take half a reply's header for a whole one.

Python's `http.client` reads a header up to an empty line or the end of the stream, and says nothing
of the difference. Half an etag would look like that of another object, and an upload that nobody
touched as replaced.
"""

from __future__ import annotations

import http.client
import io

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection


class HeaderCutShortError(http.client.HTTPException):
    """The connection ended inside a header; urllib3 tries again as after any broken connection."""


class _LastLine(io.BufferedReader):
    """A reply's stream that remembers what the last `readline` gave."""

    line = b""

    def readline(self, size: int | None = -1, /) -> bytes:
        self.line = super().readline(size)
        return self.line


class _Response(http.client.HTTPResponse):
    def begin(self) -> None:
        """Read the header, to its end."""
        watched = self.fp = _LastLine(self.fp.detach())
        try:
            super().begin()
        except http.client.BadStatusLine:
            if not watched.line or watched.line.endswith(b"\n"):  # no answer at all, or no HTTP
                raise
        if not watched.line.endswith(b"\n"):
            self.close()
            raise HeaderCutShortError("the connection ended inside the header of a reply")


class _Connection(HTTPConnection):
    response_class = _Response


class _SecureConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


def require_whole_headers(pool: PoolManager) -> PoolManager:
    """Let a pool make such connections."""
    pool.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
    return pool
