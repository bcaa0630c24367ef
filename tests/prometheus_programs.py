"""Where Debian's `prometheus` and `promtool` are: unpacked beside the test tools, or installed."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path


def program(name: str) -> str:
    """The program's path; scripts/bootstrap.sh test brings it."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.is_file() else shutil.which(name)
    assert found, f"{name} is missing: scripts/bootstrap.sh test unpacks it"
    return found
