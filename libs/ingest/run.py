"""One run from a manifest's upload to its end, without an orchestrator: the flow in one page."""

from __future__ import annotations

from libs.ingest.commit import commit
from libs.ingest.eject import eject
from libs.ingest.ending import end_with
from libs.ingest.fetch import fetch
from libs.ingest.load import load
from libs.ingest.platform import Platform
from libs.ingest.receive import receive
from libs.ingest.transform import transform
from libs.ingest.values import Committed, Ended, Job
from libs.logs import about
from libs.models import ManifestUpload


def run_upload(platform: Platform, upload: ManifestUpload, run_id: str) -> Committed | Ended:
    """Take one upload of a manifest all the way.

    Raises:
        BatchRejectedError: the user's manifest or data is bad; recorded and answered.
        TransientError: a server was away; the batch is `failed` and may be run again.
        OperatorError: a person must look; likewise.
    """
    with about(run_id=run_id):
        return _run(platform, upload, run_id)


def _run(platform: Platform, upload: ManifestUpload, run_id: str) -> Committed | Ended:
    job: Job | None = None
    try:
        received = receive(platform, upload, run_id)
        if isinstance(received, Ended):
            return received
        job = received.job
        fetched = fetch(platform, received)
        loaded = load(platform, fetched)
        transformed = transform(platform, loaded)
        return commit(platform, eject(platform, transformed))
    except BaseException as error:
        ended = end_with(platform, run_id, job, error)
        if ended is error:
            raise
        raise ended from error
