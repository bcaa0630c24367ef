"""Submissions from the upload to the answer, for `submit` and `demo`; prints nothing itself."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from libs.cli.following import Before, Followed, Listener, follow, follow_in_the_bucket
from libs.cli.manifest_maker import Submission
from libs.cli.queries import Registry
from libs.cli.reports import Submitted
from libs.cli.uploading import LandingZone, Progress
from libs.models import ManifestUpload, Receipt
from libs.settings import Settings, SettingsError


@dataclass(frozen=True)
class Sent:
    """A submission whose manifest is in the bucket."""

    submission: Submission
    upload: ManifestUpload
    before: Before | None
    """None: the settings name no ledger."""
    uploaded_bytes: int
    committed_at: float
    """On the monotonic clock."""


@contextmanager
def registry_if_any(settings: Settings) -> Iterator[Registry | None]:
    """The ledger, where the settings name one: a mere landing user has none."""
    try:
        registry = Registry.connect(settings)
    except SettingsError as error:
        if "MONGODB_URI" not in error.unset:
            raise
        yield None
        return
    with registry:
        yield registry


def send(
    submission: Submission, landing: LandingZone, registry: Registry | None, progress: Progress
) -> Sent:
    """Upload the files, then the manifest."""
    before = Before.of(registry, submission.manifest.batch_id) if registry else None
    uploaded = landing.send_files(submission, progress)
    upload = landing.commit(submission)
    return Sent(submission, upload, before, uploaded, time.monotonic())


def not_waited_for(sent: Sent, landing: LandingZone) -> Submitted:
    """The report of a submission whose end is not waited for."""
    return Submitted(
        manifest=sent.submission.manifest,
        manifest_uri=f"s3://{landing.bucket}/{sent.upload.key}",
        uploaded_bytes=sent.uploaded_bytes,
    )


def wait_for_all(
    sent: Sequence[Sent],
    landing: LandingZone,
    registry: Registry,
    listener: Listener,
    timeout_s: float,
) -> list[Submitted]:
    """Follow them to their ends in the ledger, and read the receipts in the bucket.

    Raises:
        WaitTimeoutError: one had not ended in time.
    """
    followed = [_followed(item) for item in sent]
    follow(followed, registry, listener, timeout_s)
    return [
        _answered(item, one, landing, registry) for item, one in zip(sent, followed, strict=True)
    ]


def wait_in_the_bucket(sent: Sent, landing: LandingZone, timeout_s: float) -> Submitted:
    """The same for one who can reach nothing but the bucket."""
    receipt = follow_in_the_bucket(landing, sent.submission, sent.upload, timeout_s)
    return not_waited_for(sent, landing).model_copy(
        update={"receipt": receipt, "seconds": time.monotonic() - sent.committed_at}
    )


def _followed(sent: Sent) -> Followed:
    assert sent.before is not None  # noqa: S101  it was sent with a registry
    return Followed(sent.submission.manifest.batch_id, sent.upload, sent.before)


def _answered(
    sent: Sent, followed: Followed, landing: LandingZone, registry: Registry
) -> Submitted:
    assert followed.batch is not None  # noqa: S101  `follow` ends with one
    report = registry.report(followed.batch)
    return not_waited_for(sent, landing).model_copy(
        update={
            "already_done": followed.already_done,
            "seconds": followed.ended_at - sent.committed_at,
            "batch": report,
            "receipt": _receipt(landing, report.receipt_uri),
        }
    )


def _receipt(landing: LandingZone, uri: str | None) -> Receipt | None:
    """None: there is none (yet: of a try that failed it comes after the ledger's word)."""
    return landing.receipt(uri) if uri else None
