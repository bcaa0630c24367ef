"""The registry over MongoDB; see CONTEXT.md for which module holds what."""

from libs.ledger.errors import (
    BatchBusyError,
    BatchEndedError,
    CommitUnknownError,
    DocumentRefusedError,
    DuplicateDocumentError,
    LeaseLostError,
    LedgerRefusedError,
    LedgerUnavailableError,
    MigrationBusyError,
    MissingDocumentError,
    NewerLedgerError,
    OlderLedgerError,
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
    "LedgerRefusedError",
    "LedgerUnavailableError",
    "MigrationBusyError",
    "MissingDocumentError",
    "NewerLedgerError",
    "OlderLedgerError",
    "ReservationError",
    "UnfitDocumentsError",
    "UnreadableDocumentError",
    "WriteConflictError",
]
