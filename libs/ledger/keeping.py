"""A lease renewed in a thread while work goes on; what the lease is of is its caller's business."""

from __future__ import annotations

import contextlib
import contextvars
import logging
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

from libs.errors import TransientError

logger = logging.getLogger(__name__)

LostT = TypeVar("LostT", bound=Exception)


@contextlib.contextmanager
def kept(
    what: str, renew: Callable[[], object], *, lease_s: float, lost: type[LostT]
) -> Iterator[list[LostT]]:
    """Call `renew` four times a lease until the block ends.

    Yields a list that has the error of class `lost` in it once `renew` has raised one: the lease is
    another's, and the renewing has ended. Any other `TransientError` is a warning, since the next
    turn may succeed before the lease ends.
    """
    done = threading.Event()
    losses: list[LostT] = []

    def keep() -> None:
        while not done.wait(lease_s / 4):
            try:
                renew()
            except lost as error:
                losses.append(error)
                return
            except TransientError as error:
                logger.warning("%s could not be renewed just now: %s", what, error)

    context = contextvars.copy_context()  # so that its lines too say what they are about
    keeper = threading.Thread(target=context.run, args=(keep,), name=what, daemon=True)
    keeper.start()
    try:
        yield losses
    finally:
        done.set()
        keeper.join()
