"""How an init job goes: it waits for a server that is still starting, and says one sentence."""

from __future__ import annotations

import sys
from collections.abc import Callable

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from libs.errors import SpatialEtlError, TransientError

WAIT_S = 120.0


def run_init_job(work: Callable[[], str], *, wait_s: float = WAIT_S) -> int:
    """The exit code: 0, with what `work` says on stdout, or 1, with the error's words on stderr.

    `work` may be repeated. It is tried again for `wait_s` seconds while its server does not answer.
    """
    retrying = Retrying(
        retry=retry_if_exception_type(TransientError),
        stop=stop_after_delay(wait_s),
        wait=wait_fixed(1),
        reraise=True,
    )
    try:
        said = retrying(work)
    except SpatialEtlError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{said}\n")
    return 0
