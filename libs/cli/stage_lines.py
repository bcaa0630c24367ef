"""Shows the stages of followed batches as they go by: one line each, and what goes on just now."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from libs.cli.terminal import Terminal, safe
from libs.cli.view import STATE_STYLES
from libs.models import Batch, Run, StageRecord


class StageLines:
    """A `following.Listener` that writes to stderr."""

    def __init__(self, terminal: Terminal, names: Sequence[str]) -> None:
        self._terminal = terminal
        self._width = max(map(len, names))
        self._now = dict.fromkeys(names, "waiting for a run")
        self._status = terminal.err.status(self._summary())

    @contextlib.contextmanager
    def shown(self) -> Iterator[StageLines]:
        """While a terminal waits, its last line says what goes on; a log has the lines only."""
        if not self._terminal.err.is_terminal:
            yield self
            return
        with self._status:
            yield self

    def run_began(self, name: str, run: Run) -> None:
        """A run has taken the batch up."""
        self._line(name, "run", f"{run.id} has taken it up")

    def stage_began(self, name: str, stage: str) -> None:
        """Only the last line of a terminal says so."""
        self._now[name] = stage
        self._status.update(self._summary())

    def stage_ended(self, name: str, record: StageRecord) -> None:
        """One line for each stage."""
        seconds = f"{record.seconds or 0:7.2f} s"
        self._line(name, record.stage.value, f"{seconds}  {record.detail}")

    def batch_ended(self, name: str, batch: Batch, *, already_done: bool) -> None:
        """One line for the end."""
        self._now.pop(name, None)
        self._status.update(self._summary())
        words = "already done: the same submission ended before" if already_done else ""
        style = STATE_STYLES.get(batch.state, "")
        self._line(name, batch.state.value, words, style)

    def _line(self, name: str, what: str, words: str, style: str = "") -> None:
        self._terminal.say(f"{name:{self._width}}  {what:9}  {words}", style)

    def _summary(self) -> str:
        return safe("   ".join(f"{name}: {stage} …" for name, stage in self._now.items()))
