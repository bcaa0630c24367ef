"""What is valid in the source is valid in the COG, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio

from libs.spatial_utils.cog import CogOptions, CogResult, describe_cog, write_cog
from libs.spatial_utils.gdal_cli import GDAL
from libs.spatial_utils.raster_info import RasterInfo, inspect_raster

MakeTiff = Callable[..., Path]
MakeCog = Callable[..., CogResult]
IMPOSSIBLE = [
    ("uint8", "255", "-99"),
    ("uint8", "255", "300"),
    ("uint8", "255", "nan"),
    ("uint8", "255", "1.5"),
    ("uint16", "65535", "-9999"),
    ("int16", "100", "nan"),
    ("int16", "-9999", "99999"),
    ("uint32", "4294967295", "-1.0000000"),
    ("int32", "2147483647", "3000000000"),
]
"""A type, a nodata value that rasterio will write, and one of as many letters in its place."""


def with_nodata(path: Path, written: str, wanted: str) -> Path:
    data = path.read_bytes()
    assert (data.count(f"{written}\0".encode()), len(written)) == (1, len(wanted))
    path.write_bytes(data.replace(f"{written}\0".encode(), f"{wanted}\0".encode()))
    return path


@pytest.fixture
def ingest(gdal: GDAL, tmp_path: Path) -> Callable[..., tuple[RasterInfo, CogResult, list[str]]]:
    def run(path: Path, layer: str | None = None, **options: object) -> tuple:
        info = inspect_raster(gdal, path, driver="GTiff", layer=layer, work_dir=tmp_path)
        notes = write_cog(
            gdal, path, info, tmp_path / "out.tif",
            options=CogOptions.model_validate(options), work_dir=tmp_path,
        )  # fmt: skip
        cog = describe_cog(gdal, tmp_path / "out.tif", work_dir=tmp_path)
        return info, cog, [*info.notes, *notes]

    return run


@pytest.mark.parametrize(("dtype", "written", "nodata"), IMPOSSIBLE)
def test_a_nodata_value_that_no_cell_can_hold_leaves_no_corner_valid(
    dtype: str, written: str, nodata: str, make_tiff: MakeTiff, ingest: Callable[..., tuple]
) -> None:
    cells = np.random.default_rng(1).integers(0, 99, (1, 300, 300)).astype(dtype)
    source = with_nodata(make_tiff(cells, nodata=int(written)), written, nodata)
    info, result, notes = ingest(source, target_crs="EPSG:3035")
    assert not info.has_nodata
    assert result.shape.bands[0].nodata is None
    assert "is no value" in notes[0]
    assert "a mask" in notes[1]
    with rasterio.open(result.path) as cog:
        assert cog.nodata is None
        valid = cog.dataset_mask() == 255
        assert not valid[0, 0]
        # every cell of the source counts, whatever it holds
        assert valid.sum() == pytest.approx(300 * 300, rel=0.01)


@pytest.mark.parametrize(("dtype", "written", "nodata"), IMPOSSIBLE)
def test_a_nodata_value_that_no_cell_can_hold_is_not_in_the_cog(
    dtype: str, written: str, nodata: str, make_tiff: MakeTiff, ingest: Callable[..., tuple]
) -> None:
    cells = np.random.default_rng(1).integers(0, 99, (2, 600, 600)).astype(dtype)
    source = with_nodata(make_tiff(cells, nodata=int(written)), written, nodata)
    _, result, notes = ingest(source)
    assert len(notes) == 1
    assert result.shape.bands[1].nodata is None
    with rasterio.open(result.path) as cog:
        assert cog.nodata is None
        assert np.array_equal(cog.read(), cells)
        assert cog.dataset_mask().all()


@pytest.mark.parametrize(
    ("dtype", "nodata"),
    [("uint8", 255), ("int16", -32768), ("float32", float("-inf")), ("float32", -9999.9)],
)
def test_a_nodata_value_at_the_end_of_its_type_counts(
    dtype: str, nodata: float, make_tiff: MakeTiff, ingest: Callable[..., tuple]
) -> None:
    cells = np.ones((1, 300, 300), dtype)
    cells[:, :100] = nodata
    _, result, notes = ingest(make_tiff(cells, nodata=nodata), target_crs="EPSG:3035")
    assert notes == []
    with rasterio.open(result.path) as cog:
        assert cog.dataset_mask().mean() == pytest.approx(255 * 0.57, rel=0.05)
        assert cog.nodata == np.dtype(dtype).type(nodata)


@pytest.mark.parametrize("target_crs", [None, "EPSG:3035"])
@pytest.mark.parametrize("resampling", ["nearest", "bilinear"])
def test_what_a_mask_hides_stays_hidden_where_there_is_a_nodata_value_too(
    target_crs: str | None, resampling: str, make_tiff: MakeTiff, ingest: Callable[..., tuple]
) -> None:
    cells = np.random.default_rng(1).choice([0, 50], (1, 1300, 1300)).astype("uint8")
    mask = np.full((1300, 1300), 255, "uint8")
    mask[:, :500], cells[0, :, :500] = 0, 99
    source = make_tiff(cells, mask=mask, nodata=0)
    _, result, _ = ingest(source, target_crs=target_crs, resampling=resampling)
    assert result.shape.bands[0].nodata == "0"
    for level in (None, 0, 1):
        with rasterio.open(
            result.path, **({} if level is None else {"overview_level": level})
        ) as cog:
            valid = cog.read_masks(1) == 255
            share = cog.width * cog.height * (cog.res[0] / 10) ** 2 / 1300**2
            assert valid.mean() * share == pytest.approx(8 / 13, rel=0.02)
            if resampling == "nearest":
                assert 99 not in cog.read(1)[valid]
