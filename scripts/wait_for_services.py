#!/usr/bin/env python3
"""Waits until the servers that the settings name answer: vault, ledger, PostGIS. Starts none.

One line for each; exit code 0 when all answer, 1 when one does not in time, 2 for wrong settings.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_exponential

from libs.errors import ConfigError, SpatialEtlError
from libs.settings import Settings

_LONGEST_PAUSE_S = 5


def main() -> int:
    """Parse the command line, wait, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds in all (60)")
    parser.add_argument("--env-file", type=Path, help="settings file (default: .env, .stack/.env)")
    arguments = parser.parse_args()
    deadline = time.monotonic() + arguments.timeout
    settings = Settings(arguments.env_file)
    try:
        checks = _checks(settings)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    answers = [_wait_for(name, check, deadline) for name, check in checks.items()]
    return 0 if all(answers) else 1


def _checks(settings: Settings) -> dict[str, Callable[[], None]]:
    from libs.compute import PostGIS
    from libs.ledger import Ledger
    from libs.vault import Vault

    return {
        f"vault    {settings.vault.endpoint}": Vault.connect(settings.vault).check,
        f"ledger   {settings.ledger.uri}": Ledger.connect(settings.ledger).check,
        f"compute  {settings.compute.host}:{settings.compute.port}": PostGIS.connect(
            settings.compute
        ).check,
    }


def _wait_for(name: str, check: Callable[[], None], deadline: float) -> bool:
    """Any error of ours is waited for: an init job may still be making the user or the bucket."""
    begun = time.monotonic()
    attempts = Retrying(
        retry=retry_if_exception_type(SpatialEtlError),
        wait=wait_exponential(multiplier=0.25, max=_LONGEST_PAUSE_S),
        stop=stop_after_delay(max(0.0, deadline - begun)),
        reraise=True,
    )
    try:
        attempts(check)
    except SpatialEtlError as error:
        print(f"{name}  does not answer: {error}", flush=True)
        return False
    print(f"{name}  answers ({time.monotonic() - begun:.1f} s)", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
