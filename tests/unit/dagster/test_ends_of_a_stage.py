"""What the ledger, the run's tags and Dagster are told when a stage does not come to its end."""

from types import SimpleNamespace

import pytest
from dagster import (
    DagsterExecutionInterruptedError,
    DagsterInstance,
    DagsterRunStatus,
    Failure,
    job,
    op,
)

from etl_pipelines.ops import _stage
from etl_pipelines.run_tags import BUSY_TAG
from libs.ingest import RunState
from libs.ledger import BatchBusyError
from libs.models import Batch, BatchState, Lease, ManifestUpload, utc_now


class Ledger:
    def __init__(self):
        self.abandoned, self.ended = [], []

    def end_run(self, _run_id, state, **_):
        self.ended.append(state)

    def abandon_run(self, _run_id, reason, state):
        self.abandoned.append((reason, state))


class Resource:
    """Of a platform whose servers are not asked for anything here."""

    def __init__(self, tmp_path):
        self.ledger = Ledger()
        compute = SimpleNamespace(drop_run_schemas=lambda _run_id: [])
        limits = SimpleNamespace(work_dir=tmp_path)
        self.platform = SimpleNamespace(ledger=self.ledger, compute=compute, limits=limits)

    def get(self):
        return self.platform


@pytest.fixture
def ended(tmp_path):
    """Runs a job whose one stage ends with an error; the resource, the run, and what came out."""

    def run(error, *, is_cancelled=False, monkeypatch=None, tags=None):
        resource, raised = Resource(tmp_path), []

        @op
        def stage(context):
            def work(_platform):
                if is_cancelled:
                    monkeypatch.setattr(_stage, "_is_cancelled", lambda _context: True)
                raise error

            try:
                _stage.run_stage(context, resource, None, work)
            except BaseException as ending:  # noqa: BLE001  it is what is looked at
                raised.append(ending)
                raise Failure("over") from None

        @job
        def one():
            stage()

        with DagsterInstance.ephemeral() as instance:
            done = one.execute_in_process(instance=instance, raise_on_error=False, tags=tags)
            record = instance.get_run_by_id(done.run_id)
        assert record.status is DagsterRunStatus.FAILURE
        return resource.ledger, record, raised[0]

    return run


def busy():
    upload = ManifestUpload(key="manifests/m.json", etag="e", last_modified=utc_now(), size_bytes=2)
    return BatchBusyError(Batch(
        id="0" * 64, batch_id="b", state=BatchState.RUNNING, upload=upload,
        manifest_sha256="1" * 64, manifest=b"{}", intent=None, recipe_hash=None,
        received_at=utc_now(),
        lease=Lease(run_id="a" * 8 + "-0000-0000-0000-" + "0" * 12, expires_at=utc_now()),
    ))  # fmt: skip


def test_a_run_that_finds_its_batch_busy_says_so_in_its_tags(ended):
    ledger, run, raised = ended(busy())
    assert (ledger.ended, ledger.abandoned) == ([RunState.NOTHING_TO_DO], [])
    assert run.tags[BUSY_TAG] == "true"
    assert isinstance(raised, Failure)
    _, run, _ = ended(ValueError("a bug"))
    assert BUSY_TAG not in run.tags


def test_a_process_that_is_stopped_has_failed_and_a_run_that_a_person_cancels_is_cancelled(
    ended, monkeypatch
):
    ledger, _, raised = ended(DagsterExecutionInterruptedError())
    [(reason, state)] = ledger.abandoned
    assert (state, "was stopped" in reason) == (RunState.FAILED, True)
    assert isinstance(raised, DagsterExecutionInterruptedError)
    ledger, _, _ = ended(
        DagsterExecutionInterruptedError(), is_cancelled=True, monkeypatch=monkeypatch
    )
    assert ledger.abandoned == [("Cancelled by a person.", RunState.CANCELLED)]


def test_an_interrupt_that_a_driver_made_an_error_of_is_one_still(ended, monkeypatch):
    ledger, _, raised = ended(
        RuntimeError("the connection is lost"), is_cancelled=True, monkeypatch=monkeypatch
    )
    assert isinstance(raised, DagsterExecutionInterruptedError)
    assert ledger.abandoned == [("Cancelled by a person.", RunState.CANCELLED)]


def test_a_run_that_has_taken_its_time_has_failed_and_names_the_limit(ended, monkeypatch):
    """Dagster ends it in the way of a cancellation."""
    ledger, _, _ = ended(
        DagsterExecutionInterruptedError(), is_cancelled=True, monkeypatch=monkeypatch,
        tags={"dagster/max_runtime": "0.0001"},
    )  # fmt: skip
    [(reason, state)] = ledger.abandoned
    assert state is RunState.FAILED
    assert "ETL_RUN_TIMEOUT_S" in reason
