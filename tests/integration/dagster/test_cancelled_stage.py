"""A run that a person cancels is cancelled in the ledger, whatever the interrupt turned into."""

from __future__ import annotations

from types import SimpleNamespace

import geopandas
import pytest
import shapely
from dagster import DagsterInstance, job, op

from etl_pipelines.ops._stage import run_stage
from libs.compute.errors import ComputeUnavailableError
from libs.ingest import receive
from libs.models import BatchState, RunState

pytestmark = pytest.mark.integration


def test_an_interrupt_that_a_driver_turned_into_an_error_is_still_a_cancellation(
    user, platform, tmp_path
):
    path = tmp_path / "p.gpkg"
    geopandas.GeoDataFrame({"n": [1]}, geometry=[shapely.Point(1, 2)], crs=4326).to_file(path)
    upload = user.manifest([user.vector(path, "GPKG")])

    @op
    def load(context):
        received = receive(platform, upload, context.run_id)

        def interrupted_in_copy(_platform):
            # What the COPY of ADBC makes of SIGINT: it cancels the statement and raises its error.
            context.instance.report_run_canceling(context.dagster_run)
            raise ComputeUnavailableError("loading failed: canceling statement due to user request")

        run_stage(context, SimpleNamespace(get=lambda: platform), received.job, interrupted_in_copy)

    @job
    def ingest():
        load()

    with DagsterInstance.ephemeral() as instance:
        done = ingest.execute_in_process(instance=instance, raise_on_error=False)
    record = platform.ledger.run(done.run_id)
    assert record.state is RunState.CANCELLED
    assert platform.ledger.batch(record.batch).state is BatchState.CANCELLED
