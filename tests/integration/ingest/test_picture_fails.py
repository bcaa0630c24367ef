"""A result that cannot be drawn is committed all the same; one that cannot be read never is."""

import logging
import uuid

import numpy as np
import pytest

from libs.errors import TransientError
from libs.faultpoints import Point, step_in
from libs.ingest import raster_work
from libs.spatial_utils.picture import picture_of_cog
from tests.integration.ingest.scenes import geotiff

pytestmark = pytest.mark.integration


@pytest.fixture
def batch(user, tmp_path):
    data = np.random.default_rng(7).integers(0, 4000, (1, 700, 900)).astype("uint16")
    path = geotiff(tmp_path / "scene.tif", data)
    entry = user.raster(path, crs="EPSG:32633")
    return user.manifest([entry], intent="ingest_satellite_raster")


@pytest.fixture
def before_it_is_drawn(monkeypatch):
    """What it is given is done when the COG has been described, by who is to draw it."""

    def arrange(act):
        def late(*arguments):
            act()
            return picture_of_cog(*arguments)

        monkeypatch.setattr(raster_work, "picture_of_cog", late)

    return arrange


@pytest.fixture
def before_it_is_described():
    """What it is given is done when the COG lies there, and nobody has looked at it yet."""

    def arrange(act):
        step_in(lambda point: act() if point is Point.EJECT_STARTED else None)

    yield arrange
    step_in(None)


def test_no_time_to_draw_is_no_reason_to_refuse_the_file(
    user, batch, platform, before_it_is_drawn, monkeypatch, caplog
):
    before_it_is_drawn(lambda: monkeypatch.setattr(platform.gdal, "timeout_s", 0.001))
    with caplog.at_level(logging.WARNING, "libs.ingest"):
        committed = user.run(batch)
    assert committed.assets[0].picture is None
    assert platform.ledger.asset(committed.assets[0].asset.id).version == 1
    (line,) = [one for one in caplog.records if "no picture" in one.message]
    assert "ETL_GDAL_TIMEOUT_S" in line.message


@pytest.mark.parametrize("moment", ["before_it_is_described", "before_it_is_drawn"])
def test_a_cog_that_the_disk_has_spoilt_is_not_blamed_on_the_user(
    user, batch, platform, moment, request
):
    run_id = str(uuid.uuid4())

    def spoil():
        (cog,) = platform.limits.work_dir.glob(f"run-{run_id.replace('-', '')}/*/out.tif")
        cog.write_bytes(bytes(cog.stat().st_size))

    request.getfixturevalue(moment)(spoil)
    with pytest.raises(TransientError, match="cannot be read again") as told:
        user.run(batch, run_id)
    assert "pload it again" not in str(told.value)
    assert platform.ledger.current_assets(user.name) == ()
