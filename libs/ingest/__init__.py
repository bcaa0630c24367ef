"""The flow and the commit protocol, as plain functions; no orchestrator. See CONTEXT.md."""

from libs.ingest.commit import commit
from libs.ingest.eject import eject
from libs.ingest.ending import abandon, end_with
from libs.ingest.errors import BatchRejectedError, DiskFullError, ManifestGoneError
from libs.ingest.fetch import fetch
from libs.ingest.load import load
from libs.ingest.outlook import Outlook, outlook
from libs.ingest.platform import Platform
from libs.ingest.receive import receive
from libs.ingest.run import run_upload
from libs.ingest.settle import receipt_key, settle, waiting_manifests
from libs.ingest.transform import transform
from libs.ingest.values import (
    Committed,
    CommittedAsset,
    EjectedAsset,
    Ended,
    FetchedFile,
    FileJob,
    Job,
    LoadedFile,
    StageOutput,
    TransformedFile,
)
from libs.models import RunState

__all__ = [
    "BatchRejectedError",
    "Committed",
    "CommittedAsset",
    "DiskFullError",
    "EjectedAsset",
    "Ended",
    "FetchedFile",
    "FileJob",
    "Job",
    "LoadedFile",
    "ManifestGoneError",
    "Outlook",
    "Platform",
    "RunState",
    "StageOutput",
    "TransformedFile",
    "abandon",
    "commit",
    "eject",
    "end_with",
    "fetch",
    "load",
    "outlook",
    "receipt_key",
    "receive",
    "run_upload",
    "settle",
    "transform",
    "waiting_manifests",
]
