"""The driver's errors as ours; the error replies are those that servers were seen to send."""

from __future__ import annotations

import pytest
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    DocumentTooLarge,
    DuplicateKeyError,
    ExecutionTimeout,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WriteError,
)

from libs.errors import ConfigError, OperatorError, TransientError
from libs.ledger import DocumentRefusedError, DuplicateDocumentError, WriteConflictError
from libs.ledger.errors import ledger_errors

REFUSED = {
    "index": 0,
    "code": 121,
    "errmsg": "Document failed validation",
    "errInfo": {
        "failingDocumentId": "doc-1",
        "details": {
            "operatorName": "$jsonSchema",
            "schemaRulesNotSatisfied": [
                {"operatorName": "additionalProperties", "additionalProperties": ["zz"]},
                {
                    "operatorName": "properties",
                    "propertiesNotSatisfied": [
                        {
                            "propertyName": "state",
                            "details": [{"operatorName": "enum", "reason": "value not in enum"}],
                        }
                    ],
                },
            ],
        },
    },
}
DUPLICATE = {"code": 11000, "keyPattern": {"s3_key": 1}, "keyValue": {"s3_key": "a/b"}}


def translated(error: Exception) -> Exception:
    with pytest.raises(Exception) as caught, ledger_errors("collection assets"):
        raise error
    assert caught.value.__cause__ is error
    return caught.value


@pytest.mark.parametrize(
    "error",
    [
        AutoReconnect("connection closed"),
        NetworkTimeout("timed out"),
        NotPrimaryError("not primary", {"code": 10107}),
        ServerSelectionTimeoutError("No servers found yet, Timeout: 30s, Topology: <…>"),
        ExecutionTimeout("operation exceeded time limit", 50, {}),
        OperationFailure("shutting down", 91, {}),
        OperationFailure("x", 251, {"errorLabels": ["TransientTransactionError"]}),
        OperationFailure("x", 999, {"errorLabels": ["RetryableWriteError"]}),
    ],
)
def test_what_passes_by_itself_can_be_retried(error: PyMongoError) -> None:
    assert isinstance(translated(error), TransientError)


def test_a_write_conflict_is_told_from_silence() -> None:
    error = OperationFailure("conflict", 112, {"errorLabels": ["TransientTransactionError"]})
    assert isinstance(translated(error), WriteConflictError)


def test_wrong_credentials_name_the_variables_to_set() -> None:
    ours = translated(OperationFailure("Authentication failed.", 18, {"code": 18}))
    assert isinstance(ours, ConfigError)
    assert "MONGODB_USERNAME" in str(ours)
    assert "MONGODB_PASSWORD" in str(ours)


@pytest.mark.parametrize(
    "error", [WriteError("no", 121, REFUSED), BulkWriteError({"writeErrors": [REFUSED]})]
)
def test_a_refused_document_is_named_with_the_rules_it_breaks(error: PyMongoError) -> None:
    ours = translated(error)
    assert isinstance(ours, DocumentRefusedError)
    for part in ("doc-1", "zz", "state", "value not in enum", "collection assets"):
        assert part in str(ours)


@pytest.mark.parametrize(
    "error",
    [
        DuplicateKeyError("E11000", 11000, DUPLICATE),
        BulkWriteError({"writeErrors": [{"index": 0, **DUPLICATE}]}),
    ],
)
def test_a_duplicate_key_is_named(error: PyMongoError) -> None:
    ours = translated(error)
    assert isinstance(ours, DuplicateDocumentError)
    assert "s3_key = 'a/b'" in str(ours)


@pytest.mark.parametrize(
    "error",
    [
        OperationFailure("unknown operator", 2, {}),
        DocumentTooLarge("too large"),
        OverflowError("8-byte ints"),
    ],
)
def test_what_no_retry_mends_is_an_operators_error(error: Exception) -> None:
    ours = translated(error)
    assert isinstance(ours, OperatorError)
    assert not isinstance(ours, ConfigError)


def test_the_topology_dump_is_left_out() -> None:
    ours = translated(
        ServerSelectionTimeoutError("h:1: refused, Timeout: 30s, Topology Description: <secret>")
    )
    assert "refused" in str(ours)
    assert "Topology" not in str(ours)
