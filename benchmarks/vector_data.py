"""Vector data from a seed, written as GeoPackage in EPSG:32633, in memory that does not grow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyogrio
import shapely

CRS = "EPSG:32633"
CHUNK_ROWS = 50_000
EXTENT_M = 400_000
"""The features lie in a square of that size, in the middle of the zone."""
POLYGON_VERTICES = 20
"""And the first one again: 21."""


def polygons(chance: np.random.Generator, rows: int) -> np.ndarray:
    """Rough circles of 50 to 250 m, some of them with vertices that hardly matter."""
    angles = np.linspace(0, 2 * np.pi, POLYGON_VERTICES, endpoint=False)
    radius = chance.uniform(50, 250, (rows, 1)) * chance.uniform(
        0.85, 1.15, (rows, POLYGON_VERTICES)
    )
    ring = np.stack([radius * np.cos(angles), radius * np.sin(angles)], axis=2)
    return shapely.polygons(_places(chance, rows)[:, None, :] + ring)


def lines(chance: np.random.Generator, rows: int) -> np.ndarray:
    """Walks of 30 vertices, 20 m apart, that turn little."""
    turns = np.cumsum(chance.normal(0, 0.2, (rows, 30)), axis=1) + chance.uniform(
        0, 2 * np.pi, (rows, 1)
    )
    walk = np.cumsum(np.stack([np.cos(turns), np.sin(turns)], axis=2) * 20, axis=1)
    return shapely.linestrings(_places(chance, rows)[:, None, :] + walk)


def points(chance: np.random.Generator, rows: int) -> np.ndarray:
    """Places."""
    return shapely.points(_places(chance, rows))


SHAPES: dict[str, tuple[str, Callable[[np.random.Generator, int], np.ndarray]]] = {
    "polygons": ("Polygon", polygons),
    "lines": ("LineString", lines),
    "points": ("Point", points),
}


def write_features(path: Path, shape: str, rows: int, seed: int = 1) -> Path:
    """Write `rows` features with five attributes; an existing file is left as it is."""
    if path.exists():
        return path
    kind, make = SHAPES[shape]
    part = path.with_suffix(".part.gpkg")
    part.unlink(missing_ok=True)
    chance = np.random.default_rng(seed)
    batches = _batches(chance, rows, make)
    first = next(batches)
    reader = pa.RecordBatchReader.from_batches(first.schema, chain([first], batches))
    pyogrio.write_arrow(
        reader, part, driver="GPKG", layer="features", geometry_name="geom", geometry_type=kind,
        crs=CRS, SPATIAL_INDEX="YES",
    )  # fmt: skip
    part.rename(path)
    return path


def _places(chance: np.random.Generator, rows: int) -> np.ndarray:
    return chance.uniform(0, EXTENT_M, (rows, 2)) + np.array([300_000, 5_000_000])


def _batches(
    chance: np.random.Generator, rows: int, make: Callable[[np.random.Generator, int], np.ndarray]
) -> Iterator[pa.RecordBatch]:
    classes = np.array(["residential", "commercial", "industrial", "forest", "water", "other"])
    for start in range(0, rows, CHUNK_ROWS):
        size = min(CHUNK_ROWS, rows - start)
        numbers = np.arange(start, start + size, dtype=np.int64)
        yield pa.record_batch(
            {
                "id": numbers,
                "name": pa.array([f"feature {number}" for number in numbers]),
                "class": pa.array(classes[chance.integers(0, len(classes), size)]),
                "value": chance.normal(100, 20, size),
                "count": chance.integers(0, 10_000, size, dtype=np.int32),
                "geom": pa.array(shapely.to_wkb(make(chance, size)), pa.binary()),
            }
        )
