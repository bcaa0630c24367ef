"""`python -m libs.monitor`: watches the servers that the settings name, and serves what it sees."""

from __future__ import annotations

import signal
import sys
import threading
from importlib.metadata import version

from prometheus_client import CollectorRegistry, ProcessCollector

from libs.admin_settings import MonitorSettings
from libs.errors import SpatialEtlError
from libs.ledger import Ledger
from libs.logs import configure
from libs.monitor.dagster_look import DagsterLook
from libs.monitor.looks import ComputeLook, DiskLook, LedgerLook, Look, VaultLook
from libs.monitor.metrics import Metrics
from libs.monitor.server import MetricsServer
from libs.monitor.watch import Watch
from libs.settings import Settings, load_section
from libs.vault import Vault

_SLOW_LEDGER_S = 60.0
"""For one question on a ledger whose past is being read, while others are at work on it."""


def build(own: MonitorSettings, settings: Settings) -> MetricsServer:
    """The server, whose watch is not started yet.

    Raises:
        ConfigError: a setting is missing or wrong.
        OSError: the address cannot be listened on.
    """
    lake, book = settings.vault, settings.ledger
    patience_s = max(own.timeout_s, _SLOW_LEDGER_S)
    ledger = LedgerLook(
        Ledger.connect(book.model_copy(update={"timeout_s": patience_s})),
        silent_s=2 * settings.etl.lease_s,
    )
    store = Vault.connect(lake.model_copy(update={"timeout_s": own.timeout_s}))
    vault = VaultLook(store, lake.landing_bucket)
    dagster = DagsterLook(own.dagster_url, own.timeout_s)
    compute = ComputeLook(settings.compute, own.timeout_s) if own.compute else None
    disk = DiskLook(own.work_dir) if own.work_dir else None
    looks: list[Look | None] = [vault, ledger, compute, dagster, disk]
    watch = Watch([look for look in looks if look is not None], own.interval_s)
    registry = CollectorRegistry()
    registry.register(Metrics(watch, ledger, vault, dagster, disk, version("spatial-etl")))
    ProcessCollector(registry=registry)
    return MetricsServer((own.host, own.port), registry, watch)


def main() -> int:
    """Serve until SIGTERM; 78 (EX_CONFIG of sysexits.h) and one sentence for wrong settings."""
    try:
        settings = Settings()
        configure(settings.etl.log_format)
        server = build(load_section(MonitorSettings), settings)
    except (SpatialEtlError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 78
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    server.watch.start()
    server.serve_forever(poll_interval=0.5)
    server.watch.stop()
    server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
