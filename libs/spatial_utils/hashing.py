"""The SHA-256 of a file, in pieces; what it is compared with is its caller's business."""

from __future__ import annotations

import hashlib
from pathlib import Path

PIECE_BYTES = 2**20


def sha256_of_file(path: Path) -> str:
    """64 hexadecimal digits; memory does not grow with the file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()
