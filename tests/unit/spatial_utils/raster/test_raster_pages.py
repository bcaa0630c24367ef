"""The pages of a TIFF and the masks that go with them."""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio

from libs.errors import InputError
from libs.spatial_utils.cog import CogResult
from libs.spatial_utils.errors import UnreadableFileError
from libs.spatial_utils.raster_tiff import has_mask

MakeTiff = Callable[..., Path]
MakeCog = Callable[..., CogResult]
MASK = np.zeros((100, 120), "uint8")
MASK[20:60] = 255
CELLS = np.random.default_rng(1).integers(1, 99, (1, 100, 120)).astype("uint8")


@pytest.fixture
def make_pages(make_tiff: MakeTiff, tmp_path: Path) -> Callable[..., Path]:
    """A TIFF with a page for each word, `masked` or `bare`, as GDAL's own programs make it."""

    def make(*words: str, **profile: object) -> Path:
        pages = tmp_path / "pages.tif"
        options = [f"{name}={value}" for name, value in profile.items()]
        for number, word in enumerate(words):
            mask = MASK if word == "masked" else None
            page = make_tiff(CELLS + number, name="page.tif", mask=mask)
            more = ["APPEND_SUBDATASET=YES"] if number else options
            subprocess.run(
                ["gdal_translate", "-q", page, pages,
                 *(word for option in more for word in ("-co", option))],
                check=True, env={**os.environ, "GDAL_TIFF_INTERNAL_MASK": "YES"},
            )  # fmt: skip
            page.unlink()
        return pages

    return make


@pytest.mark.parametrize("target_crs", [None, "EPSG:4326"])
def test_the_first_page_keeps_its_mask(
    target_crs: str | None, make_pages: Callable[..., Path], make_cog: MakeCog
) -> None:
    result = make_cog(make_pages("masked", "bare"), layer="1", target_crs=target_crs)
    with rasterio.open(result.path) as cog:
        assert (cog.dataset_mask() == 255).mean() == pytest.approx(0.4, abs=0.03)
        if target_crs is None:
            assert np.array_equal(cog.read(), CELLS)


def test_the_first_page_does_not_take_the_mask_of_the_next(
    make_pages: Callable[..., Path], make_cog: MakeCog
) -> None:
    with rasterio.open(make_cog(make_pages("bare", "masked"), layer="1").path) as cog:
        assert cog.dataset_mask().all()
        assert np.array_equal(cog.read(), CELLS)


def test_another_page_without_a_mask_is_taken(
    make_pages: Callable[..., Path], make_cog: MakeCog
) -> None:
    with rasterio.open(make_cog(make_pages("masked", "bare"), layer="3").path) as cog:
        assert cog.dataset_mask().all()
        assert np.array_equal(cog.read(), CELLS + 1)


def test_another_page_with_a_mask_is_refused(
    make_pages: Callable[..., Path], make_cog: MakeCog
) -> None:
    with pytest.raises(InputError, match=r"pages\.tif: its page 2 has a mask.*Cure: Write page 2"):
        make_cog(make_pages("bare", "masked", "bare"), layer="2")


@pytest.mark.parametrize(("big", "order"), [("YES", "LITTLE"), ("YES", "BIG"), ("NO", "BIG")])
def test_masks_are_found_in_every_kind_of_tiff(
    big: str, order: str, make_pages: Callable[..., Path]
) -> None:
    pages = make_pages("bare", "masked", "masked", BIGTIFF=big, ENDIANNESS=order)
    assert pages.read_bytes()[:2] == (b"II" if order == "LITTLE" else b"MM")
    assert [has_mask(pages, page, "pages.tif") for page in (1, 2, 4)] == [False, True, True]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"II*\0",
        b"II*\0" + struct.pack("<I", 8) + struct.pack("<HI", 0, 8),  # its next one is itself
        b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 65535),
        b"II*\0" + struct.pack("<I", 2**32 - 1),
        b"II+\0" + struct.pack("<HHQ", 8, 0, 16) + struct.pack("<Q", 2**63),
    ],
)
def test_directories_that_lead_nowhere_are_an_error(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    path.write_bytes(data)
    with pytest.raises(UnreadableFileError, match=r"x\.tif.*page 2"):
        has_mask(path, 2, "x.tif")
