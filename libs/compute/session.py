"""How a connection to PostGIS is made: its parameters and session settings, for both drivers.

The only module that unwraps the password. Runs no statement of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from libs.compute.errors import translated
from libs.models import RunSchema
from libs.settings import ComputeSettings

if TYPE_CHECKING:
    from adbc_driver_postgresql.dbapi import Connection as AdbcConnection

    from libs.compute.table import LoadedTable

APPLICATION_NAME = "spatial-etl"


def application_name(schema: RunSchema | None = None) -> str:
    """`spatial-etl`, and the run's 32 digits for work of a run: so its leftovers are found."""
    digits = RunSchema.run_digits(schema.name) if schema else None
    return f"{APPLICATION_NAME} {digits}" if digits else APPLICATION_NAME


@dataclass(frozen=True)
class Session:
    """The settings of a server, and how many cores a statement may use."""

    settings: ComputeSettings
    workers: int

    @property
    def helpers(self) -> int:
        """How many processes may help the leading one, which works, too."""
        return max(self.workers - 1, 0)

    def for_table(self, loaded: LoadedTable) -> Session:
        """The same, on one core where another would cost more than it saves."""
        return self if loaded.is_worth_more_cores else replace(self, workers=1)

    def _options(self) -> str:
        """Session parameters as libpq passes them at connection, the same for every driver."""
        parameters = {
            "statement_timeout": f"{self.settings.statement_timeout_s}s",
            "client_connection_check_interval": "10s",  # a dead client's statement ends
            "jit": "off",
            "min_parallel_table_scan_size": "0",
            "min_parallel_index_scan_size": "0",
            "parallel_setup_cost": "0",
            "parallel_tuple_cost": "0",
            "max_parallel_workers_per_gather": str(self.helpers),
            "max_parallel_maintenance_workers": str(self.helpers),
            "work_mem": "64MB",
            "maintenance_work_mem": "256MB",
            "timezone": "UTC",
            "client_min_messages": "warning",
        }
        return " ".join(f"-c {name}={value}" for name, value in parameters.items())

    def psycopg_parameters(self) -> dict[str, str | int]:
        """Keyword arguments of `psycopg.connect`."""
        settings = self.settings
        return {
            "host": settings.host,
            "port": settings.port,
            "dbname": settings.database,
            "user": settings.user,
            "password": settings.password.get_secret_value(),
            "connect_timeout": settings.connect_timeout_s,
            "application_name": application_name(),
            "options": self._options(),
        }

    def adbc_connect(self, schema: RunSchema) -> AdbcConnection:
        """An Arrow connection for work in a run's schema; the caller closes it."""
        import adbc_driver_postgresql.dbapi as adbc

        with translated("connecting"):
            return adbc.connect(self._uri(schema))

    def _uri(self, schema: RunSchema) -> str:
        parameters = self.psycopg_parameters() | {"application_name": application_name(schema)}
        parameters["user"] = self.settings.user
        return f"postgresql://?{urlencode(parameters, quote_via=quote)}"
