"""What becomes of drivers' errors, by SQLSTATE and by words; and the secrets that stay secret."""

from __future__ import annotations

import pickle

import pyarrow as pa
import pytest
from adbc_driver_manager import AdbcStatusCode
from adbc_driver_manager import InternalError as AdbcInternalError
from adbc_driver_manager import OperationalError as AdbcOperationalError
from psycopg import errors as pg
from pydantic import SecretStr

from libs.compute import (
    ComputeConfigError,
    ComputeError,
    ComputeUnavailableError,
    LoadedTable,
    PostGIS,
    StatementTimeoutError,
    UnusableDataError,
)
from libs.compute.errors import stream_failure, translated
from libs.errors import ConfigError, InputError, OperatorError, TransientError
from libs.models import RunSchema
from libs.settings import ComputeSettings

SECRET = "an unmistakable s3cret"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (pg.ConnectionFailure("gone"), TransientError),
        (pg.AdminShutdown("terminating connection due to administrator command"), TransientError),
        (pg.TooManyConnections("sorry, too many clients already"), TransientError),
        (pg.DiskFull("could not extend file"), TransientError),
        (pg.DeadlockDetected("deadlock"), TransientError),
        (pg.QueryCanceled("canceling statement due to user request"), ComputeUnavailableError),
        (pg.QueryCanceled("canceling statement due to statement timeout"), StatementTimeoutError),
        (pg.InvalidPassword("password"), ComputeConfigError),
        (pg.InsufficientPrivilege("permission denied for table spatial_ref_sys"), ConfigError),
        (pg.CharacterNotInRepertoire("invalid byte sequence"), UnusableDataError),
        (pg.NumericValueOutOfRange("out of range"), InputError),
        (pg.ProgramLimitExceeded("row is too big"), InputError),
        (pg.InternalError_("transform: Invalid coordinate (2049)"), InputError),
        (pg.InternalError_("WKB structure does not match expected size!"), InputError),
        (pg.InternalError_("cache lookup failed for relation 1"), ComputeError),
        (pg.UndefinedTable("no such table"), ComputeError),
        (pg.SyntaxError("at or near"), OperatorError),
        (pg.OperationalError("connection refused"), ComputeUnavailableError),
        (pg.OperationalError('FATAL: database "x" does not exist'), ComputeConfigError),
        (pg.ProgrammingError("the query has 1 placeholder"), ComputeError),
    ],
    ids=lambda value: getattr(value, "__name__", f"{type(value).__name__}: {value}"),
)
def test_each_error_tells_what_may_be_done_next(error: Exception, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught, translated("the step simplify"):
        raise error
    if getattr(error, "sqlstate", None) and kind not in (StatementTimeoutError,):
        assert error.sqlstate in str(caught.value)


def test_errors_of_the_arrow_driver_are_known_by_their_sqlstate_too() -> None:
    error = AdbcInternalError(
        "INTERNAL: COPY failed",
        status_code=AdbcStatusCode.INTERNAL,
        sqlstate="22021",
        details=[("PG_DIAG_MESSAGE_PRIMARY", b"invalid byte sequence")],
    )
    with (
        pytest.raises(UnusableDataError, match=r"raw_data: .*invalid byte sequence.*22021"),
        translated("loading", where="raw_data"),
    ):
        raise error


def test_an_error_of_the_arrow_driver_without_sqlstate_is_a_lost_connection_or_a_bug() -> None:
    lost = AdbcOperationalError("IO: server closed", status_code=AdbcStatusCode.IO)
    bug = AdbcInternalError("INTERNAL: no writer", status_code=AdbcStatusCode.INTERNAL)
    with pytest.raises(ComputeUnavailableError), translated("loading"):
        raise lost
    with pytest.raises(ComputeError), translated("loading"):
        raise bug


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("PQgetCopyData() failed: server closed the connection unexpectedly", TransientError),
        ("ERROR:  canceling statement due to statement timeout", StatementTimeoutError),
        ("ERROR:  canceling statement due to user request", TransientError),
        ("ERROR:  could not write to file: No space left on device", TransientError),
        ("ERROR:  column c9 does not exist", ComputeError),
    ],
)
def test_a_stream_that_breaks_off_is_known_by_its_words(words: str, kind: type) -> None:
    assert isinstance(stream_failure("reading the result", words), kind)


def test_a_connections_error_is_not_chained_to_the_drivers_own() -> None:
    with pytest.raises(ComputeUnavailableError) as caught, translated("connecting"):
        raise pg.OperationalError(f"connection failed: postgresql://x:{SECRET}@host refused")
    assert caught.value.__cause__ is None


def test_other_errors_pass_untouched() -> None:
    with pytest.raises(ZeroDivisionError), translated("anything"):
        _ = 1 / 0


def test_no_representation_shows_the_password() -> None:
    settings = ComputeSettings(host="h", user="u", password=SecretStr(SECRET))
    postgis = PostGIS.connect(settings)
    assert SECRET not in repr(postgis) + repr(postgis.session) + str(vars(postgis))


def test_a_loaded_table_can_be_handed_to_another_process() -> None:
    loaded = LoadedTable(
        run_schema=RunSchema(run_id="0" * 32),
        table="raw_data",
        row_count=3,
        size_bytes=100,
        source_geometry_name="shape",
        attributes=pa.schema([pa.field("a b", pa.timestamp("ns", "UTC"), nullable=False)]),
    )
    assert pickle.loads(pickle.dumps(loaded)) == loaded
    assert loaded.attribute_columns == ("c0",)
