"""A file's SHA-256, while it is written and afterwards; compared with hashlib over all of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from libs.spatial_utils.hashing import PIECE_BYTES, FollowingHash, sha256_of_file

PIECES = (b"", b"a", bytes(PIECE_BYTES), b"b" * (2 * PIECE_BYTES + 7), b"the end")


@pytest.mark.parametrize("count", range(len(PIECES) + 1))
def test_a_file_that_grows_meanwhile(tmp_path: Path, count: int) -> None:
    path = tmp_path / "grows"
    with path.open("wb", buffering=0) as file, FollowingHash(path) as hashing:
        for piece in PIECES[:count]:
            file.write(piece)
            hashing.follow()
        file.write(b"what nobody announced")
        found = hashing.hexdigest()
    whole = b"".join(PIECES[:count]) + b"what nobody announced"
    assert found == hashlib.sha256(whole).hexdigest() == sha256_of_file(path)


def test_what_failed_on_the_way_is_no_hash(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    with FollowingHash(path) as hashing:
        hashing._file.close()
        hashing.follow()
        hashing._file = path.open("rb", buffering=0)
        with pytest.raises(ValueError, match="closed file"):
            hashing.hexdigest()
