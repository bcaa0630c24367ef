"""Raster data from a seed, written as tiled GeoTIFF in EPSG:32633, in memory that does not grow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from rasterio.windows import Window

CRS = "EPSG:32633"
CELL_M = 10.0
WEST_M, NORTH_M = 300_000, 5_400_000
STRIP_ROWS = 512


def write_image(path: Path, side: int, seed: int = 1) -> Path:
    """Red, green and blue as bytes: land that changes slowly, and noise as a camera has it."""
    profile = {"count": 3, "dtype": "uint8", "photometric": "RGB", "interleave": "pixel"}
    return _write(path, side, profile, seed)


def write_heights(path: Path, side: int, seed: int = 1) -> Path:
    """One band of heights in metres as 32-bit floats."""
    return _write(path, side, {"count": 1, "dtype": "float32"}, seed)


def _write(path: Path, side: int, profile: dict[str, object], seed: int) -> Path:
    if path.exists():
        return path
    part = path.with_suffix(".part.tif")
    chance = np.random.default_rng(seed)
    with rasterio.open(
        part, "w", driver="GTiff", width=side, height=side, crs=CRS, tiled=True, blockxsize=512,
        blockysize=512, bigtiff="IF_SAFER",
        transform=rasterio.transform.from_origin(WEST_M, NORTH_M, CELL_M, CELL_M), **profile,
    ) as target:  # fmt: skip
        for top in range(0, side, STRIP_ROWS):
            rows = min(STRIP_ROWS, side - top)
            for band in range(1, target.count + 1):
                values = _land(chance, np.arange(top, top + rows), side, band)
                values = values / 8 if target.dtypes[0] == "uint8" else values
                target.write(
                    values.astype(target.dtypes[0]), band, window=Window(0, top, side, rows)
                )
    part.rename(path)
    return path


def _land(chance: np.random.Generator, rows: np.ndarray, side: int, band: int) -> np.ndarray:
    """Heights of 0 to 2000: hills of some kilometres, and roughness of some metres."""
    along, across = np.arange(side) / 317.0, rows[:, None] / (271.0 + 10 * band)
    hills = np.sin(along + np.sin(across)) + np.cos(across * 1.7 + np.sin(along / 3))
    rough = chance.normal(0, 12, (len(rows), side))
    return np.clip(1000 + 450 * hills + rough, 0, 2000).astype(np.float32)
