"""What readers fetch from the lake: a part of a GeoParquet by its bbox, a window of a COG.

The readers are DuckDB and GDAL; a relay before the vault counts. None of our code is in between.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow.parquet as pq
import rasterio
import shapely
from rasterio.windows import Window

from benchmarks.agreement import DisagreementError
from benchmarks.duckdb_extensions import connect
from benchmarks.figures import Figure, Outcome
from benchmarks.ours import run_batch
from benchmarks.raster_data import CRS as RASTER_CRS
from benchmarks.raster_data import write_image
from benchmarks.relay import Traffic, counting_relay
from benchmarks.stack import BenchStack
from benchmarks.user import Source
from benchmarks.vector_data import CRS, write_features

BOXES = 9
WINDOWS = 20
WINDOW_PIXELS = 256
AREA_SHARE = 0.01
_GDAL_OPTIONS = {
    "AWS_HTTPS": "NO", "AWS_VIRTUAL_HOSTING": "FALSE", "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "CPL_VSIL_CURL_NON_CACHED": "/vsis3/",
}  # fmt: skip


@dataclass(frozen=True)
class Lake:
    """An asset as readers reach it, and a copy of it to compare with."""

    stack: BenchStack
    bucket: str
    key: str
    copy: Path

    @property
    def bytes(self) -> int:
        return self.copy.stat().st_size


@dataclass(frozen=True)
class Box:
    """One query: its size, its rows, its cost."""

    area_share: float
    rows: int
    gets: int
    received_bytes: int
    share_of_file: float


@dataclass(frozen=True)
class Tile:
    """One window of a COG: requests until the header is known, and those for its pixels."""

    header_requests: int
    requests: int
    received_bytes: int


def run(stack: BenchStack, folder: Path, rows: int, side: int) -> Outcome:
    """Ask both assets again and again at places from a seed, each time with nothing remembered."""
    features = write_features(folder / f"polygons-{rows}.gpkg", "polygons", rows)
    vector = _in_lake(stack, Source(features, "GPKG", "vector", CRS, "ingest_vector"), "parquet")
    boxes = list(_boxes(vector))
    image = write_image(folder / f"image-{side}.tif", side)
    raster = _in_lake(
        stack, Source(image, "GTiff", "raster", RASTER_CRS, "ingest_satellite_raster"), "tif"
    )
    tiles = list(_tiles(raster))
    share, requests = [box.share_of_file for box in boxes], [tile.requests for tile in tiles]
    return Outcome(
        figures=(
            Figure("bytes read for a box of 1 % of the area, median", 100 * median(share),
                   "% of the file", at_most=10),
            Figure("the same, the worst box", 100 * max(share), "% of the file"),
            Figure("requests for that, median", median(box.gets for box in boxes), "GET"),
            Figure("256×256 window of a COG, after the header, worst", max(requests), "GET",
                   at_most=3),
            Figure("requests for the header", max(it.header_requests for it in tiles), "GET"),
        ),
        raw={"boxes": [asdict(it) for it in boxes], "tiles": [asdict(it) for it in tiles],
             "rows": rows, "file_bytes": vector.bytes},
        bars={f"box {n}": {"share": 100 * it.share_of_file} for n, it in enumerate(boxes)},
        axis=f"% of the bytes of a file of {rows:,} polygons, for 1 % of its area",
    )  # fmt: skip


def _in_lake(stack: BenchStack, source: Source, suffix: str) -> Lake:
    folder = source.path.parent
    copy = folder / f"asset.{suffix}"
    run_batch(stack, folder, source, copy)
    bucket, key = (folder / "asset.txt").read_text().split()
    return Lake(stack, bucket, key, copy)


def _boxes(lake: Lake) -> Iterator[Box]:
    shapes = shapely.from_wkb(pq.read_table(lake.copy, columns=["geometry"])["geometry"].to_numpy())
    bounds = shapely.bounds(shapes)
    west, south, east, north = shapely.total_bounds(shapes)
    size = np.array([east - west, north - south]) * AREA_SHARE**0.5
    chance = np.random.default_rng(1)
    with counting_relay(lake.stack.settings.vault.endpoint) as (endpoint, traffic):
        for x, y in chance.uniform([west, south], [east - size[0], north - size[1]], (BOXES, 2)):
            box = (x, y, x + size[0], y + size[1])
            rows = _ask(lake, endpoint, traffic, box)
            expected = np.sum(
                (bounds[:, 0] <= box[2]) & (bounds[:, 2] >= box[0])
                & (bounds[:, 1] <= box[3]) & (bounds[:, 3] >= box[1])
            )  # fmt: skip
            if rows != expected:
                raise DisagreementError(f"a box has {expected} rows, a reader found {rows}")
            received = traffic.received_bytes
            yield Box(AREA_SHARE, rows, traffic.gets, received, received / lake.bytes)


def _ask(lake: Lake, endpoint: str, traffic: Traffic, box: tuple[float, ...]) -> int:
    login = lake.stack.settings.uploader
    with connect(remote=True) as database:
        database.execute(
            f"""CREATE SECRET (TYPE s3, KEY_ID '{login.access_key}',
                SECRET '{login.secret_key.get_secret_value()}', ENDPOINT '{endpoint}',
                URL_STYLE 'path', USE_SSL false, REGION '{lake.stack.settings.vault.region}')"""
        )
        traffic.reset()
        west, south, east, north = box
        return len(
            database.execute(
                f"""SELECT * FROM read_parquet('s3://{lake.bucket}/{lake.key}')
                    WHERE bbox.xmin <= {east} AND bbox.xmax >= {west}
                    AND bbox.ymin <= {north} AND bbox.ymax >= {south}"""
            ).fetchall()
        )


def _tiles(lake: Lake) -> Iterator[Tile]:
    chance = np.random.default_rng(1)
    with (
        counting_relay(lake.stack.settings.vault.endpoint) as (endpoint, traffic),
        rasterio.open(lake.copy) as copy,
        _signed_in(lake),
        rasterio.Env(AWS_S3_ENDPOINT=endpoint, **_GDAL_OPTIONS),
    ):
        for left, top in chance.integers(0, copy.width - WINDOW_PIXELS, (WINDOWS, 2)):
            window = Window(left, top, WINDOW_PIXELS, WINDOW_PIXELS)
            traffic.reset()
            with rasterio.open(f"/vsis3/{lake.bucket}/{lake.key}") as remote:
                header = traffic.gets
                pixels = remote.read(window=window)
            if not np.array_equal(pixels, copy.read(window=window)):
                raise DisagreementError(f"a window at {left}, {top} has other pixels from the lake")
            yield Tile(header, traffic.gets - header, traffic.received_bytes)


@contextmanager
def _signed_in(lake: Lake) -> Iterator[None]:
    """GDAL takes keys from the environment; rasterio's own way would need boto3."""
    login, before = lake.stack.settings.uploader, dict(os.environ)
    os.environ["AWS_ACCESS_KEY_ID"] = login.access_key
    os.environ["AWS_SECRET_ACCESS_KEY"] = login.secret_key.get_secret_value()
    os.environ["AWS_REGION"] = lake.stack.settings.vault.region
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
