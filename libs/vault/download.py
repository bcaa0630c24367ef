"""Reads the body of a response: hashed as it comes, at most so many bytes, whole or not at all."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from urllib3 import BaseHTTPResponse

from libs.vault.errors import ObjectTooLargeError, Place, VaultUnavailableError
from libs.vault.objects import FetchedObject

CHUNK_BYTES = 2**20
WRITE_BYTES = 2**17
"""Hashed and written at once. A large write takes large pieces of free memory, and those are what a
virtual machine's host has taken back: 1.7 GB took 1.5 to 4.6 s by the MiB, and 1.5 to 2.3 s so."""


def chunks(response: BaseHTTPResponse, place: Place, max_bytes: int | None) -> Iterator[bytes]:
    """The body as it is stored, in pieces of at most 1 MiB.

    Raises:
        ObjectTooLargeError: there are more than `max_bytes`.
        VaultUnavailableError: there are fewer than the server announced.
    """
    announced = response.headers.get("content-length")
    received = 0
    # A Content-Encoding of the object is the uploader's: what is stored is not to be unpacked.
    for chunk in response.stream(CHUNK_BYTES, decode_content=False):
        received += len(chunk)
        if max_bytes is not None and received > max_bytes:
            raise ObjectTooLargeError.at(place, max_bytes)
        yield chunk
    if announced is not None and received != int(announced):
        raise VaultUnavailableError(place, f"{received} of {announced} bytes came")


def first_bytes(response: BaseHTTPResponse, place: Place, max_bytes: int) -> bytes:
    """The first `max_bytes` bytes, or all where there are fewer."""
    taken = bytearray()
    for chunk in chunks(response, place, None):
        taken += chunk
        if len(taken) >= max_bytes:
            break
    return bytes(taken[:max_bytes])


def hashed(pieces: Iterator[bytes], sink: BinaryIO | None = None) -> FetchedObject:
    """SHA-256 and size of the pieces, which go to `sink` on the way."""
    digest = hashlib.sha256()
    size = 0
    for piece in pieces:
        size += len(piece)
        for start in range(0, len(piece), WRITE_BYTES):
            part = memoryview(piece)[start : start + WRITE_BYTES]
            digest.update(part)
            if sink is not None:
                sink.write(part)
    return FetchedObject(sha256=digest.hexdigest(), size_bytes=size)


@contextmanager
def new_file(target: Path) -> Iterator[BinaryIO]:
    """A file that takes the target's name when the block ends well, and is gone otherwise.

    Only its owner can read it.
    """
    handle, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=target.parent)
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
