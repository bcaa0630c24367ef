"""The words between the vector reader and its child: a JSON frame, an Arrow IPC stream, a frame.

Both sides import it, so it imports nothing that costs. Reading and checking what came is the
reader's business.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO

MAX_FRAME_BYTES = 16 * 2**20
MAX_BATCH_ROWS = 16_384
"""Both sides hold several batches: with four times as many rows, both together took 300 MB more."""
MAX_BATCH_BYTES = 32 * 2**20
"""Above this a batch is cut, so that neither side holds much more than a few of them."""

PROBLEM_MARK = "@problem "
"""Begins the line of the error output on which the child says what is wrong with the file."""
EXIT_PROBLEM = 3


@dataclass(frozen=True)
class Request:
    """What the child is to read."""

    path: str
    format: str
    """The name in the manifest, a key of `READINGS`, or `Parquet`."""
    layer: str | None

    def to_argument(self) -> str:
        """One argument of a command line; it holds no secret."""
        return json.dumps({"path": self.path, "format": self.format, "layer": self.layer})

    @classmethod
    def from_argument(cls, argument: str) -> Request:
        return cls(**json.loads(argument))


class FileProblemError(Exception):
    """In the child: the file is at fault. The parent makes an InputError of it."""

    def __init__(self, what: str, cure: str) -> None:
        self.what, self.cure = what, cure
        super().__init__(what)


def write_frame(out: IO[bytes], content: Mapping[str, object]) -> None:
    """Write its length, four bytes big-endian, and JSON."""
    data = json.dumps(content).encode()
    out.write(struct.pack(">I", len(data)) + data)
    out.flush()


def read_frame(source: IO[bytes]) -> bytes | None:
    """The JSON of the next frame; None: the stream ended before it was whole."""
    head = source.read(4)
    if len(head) < 4:
        return None
    (size,) = struct.unpack(">I", head)
    if size > MAX_FRAME_BYTES:
        return None
    data = source.read(size)
    return data if len(data) == size else None
