"""When the sensor tries again, and how much it takes on in one tick."""

import time
from datetime import datetime, timezone
from types import SimpleNamespace

import pytest
from dagster import DagsterRunStatus

from etl_pipelines.run_tags import BUSY_TAG
from etl_pipelines.sensors import manifest_sensor
from libs.models import ManifestUpload, utc_now
from libs.settings import EtlSettings

LIMITS = EtlSettings(run_attempts=5, retry_wait_s=10, lease_s=120)


class History:
    """The runs of one upload, each failing three seconds after it began."""

    def __init__(self, monkeypatch):
        self.now = 1_000_000.0
        self.runs = []
        history = self

        class Clock(datetime):
            @classmethod
            def now(cls, tz=None):
                return datetime.fromtimestamp(history.now, tz)

        monkeypatch.setattr(manifest_sensor, "datetime", Clock)

    def next(self):
        return manifest_sensor._next_attempt(self.runs, LIMITS)

    def fails(self, *, busy=False):
        self.runs.append(SimpleNamespace(
            create_timestamp=datetime.fromtimestamp(self.now, timezone.utc),
            end_time=self.now + 3,
            dagster_run=SimpleNamespace(
                status=DagsterRunStatus.FAILURE, run_id="x", tags={BUSY_TAG: "true"} if busy else {}
            ),
        ))  # fmt: skip

    def waits(self, at_most=7200):
        """Seconds until the next attempt; None: there is none."""
        begun = self.now
        while self.next() is None:
            self.now += 1
            if self.now - begun > at_most:
                return None
        return self.now - begun - 3


@pytest.fixture
def history(monkeypatch):
    return History(monkeypatch)


def test_a_failed_upload_is_tried_again_twice_as_late_each_time_until_all_attempts_are_made(
    history,
):
    assert history.next() == 1
    waits = []
    for _ in range(5):
        history.fails()
        waits.append(history.waits())
    assert waits == [10, 20, 40, 80, None]


def test_waiting_for_another_run_of_the_batch_is_no_attempt(history):
    waits = []
    for _ in range(7):
        history.fails(busy=True)
        waits.append(history.waits())
    assert waits == [120, 240, 480, 960, 1800, 1800, 1800]
    assert history.next() == 8  # so that each run has a key of its own
    for expected in (10, 20, 40, 80, None):
        history.fails()
        assert history.waits() == expected


def test_a_run_that_goes_on_or_was_cancelled_is_left_alone(history):
    history.fails()
    for status in (DagsterRunStatus.STARTED, DagsterRunStatus.CANCELED, DagsterRunStatus.SUCCESS):
        history.runs[0].dagster_run.status = status
        assert history.waits() is None


def test_a_tick_takes_on_no_more_than_it_has_time_for(monkeypatch):
    def slow_look(_platform, _upload, *, with_size):
        time.sleep(0.02)

    monkeypatch.setattr(manifest_sensor, "outlook", slow_look)
    monkeypatch.setattr(manifest_sensor, "REQUESTS_S", 0.1)
    platform = SimpleNamespace(limits=LIMITS)
    uploads = [
        ManifestUpload(key=f"manifests/{n}.json", etag="e", last_modified=utc_now(), size_bytes=2)
        for n in range(100)
    ]
    requests = manifest_sensor._requests(platform, [(upload, 1) for upload in uploads])
    assert 1 <= len(requests) < 20
    assert [request.run_key for request in requests] == [
        upload.run_key for upload in uploads[: len(requests)]
    ]
