"""How large a raster may say it is: checked on its header, before any pixel is read."""

from __future__ import annotations

import math

from libs.spatial_utils.errors import LimitExceededError
from libs.spatial_utils.gdal_info import DatasetInfo

RASTER_MAX_BYTES = 512 * 2**30
"""Uncompressed size of all bands that is accepted by default."""
HARMLESS_BYTES = 256 * 2**20
"""Up to here the size that a file declares is not compared with its own."""
MAX_EXPANSION = 10_000
"""Bytes of pixels per byte of file. An image all in one colour reaches 1 000 with deflate and
some 8 000 with zstd; a header that promises two thousand million pixels in 1 KB, two million."""

BYTES_OF_TYPE = {
    "Byte": 1,
    "Int8": 1,
    "UInt16": 2,
    "Int16": 2,
    "UInt32": 4,
    "Int32": 4,
    "UInt64": 8,
    "Int64": 8,
    "Float32": 4,
    "Float64": 8,
    "CInt16": 4,
    "CInt32": 8,
    "CFloat32": 8,
    "CFloat64": 16,
}
"""GDAL's data types and the bytes of one pixel."""


def uncompressed_bytes(info: DatasetInfo) -> int:
    """Columns x rows x bands x bytes, as the header declares them."""
    columns, rows = info.size
    return columns * rows * sum(BYTES_OF_TYPE.get(band.data_type, 16) for band in info.bands)


def require_plausible_size(
    info: DatasetInfo, *, file_bytes: int, max_bytes: int, about: str
) -> None:
    """Refuse a raster too large to be worked on, or whose file cannot hold what it declares.

    Raises:
        LimitExceededError: it is one of the two.
    """
    declared = uncompressed_bytes(info)
    size = f"{info.size[0]} x {info.size[1]} pixels in {len(info.bands)} band(s), {declared} bytes"
    if declared > max_bytes:
        raise LimitExceededError.of(
            about,
            f"it is {size} uncompressed; {max_bytes} is the most that is accepted.",
            "Submit it in smaller parts.",
        )
    if declared > HARMLESS_BYTES and declared > MAX_EXPANSION * file_bytes:
        raise LimitExceededError.of(
            about,
            f"its header declares {size}, in a file of {file_bytes} bytes, which cannot hold them.",
            "Check that the file is whole; crop an image that is empty for the most part.",
        )


def require_readable_blocks(info: DatasetInfo, *, memory_bytes: int, about: str) -> None:
    """Refuse a raster whose blocks, each read whole, do not fit in GDAL's block cache.

    Every line of pixels would be paid for with the decompression of a whole block.

    Raises:
        LimitExceededError: it is such a one.
    """
    largest = max(
        math.prod(band.block) * BYTES_OF_TYPE.get(band.data_type, 16) for band in info.bands
    )
    if largest > memory_bytes:
        columns, rows = info.bands[0].block
        raise LimitExceededError.of(
            about,
            f"it is stored in blocks of {columns} x {rows} pixels, {largest} bytes each; GDAL may "
            f"hold {memory_bytes} at once.",
            "Store it in tiles (gdal_translate -co TILED=YES IN.tif OUT.tif), or have "
            "ETL_GDAL_MEMORY_MB raised.",
        )
