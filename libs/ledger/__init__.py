"""The registry over MongoDB; see CONTEXT.md for which module holds what."""

from libs.ledger.errors import (
    BatchBusyError,
    BatchEndedError,
    CommitUnknownError,
    DocumentRefusedError,
    DuplicateDocumentError,
    LeaseLostError,
    LedgerNotEmptyError,
    LedgerRefusedError,
    LedgerRestoringError,
    LedgerUnavailableError,
    MigrationBusyError,
    MissingDocumentError,
    NewerLedgerError,
    OlderLedgerError,
    OtherRestoreError,
    ReservationError,
    UnfitDocumentsError,
    UnreadableDocumentError,
    WriteConflictError,
)
from libs.ledger.ledger import Ledger
from libs.ledger.recovery import DeadRun

__all__ = [
    "BatchBusyError",
    "BatchEndedError",
    "CommitUnknownError",
    "DeadRun",
    "DocumentRefusedError",
    "DuplicateDocumentError",
    "LeaseLostError",
    "Ledger",
    "LedgerNotEmptyError",
    "LedgerRefusedError",
    "LedgerRestoringError",
    "LedgerUnavailableError",
    "MigrationBusyError",
    "MissingDocumentError",
    "NewerLedgerError",
    "OlderLedgerError",
    "OtherRestoreError",
    "ReservationError",
    "UnfitDocumentsError",
    "UnreadableDocumentError",
    "WriteConflictError",
]
