"""PostGIS as a transient engine; see CONTEXT.md. Holds nothing worth keeping."""

from libs.compute.eject import TableStream
from libs.compute.errors import (
    ComputeConfigError,
    ComputeError,
    ComputeUnavailableError,
    StatementTimeoutError,
    UnusableDataError,
)
from libs.compute.postgis import PostGIS
from libs.compute.table import LoadedTable

__all__ = [
    "ComputeConfigError",
    "ComputeError",
    "ComputeUnavailableError",
    "LoadedTable",
    "PostGIS",
    "StatementTimeoutError",
    "TableStream",
    "UnusableDataError",
]
