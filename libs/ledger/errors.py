"""What can go wrong with the ledger, and the one place where the driver's errors become ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from bson.errors import InvalidDocument
from pymongo.errors import (
    BulkWriteError,
    ConnectionFailure,
    DocumentTooLarge,
    OperationFailure,
    PyMongoError,
)

from libs.errors import ConfigError, OperatorError, SpatialEtlError, TransientError
from libs.models import Batch, Restore

VALIDATION_FAILED = 121
DUPLICATE_KEY = 11000
WRITE_CONFLICT = 112
NAMESPACE_EXISTS = 48
NO_TRANSACTIONS_HERE = 20
"""What a standalone mongod answers to a transaction."""
AUTHENTICATION_FAILED = 18
UNAUTHORIZED = 13
TRANSIENT_CODES = frozenset(
    {6, 7, 24, 46, 50, 64, 89, 91, 189, 246, 251, 262, 9001, 10107, 11600, 11602, 13435, 13436}
)
"""Server codes that pass by themselves: lock time-outs, shutdowns, elections, expired time."""
BAD_CREDENTIALS = (
    "The ledger does not accept the credentials: check MONGODB_USERNAME, MONGODB_PASSWORD "
    "and MONGODB_AUTH_SOURCE."
)
TOO_FEW_RIGHTS = (
    "The ledger does not let this user do its work: give MONGODB_USERNAME and MONGODB_PASSWORD "
    "of a user with the roles readWrite and dbAdmin on MONGODB_DATABASE."
)
TRANSIENT_LABELS = (
    "TransientTransactionError",
    "UnknownTransactionCommitResult",
    "RetryableWriteError",
)


class LedgerUnavailableError(TransientError):
    """The ledger did not answer, or is between two primaries."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"The ledger did not answer ({place}): {reason}. The work can be retried.")


class WriteConflictError(LedgerUnavailableError):
    """Another transaction holds a document that this one wants to write."""

    def __init__(self, place: str) -> None:
        super().__init__(place, "another transaction was writing the same document")


class CommitUnknownError(TransientError):
    """A transaction's reply was lost, and the ledger could not be asked again in time."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"It is not known whether the ledger stored this: {what}. "
            "Its own document tells, as soon as the ledger answers again."
        )


class LedgerRefusedError(OperatorError):
    """The server said no, and would say no again."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"The ledger refused an operation ({place}): {reason}.")


class DocumentRefusedError(OperatorError):
    """A validator of the ledger (or BSON itself) refused a document."""

    def __init__(self, place: str, document_id: object, details: str) -> None:
        super().__init__(
            f"The ledger refused document {document_id!r} ({place}): {details}. "
            "The program and the ledger are of different releases: `spatial-etl ledger` says which."
        )


class DuplicateDocumentError(OperatorError):
    """A unique index of the ledger already has this value."""

    def __init__(self, place: str, key: str) -> None:
        super().__init__(f"The ledger already holds a document with {key} ({place}).")


class UnreadableDocumentError(OperatorError):
    """A document of the ledger does not fit its model."""

    def __init__(self, collection: str, document_id: object, faults: str) -> None:
        self.faults = faults
        super().__init__(
            f"Document {document_id!r} of the ledger's collection {collection!r} cannot be read: "
            f"{faults}. It was changed by hand, or the program and the ledger are of different "
            "releases: `spatial-etl ledger` tells."
        )


class MissingDocumentError(OperatorError):
    """The ledger does not hold a document that this work relies on."""

    def __init__(self, collection: str, document_id: str) -> None:
        super().__init__(f"The ledger's collection {collection!r} has no document {document_id!r}.")


class ReservationError(OperatorError):
    """An asset's reservation is not what the run says it is."""


class NewerLedgerError(OperatorError):
    """The ledger was migrated by a newer release than this one."""

    def __init__(self, unknown: Sequence[str], releases: Sequence[str], ours: str) -> None:
        theirs = f"by release {', '.join(releases)}" if releases else "by a newer release"
        super().__init__(
            f"The ledger was brought to a newer shape {theirs} ({', '.join(unknown)}), and this is "
            f"release {ours}, which would not understand it: update this program on this machine. "
            "Nothing was changed."
        )


class OlderLedgerError(OperatorError):
    """The ledger has an older shape than this release works with."""

    def __init__(self, applied: Sequence[str], due: Sequence[str], ours: str) -> None:
        level = f"is at {applied[-1]}" if applied else "has no shape yet"
        super().__init__(
            f"The ledger {level}, and this is release {ours}, which needs {', '.join(due)}. "
            "`spatial-etl ledger --migrate` does it, and so does each start of the stack, of the "
            "ledger's init job and of the code server. Stop older releases before."
        )


class MigrationBusyError(TransientError):
    """Another process is changing the ledger's shape."""

    def __init__(self, holder: str, waited_s: float) -> None:
        super().__init__(
            f"The ledger's shape is being changed by {holder}, since over {waited_s:g} s. Wait for "
            "its end; when that process is dead, the lock is free within half a minute."
        )


class MigrationLockLostError(TransientError):
    """This process was silent for too long, and another one has taken over."""

    def __init__(self) -> None:
        super().__init__(
            "Another process has taken over the change of the ledger's shape, because this one did "
            "not answer for a while. Start again: it finds what is done."
        )


class UnfitDocumentsError(OperatorError):
    """Documents of the ledger would not fit this release's shape."""

    SHOWN = 10

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        more = len(faults) - self.SHOWN
        super().__init__(
            f"{len(faults)} document(s) of the ledger do not fit this release, even after its "
            f"migrations: {'; '.join(faults[: self.SHOWN])}{f'; and {more} more' * (more > 0)}. "
            "They were changed by hand or damaged. Nothing was changed: mend them, or go on with "
            "the release before."
        )


class LedgerRestoringError(TransientError):
    """The ledger is being filled from a backup: it is not whole yet, and nothing may work on it."""

    def __init__(self, restore: Restore) -> None:
        super().__init__(
            f"The ledger is not whole: backup {restore.backup} is being restored into it since "
            f"{restore.begun_at:%Y-%m-%d %H:%M:%S}Z. Wait for its end; if it was broken off, give "
            "the same `spatial-etl restore` again, which goes on with it."
        )


class OtherRestoreError(OperatorError):
    """Another restore was begun into this ledger, or the same one with another gap."""

    def __init__(self, restore: Restore) -> None:
        super().__init__(
            f"A restore of backup {restore.backup} with --version-gap {restore.version_gap} was "
            "begun here and has not ended: go on with that one, or empty the ledger's database and "
            "the lake first."
        )


class LedgerNotEmptyError(OperatorError):
    """A restore wants an empty ledger."""

    def __init__(self, database: str, address: str, collection: str) -> None:
        super().__init__(
            f"The ledger is not empty: the database {database} at {address} has documents in "
            f"{collection!r}. A backup is restored into an empty platform only: make a new one, or "
            "let MONGODB_DATABASE name a database that is not used yet."
        )


class BatchEndedError(SpatialEtlError):
    """The batch is committed or rejected for good: there is nothing left to do."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        super().__init__(f"Batch {batch.id} has ended before: it is {batch.state.value}.")


class BatchBusyError(TransientError):
    """Another run holds the batch."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        holder = (
            f"run {batch.lease.run_id} holds it until {batch.lease.expires_at.isoformat()}"
            if batch.lease
            else "another run has just held it"
        )
        super().__init__(f"Batch {batch.id} is being worked on: {holder}.")


class LeaseLostError(TransientError):
    """The batch is no longer this run's: it ended, or a successor holds it. Change nothing."""

    def __init__(self, fingerprint: str, fence: int, batch: Batch | None) -> None:
        self.batch = batch
        now = f"it is {batch.state.value} under fence {batch.fence}" if batch else "it is gone"
        super().__init__(f"Fence {fence} no longer holds batch {fingerprint}: {now}.")


@contextmanager
def ledger_errors(place: str) -> Iterator[None]:
    """Turn the driver's errors into the ledger's; `place` is a collection or an act."""
    try:
        yield
    except PyMongoError as error:
        raise translate(error, place) from error
    except (InvalidDocument, OverflowError, UnicodeEncodeError) as error:
        raise DocumentRefusedError(place, None, f"BSON cannot hold it: {error}") from error


def translate(error: PyMongoError, place: str) -> SpatialEtlError:
    """Our error for one of the driver's."""
    code, details = _code_and_details(error)
    if code == WRITE_CONFLICT:
        return WriteConflictError(place)
    if _passes_by_itself(error, code):
        return LedgerUnavailableError(place, _brief(error))
    if isinstance(error, DocumentTooLarge):
        return DocumentRefusedError(place, None, "it is larger than the 16 MB that MongoDB allows")
    refusals: dict[int | None, Callable[[], SpatialEtlError]] = {
        AUTHENTICATION_FAILED: lambda: ConfigError(BAD_CREDENTIALS),
        UNAUTHORIZED: lambda: ConfigError(TOO_FEW_RIGHTS),
        VALIDATION_FAILED: lambda: _refused_document(details, place),
        DUPLICATE_KEY: lambda: DuplicateDocumentError(place, _duplicate_key(details)),
    }
    refusal = refusals.get(code, lambda: LedgerRefusedError(place, _brief(error)))
    return refusal()


def _passes_by_itself(error: PyMongoError, code: int | None) -> bool:
    return (
        isinstance(error, ConnectionFailure)
        or error.timeout
        or code in TRANSIENT_CODES
        or any(map(error.has_error_label, TRANSIENT_LABELS))
    )


def _code_and_details(error: PyMongoError) -> tuple[int | None, dict[str, Any]]:
    if isinstance(error, BulkWriteError):
        faults = (error.details or {}).get("writeErrors") or [{}]
        return faults[0].get("code"), faults[0]
    if isinstance(error, OperationFailure):
        return error.code, dict(error.details or {})
    return None, {}


def _refused_document(details: dict[str, Any], place: str) -> DocumentRefusedError:
    info = details.get("errInfo") or {}
    rules = (info.get("details") or {}).get("schemaRulesNotSatisfied") or []
    faults = "; ".join(_rule(rule) for rule in rules) or "it does not fit the validator"
    return DocumentRefusedError(place, info.get("failingDocumentId"), faults)


def _rule(rule: dict[str, Any]) -> str:
    """One broken rule as words: field names and rule names, no values (they may be long)."""
    if rule.get("propertiesNotSatisfied"):
        return ", ".join(
            f"{fault.get('propertyName')} ({'; '.join(map(_rule, fault.get('details', [])))})"
            for fault in rule["propertiesNotSatisfied"]
        )
    if rule.get("additionalProperties"):
        return f"unknown fields {rule['additionalProperties']}"
    if rule.get("missingProperties"):
        return f"missing fields {rule['missingProperties']}"
    return str(rule.get("reason") or rule.get("operatorName"))


def _duplicate_key(details: dict[str, Any]) -> str:
    key = details.get("keyValue") or {}
    return ", ".join(f"{name} = {value!r}" for name, value in key.items()) or "the same unique key"


def _brief(error: PyMongoError) -> str:
    """The first line of a driver's message, without the topology dump behind it."""
    text = str(error).partition(", Timeout:")[0].partition(", full error:")[0]
    return f"{type(error).__name__}: {text.splitlines()[0][:300] if text else 'no message'}"
