"""Tells how far a long piece of work has come, now and then."""

from __future__ import annotations

import time
from collections.abc import Callable

EVERY_S = 10.0

Tell = Callable[[str], None]


class Ticker:
    """Passes a line on when the last one is some seconds old."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._last = time.monotonic()

    def tell(self, line: str) -> None:
        """It may be said now."""
        if time.monotonic() - self._last >= EVERY_S:
            self._tell(line)
            self._last = time.monotonic()
