"""Looks at every server again and again, each in a thread of its own: one that hangs holds up none.

A look is never at work twice at once, and nobody who asks for metrics waits for one.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from libs.errors import OperatorError, SpatialEtlError
from libs.monitor.looks import Look

logger = logging.getLogger(__name__)

STUCK_S = 120.0
"""A look that has not ended after this and a few intervals hangs for ever."""


@dataclass(frozen=True)
class Verdict:
    """How one server did at the last look."""

    server: str
    problem: str | None
    """None: it answers as it should."""
    at: float
    """When, in seconds since 1970."""
    seconds: float


class Watcher:
    """One look, repeated; its verdicts are read by others."""

    def __init__(self, look: Look, interval_s: float) -> None:
        self._look = look
        self._interval_s = interval_s
        self._last_end = time.monotonic()
        self.verdicts: tuple[Verdict, ...] = ()

    @property
    def has_looked(self) -> bool:
        """True when there is a word on each of its servers."""
        return bool(self.verdicts) or not self._look.servers

    @property
    def is_stuck(self) -> bool:
        """True when a look has begun and does not end."""
        return time.monotonic() - self._last_end > 3 * self._interval_s + STUCK_S

    def run(self, stop: threading.Event) -> None:
        """Look until told to stop."""
        while not stop.is_set():
            self.look_once()
            stop.wait(self._interval_s)

    def look_once(self) -> None:
        """One look, whatever comes of it."""
        started, known = time.monotonic(), {one.server: one.problem for one in self.verdicts}
        try:
            problems = self._look.look()
        except Exception as error:  # noqa: BLE001  a bug in one look must not end the watch
            self._look.forget()
            problems = dict.fromkeys(self._look.servers, _in_few_words(error))
            if problems != known:
                _log(self._look, error)
        self._last_end = time.monotonic()
        seconds, now = self._last_end - started, time.time()
        self.verdicts = tuple(
            Verdict(server=server, problem=problem, at=now, seconds=seconds)
            for server, problem in problems.items()
        )


class Watch:
    """All looks."""

    def __init__(self, looks: Sequence[Look], interval_s: float) -> None:
        self._watchers = [Watcher(look, interval_s) for look in looks]
        self._stop = threading.Event()

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """The last word on every server that was looked at."""
        return tuple(verdict for watcher in self._watchers for verdict in watcher.verdicts)

    @property
    def has_looked(self) -> bool:
        """True when every server was looked at."""
        return all(watcher.has_looked for watcher in self._watchers)

    @property
    def is_stuck(self) -> bool:
        """True when a look hangs."""
        return any(watcher.is_stuck for watcher in self._watchers)

    def start(self) -> None:
        """Begin to look; returns at once."""
        for watcher in self._watchers:
            threading.Thread(target=watcher.run, args=(self._stop,), daemon=True).start()

    def stop(self) -> None:
        """Ask the threads to end after the look that they are at."""
        self._stop.set()


def _in_few_words(error: Exception) -> str:
    """For everybody to read: addresses and account names stay in the log."""
    if isinstance(error, OperatorError):
        return "refuses, or a setting is wrong: the watcher's log says more"
    if isinstance(error, SpatialEtlError):
        return "does not answer"
    return "could not be looked at: the watcher's log says more"


def _log(look: Look, error: Exception) -> None:
    names = ", ".join(look.servers) or type(look).__name__
    if isinstance(error, SpatialEtlError):
        logger.warning("%s: %s", names, error)
    else:
        logger.error("%s could not be looked at", names, exc_info=error)
