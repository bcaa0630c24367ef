"""Whether two results of the vector job are the same data: rows, attributes, geometry, validity.

DuckDB and shapely look; none of our own code does.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import shapely

from benchmarks.duckdb_extensions import connect

TOLERANCE = 0.0001
"""Degrees: the job's own. Two results may each be that far from the source."""
SAMPLE_ROWS = 5_000
SAMPLE_VERTICES = 300
"""Of one geometry."""
REPAIRED_AREA_SHARE = 0.01


class DisagreementError(AssertionError):
    """Two contenders did not do the same work."""


@dataclass(frozen=True)
class Contents:
    """What is compared of a file."""

    rows: int
    attributes: tuple[object, ...]
    """Sums and counts over all rows, which the order does not change."""
    geometry: dict[int, bytes]
    """WKB of each n-th feature by its id."""
    invalid: int
    """Of those."""


def contents(path: Path) -> Contents:
    """Look at a GeoParquet file whose geometry is `geom` or `geometry`."""
    names = pq.read_schema(path).names
    geometry = "geom" if "geom" in names else "geometry"
    with connect() as database:
        rows, *attributes = database.execute(
            f"""SELECT count(*), count(DISTINCT id), sum(id), round(sum(value), 3), sum(count),
                count(DISTINCT name), count(DISTINCT class) FROM read_parquet('{path}')"""
        ).fetchone()
        step = max(1, rows // SAMPLE_ROWS)
        sample = database.execute(
            f"""SELECT id, ST_AsWKB({geometry}) FROM read_parquet('{path}') WHERE id % {step} = 0"""
        ).fetchall()
    shapes = {number: bytes(wkb) for number, wkb in sample}
    invalid = int(np.sum(~shapely.is_valid(shapely.from_wkb(list(shapes.values())))))
    return Contents(rows, tuple(attributes), shapes, invalid)


def require_agreement(name: str, ours: Contents, theirs: Contents) -> None:
    """Raises `DisagreementError` naming the first thing in which they differ."""
    if ours.rows != theirs.rows or ours.attributes != theirs.attributes:
        raise DisagreementError(
            f"{name}: {theirs.rows} rows, {theirs.attributes}; ours {ours.rows}, {ours.attributes}"
        )
    if ours.geometry.keys() != theirs.geometry.keys():
        raise DisagreementError(f"{name}: other features have a geometry")
    if theirs.invalid < ours.invalid:
        raise DisagreementError(f"{name}: fewer invalid geometries than ours has")
    for key, wkb in ours.geometry.items():
        mine, other = shapely.from_wkb([wkb, theirs.geometry[key]])
        far = _apart(mine, other) if shapely.is_valid(other) else _apart_repaired(mine, other)
        if not far <= 2 * TOLERANCE:
            raise DisagreementError(f"{name}: the geometry of {key} is {far} degrees from ours")


def _apart(one: shapely.Geometry, other: shapely.Geometry) -> float:
    """How far a vertex of one is from the lines of the other, at most; a sample of many vertices.

    Lines are compared and not areas: of an invalid polygon nobody knows what it covers.
    """
    return max(_farthest(one, other), _farthest(other, one))


def _apart_repaired(ours: shapely.Geometry, invalid: shapely.Geometry) -> float:
    """The same where only ours was repaired: it has no line that the invalid one has not.

    It may lack some, as a spike that covers nothing; that is why the areas must be about the same.
    """
    if abs(ours.area - invalid.area) > REPAIRED_AREA_SHARE * invalid.area:
        return float("inf")
    return _farthest(ours, invalid)


def _farthest(one: shapely.Geometry, other: shapely.Geometry) -> float:
    vertices = shapely.get_coordinates(one)
    vertices = vertices[:: max(1, len(vertices) // SAMPLE_VERTICES)]
    lines = shapely.boundary(other) if shapely.get_dimensions(other) == 2 else other
    return float(np.max(shapely.distance(shapely.points(vertices), lines)))
