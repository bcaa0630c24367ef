"""Errors of the compute layer, and the one place where drivers' errors become ours.

No connection string and no password is in any message; SQLSTATE and the server's own words are.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from libs.errors import ConfigError, InputError, OperatorError, SpatialEtlError, TransientError

TIMEOUT_VARIABLE = "POSTGIS_STATEMENT_TIMEOUT_S"


class ComputeUnavailableError(TransientError):
    """PostGIS did not answer, or not to the end: refused, lost, shutting down, out of resources."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"PostGIS is not available: {detail}")


class ComputeConfigError(ConfigError):
    """PostGIS refuses what the settings say: credentials, database, rights, extension."""


class StatementTimeoutError(OperatorError):
    """A statement ran longer than the settings allow."""

    def __init__(self, doing: str) -> None:
        super().__init__(
            f"PostGIS stopped {doing} because it took longer than {TIMEOUT_VARIABLE} allows; "
            "raise that setting, or split the data."
        )


class ComputeError(OperatorError):
    """PostGIS refused a statement of ours: a fault of the platform, not of the user's data."""


class UnusableDataError(InputError):
    """PostGIS cannot take the user's data: bytes, geometry or sizes beyond what it can hold."""


_UNAVAILABLE = (
    "08",
    "53",
    "55P03",
    "40001",
    "40P01",
    "57P01",
    "57P02",
    "57P03",
    "57P05",
    "57014",
    "58030",
)
"""SQLSTATE prefixes after which the same work may be tried again."""

_CONFIGURATION = ("28", "3D000", "42501", "58P01")
"""Credentials, database, rights, and an extension whose files are not installed."""

_DATA = ("22", "54")
"""Data exceptions, and limits of the server: a row or a table too wide."""

_CONFIGURATION_WORDS = re.compile(
    r'authentication failed|(?:database|role) ".*" does not exist|no pg_hba\.conf entry'
    r"|no password supplied|Name or service not known|server does not support SSL"
    r"|is not permitted to log in|permission denied for database|certificate verify failed"
)
"""libpq gives no SQLSTATE for a failed connection; its words are all there is."""

_GEOMETRY_WORDS = re.compile(
    r"\bWKB\b|^transform: |Point outside of projection domain|Invalid coordinate"
    r"|non-finite|geometry (?:is|contains) ",
    re.IGNORECASE,
)
"""PostGIS reports unusable geometries as internal errors (XX000); these words tell them apart."""

_PLACE_IN_COPY = re.compile(r"COPY \w+, line (\d+), column ")
"""How PostgreSQL says which row, counted from 1, it could not take."""


@contextlib.contextmanager
def translated(doing: str, where: str = "PostGIS") -> Iterator[None]:
    """Turn errors of psycopg and ADBC inside the block into the classes above.

    `doing` says what was tried, as in "loading roads"; `where` names the data at fault, if it is.
    """
    from adbc_driver_manager import Error as AdbcError
    from psycopg import Error as PsycopgError

    try:
        yield
    except (AdbcError, PsycopgError) as error:
        if error.sqlstate is None:
            # Not chained: without SQLSTATE it is libpq's, which may quote the connection string.
            raise _without_sqlstate(doing, error) from None
        raise _with_sqlstate(doing, where, error.sqlstate, error) from error


def _without_sqlstate(doing: str, error: Exception) -> SpatialEtlError:
    message = _one_line(str(error))
    if _CONFIGURATION_WORDS.search(message):
        return ComputeConfigError(f"{_AS_SETTINGS_SAY}: {message}")
    if type(error).__name__ in ("OperationalError", "InterfaceError", "PoolTimeout", "PoolClosed"):
        return ComputeUnavailableError(f"{doing} failed: {message}")
    return ComputeError(f"PostGIS failed at {doing}: {message}")


_AS_SETTINGS_SAY = "PostGIS cannot be used as the POSTGIS_* settings say"


_TIMED_OUT = "canceling statement due to statement timeout"

_LOST_WORDS = re.compile(
    r"server closed the connection|terminating connection|connection (?:not open|to server)"
    r"|no connection to the server|could not receive data|canceling statement|SSL (?:error|SYSCALL)"
    r"|No space left on device|out of (?:shared )?memory",
    re.IGNORECASE,
)


def stream_failure(doing: str, message: str) -> SpatialEtlError:
    """The error for a stream that broke off; ADBC then gives words only, and no SQLSTATE."""
    said = _one_line(message)
    if _TIMED_OUT in said:
        return StatementTimeoutError(doing)
    if _LOST_WORDS.search(said):
        return ComputeUnavailableError(f"{doing} failed: {said}")
    return ComputeError(f"PostGIS failed at {doing}: {said}")


def _with_sqlstate(doing: str, where: str, sqlstate: str, error: Exception) -> SpatialEtlError:
    message, context = _words(error)
    said = f"{message} (SQLSTATE {sqlstate}{', ' + _one_line(context) if context else ''})"
    if sqlstate == "57014" and _TIMED_OUT in message:
        return StatementTimeoutError(doing)
    if sqlstate.startswith(_UNAVAILABLE):
        return ComputeUnavailableError(f"{doing} failed: {said}")
    if sqlstate.startswith(_CONFIGURATION):
        return ComputeConfigError(f"{_AS_SETTINGS_SAY}: {said}")
    place = _PLACE_IN_COPY.search(context)
    if place and (sqlstate.startswith(_DATA) or sqlstate == "XX000"):
        # Whatever PostGIS thinks of it: only the value of this row was in its hands.
        row = f"row {int(place.group(1)) - 1}, counted from 0"
        return UnusableDataError.of(row, f"{doing} failed: {said}.", _cure(sqlstate))
    if sqlstate.startswith(_DATA) or (sqlstate == "XX000" and _GEOMETRY_WORDS.search(message)):
        return UnusableDataError.of(where, f"{doing} failed: {said}.", _cure(sqlstate))
    return ComputeError(f"PostGIS failed at {doing}: {said}")


def _words(error: Exception) -> tuple[str, str]:
    """What the server said, and the context that it gave (`COPY raw_data, line 3, column geom`)."""
    diagnosis = getattr(error, "diag", None)
    if diagnosis is not None and diagnosis.message_primary:
        detail = f" ({diagnosis.message_detail})" if diagnosis.message_detail else ""
        return diagnosis.message_primary + detail, diagnosis.context or ""
    said = {
        _text(key): _text(value)
        for key, value in dict(getattr(error, "details", None) or ()).items()
    }
    if said.get("PG_DIAG_MESSAGE_PRIMARY"):
        return said["PG_DIAG_MESSAGE_PRIMARY"], said.get("PG_DIAG_CONTEXT", "")
    return _one_line(str(error)), ""


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _cure(sqlstate: str) -> str:
    if sqlstate.startswith("54"):
        return "Split the layer into narrower ones."
    return "Repair the named value in the source, and check that its CRS is the declared one."


def _one_line(context: str, limit: int = 200) -> str:
    line = " ".join(context.split())
    return line if len(line) <= limit else line[:limit] + "…"
