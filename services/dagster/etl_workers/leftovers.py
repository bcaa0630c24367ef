"""What runs that were killed have left on this machine, taken away by the machine's own worker.

The auditor and the sensors may be on another machine: they see neither this work folder nor, where
each machine has a PostGIS of its own, this one.
"""

from __future__ import annotations

import logging

from etl_pipelines.environment import load_environment
from libs.audit.leftovers import sweep_machine
from libs.errors import TransientError
from libs.ingest.platform import Platform
from libs.logs import configure

logger = logging.getLogger(__name__)


def take_away_leftovers() -> int:
    """Remove them, as far as the servers answer now; returns how many there were."""
    with Platform.connect(load_environment()) as platform:
        try:
            found = len(sweep_machine(platform))
        except TransientError as error:  # what is left is left until the next look
            logger.warning("Leftovers of dead runs stay for now: %s", error)
            return 0
    if found:
        logger.warning("Taken away of dead runs: %d", found)
    return found


if __name__ == "__main__":
    configure(load_environment().etl.log_format)
    take_away_leftovers()
