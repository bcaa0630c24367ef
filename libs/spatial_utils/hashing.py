"""The SHA-256 of a file, in pieces; what it is compared with is its caller's business."""

from __future__ import annotations

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

PIECE_BYTES = 2**20


def sha256_of_file(path: Path) -> str:
    """64 hexadecimal digits; memory does not grow with the file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        _read_on(file, digest)
    return digest.hexdigest()


class FollowingHash:
    """The SHA-256 of a file to which somebody only appends, made in a thread of its own meanwhile.

    So that a core which the writer leaves idle has the hash ready when the file is.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self._digest = hashlib.sha256()
        self._thread = ThreadPoolExecutor(1, "sha256")
        self._readings: list[Future[None]] = []

    def follow(self) -> None:
        """Read on to where the file ends now. Does not wait for it."""
        self._readings.append(self._thread.submit(_read_on, self._file, self._digest))

    def hexdigest(self) -> str:
        """64 hexadecimal digits, of all there is; memory does not grow with the file.

        Raises:
            OSError: the file cannot be read.
        """
        self.follow()
        for reading in self._readings:
            reading.result()
        return self._digest.hexdigest()

    def __enter__(self) -> FollowingHash:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()
        self._file.close()


def _read_on(file: BinaryIO, digest: hashlib._Hash) -> None:
    while piece := file.read(PIECE_BYTES):
        digest.update(piece)
