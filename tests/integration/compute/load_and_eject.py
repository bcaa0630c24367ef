"""Loads and ejects ARGV[1] generated polygons of 21 vertices; prints seconds and peak MiB."""

from __future__ import annotations

import resource
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from libs.compute import PostGIS
from libs.models import RunSchema
from libs.settings import Settings
from libs.spatial_utils.geoparquet import write_geoparquet

ROWS, TARGET = int(sys.argv[1]), Path(sys.argv[2])
SCHEMA = pa.schema([("id", pa.int64()), ("name", pa.string()), ("wkb", pa.binary())])
PORTION = 20_000


def batches() -> Iterator[pa.RecordBatch]:
    random = np.random.default_rng(1)
    angle = np.linspace(0, 2 * np.pi, 21)
    header = np.frombuffer(b"\1\3\0\0\0\1\0\0\0\x15\0\0\0", np.uint8)
    for first in range(0, ROWS, PORTION):
        centre = random.uniform([3e5, 5.2e6], [7e5, 5.8e6], (PORTION, 1, 2))
        radius = random.uniform(5, 50, (PORTION, 1, 1))
        ring = centre + radius * np.stack([np.cos(angle), np.sin(angle)], -1)
        ring[:, -1] = ring[:, 0]
        body = ring.reshape(PORTION, -1).view(np.uint8)
        wkb = np.hstack([np.broadcast_to(header, (PORTION, header.size)), body])
        offsets = pa.py_buffer(np.arange(PORTION + 1, dtype=np.int32) * wkb.shape[1])
        geometry = pa.Array.from_buffers(
            pa.binary(), PORTION, [None, offsets, pa.py_buffer(wkb.tobytes())]
        )
        ids = np.arange(first, first + PORTION)
        names = [f"building {number}" for number in ids]
        yield pa.RecordBatch.from_arrays([pa.array(ids), pa.array(names), geometry], schema=SCHEMA)


def main() -> None:
    schema = RunSchema(run_id=str(uuid.uuid4()))
    with PostGIS.connect(Settings().compute) as compute, compute.ephemeral_schema(schema):
        started = time.monotonic()
        loaded = compute.load_arrow(batches(), arrow_schema=SCHEMA, schema=schema, geometry_index=2)
        at_load = time.monotonic()
        with compute.stream_table(schema, loaded.table, loaded) as stream:
            write_geoparquet(stream, TARGET, schema=stream.schema, crs=None)
    ended = time.monotonic()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    sys.stdout.write(f"load {at_load - started:.2f} s, eject {ended - at_load:.2f} s, peak {peak}")


main()
