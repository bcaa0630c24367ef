"""What `--json` prints for `stack` and `demo`; `stack up` prints `libs.stack.StackInfo` itself."""

from __future__ import annotations

from pathlib import Path

from libs.cli.reports import Submitted
from libs.models.base import Frozen
from libs.stack import ServiceStatus, StackInfo


class StackReport(Frozen):
    """`stack status`."""

    state: Path
    services: tuple[ServiceStatus, ...]


class StackStopped(Frozen):
    """`stack down`."""

    state: Path
    purged: bool


class DemoReport(Frozen):
    """`demo`."""

    stack: StackInfo
    submissions: tuple[Submitted, ...]
