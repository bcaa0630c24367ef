"""Dagster's code server, with runs that start warm: `python -m etl_pipelines.code_server OPTION…`.

The options are those of `dagster api grpc`. Dagster starts each run as a new Python, which imports
for longer than it works on a small file. Here a run is forked from a process that has imported
everything, has one thread, and does nothing but fork (multiprocessing's fork server).
"""

from __future__ import annotations

import contextlib
import multiprocessing
from multiprocessing import forkserver
from types import SimpleNamespace

WARM = "etl_pipelines.warm"


def start_runs_warm() -> None:
    """Give Dagster's server the fork server where it asks multiprocessing for new processes.

    Raises:
        RuntimeError: this version of Dagster does not ask as the one that this was written for.
    """
    from dagster._grpc import server

    if getattr(server, "multiprocessing", None) is not multiprocessing:
        raise RuntimeError("Dagster's code server does not start its runs by multiprocessing.")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([WARM])
    forkserver.ensure_running()
    server.multiprocessing = SimpleNamespace(get_context=lambda _method: context)


def main() -> None:
    """Start; ends as `dagster api grpc` does."""
    from dagster._cli.api import grpc_command

    start_runs_warm()
    grpc_command(auto_envvar_prefix="DAGSTER_CLI_API_GRPC", default_map=_first_lines())


def _first_lines() -> dict[str, str]:
    """Options for what is written before the code is imported, which then writes as ours does."""
    from libs.errors import ConfigError
    from libs.settings import Settings

    with contextlib.suppress(ConfigError):  # the import of the code says it, where people look
        if Settings().etl.log_format == "json":
            return {"log_format": "json"}
    return {}


if __name__ == "__main__":
    main()
