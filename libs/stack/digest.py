"""One hash over the project's own code, to see that it changed. Knows nothing of what it does."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from libs.stack.paths import PROJECT


def code_digest(patterns: Iterable[str], *, also: str = "") -> str:
    """SHA-256 over the files that the patterns name, below the project, and over `also`."""
    digest = hashlib.sha256(also.encode())
    for path in sorted({path for pattern in patterns for path in PROJECT.glob(pattern)}):
        digest.update(f"{path.relative_to(PROJECT)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
