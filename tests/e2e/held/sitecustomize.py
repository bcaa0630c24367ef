"""On a worker under test: a run waits after its load while a file says so, and leaves a sign."""

import os
import time
from pathlib import Path

from libs.faultpoints import Point, step_in


def _wait(point):
    hold = Path(os.environ["TEST_HOLD"])
    if point is not Point.FILE_LOADED or not hold.exists():
        return
    sign = hold.with_name(f"{hold.name}.{os.getpid()}")
    sign.touch()
    until = time.monotonic() + 240
    try:
        while hold.exists() and time.monotonic() < until:
            time.sleep(0.1)
    finally:
        sign.unlink()


if "TEST_HOLD" in os.environ:
    step_in(_wait)
