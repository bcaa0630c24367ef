"""The child process that reads an untrusted vector file; run by `vector_reader`, inside `sandbox`.

Writes to its output what `vector_wire` describes. What GDAL may open is settled here, before GDAL
is loaded. Imports of our own are only those that cost nothing, since every file pays for them.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

from libs.spatial_utils.gdal_confine import confine
from libs.spatial_utils.vector_drivers import PARQUET, READINGS, all_drivers
from libs.spatial_utils.vector_wire import (
    EXIT_PROBLEM,
    MAX_BATCH_BYTES,
    MAX_BATCH_ROWS,
    PROBLEM_MARK,
    FileProblemError,
    Request,
    write_frame,
)

_SYSTEM_FOLDERS = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share", "/etc/ld.so.cache")

if TYPE_CHECKING:
    import pyarrow as pa

    from libs.spatial_utils.vector_layer import OpenLayer


def main() -> None:
    """Read what the first argument asks for; exit code 0, or 3 with a line that says why not."""
    request = Request.from_argument(sys.argv[1])
    out = os.fdopen(os.dup(1), "wb", buffering=2**18)
    os.dup2(2, 1)  # whatever a library prints must not get into the stream
    try:
        _read(request, out)
        out.flush()
    except FileProblemError as problem:
        _give_up(problem)
    # GDAL's own clean-up at exit is of no use to anybody, and slow after a large file.
    os._exit(0)


def _give_up(problem: FileProblemError) -> None:
    line = json.dumps({"what": problem.what[:2000], "cure": problem.cure})
    sys.stderr.write(f"\n{PROBLEM_MARK}{line}\n")
    sys.stderr.flush()
    os._exit(EXIT_PROBLEM)


def _read(request: Request, out: IO[bytes]) -> None:
    if request.format == PARQUET:
        from libs.spatial_utils.vector_parquet import open_parquet

        _shut_in(request.path)
        with open_parquet(request) as layer:
            _send(layer, out)
        return
    allow_only(READINGS[request.format].driver)
    from libs.spatial_utils.vector_ogr import open_ogr

    _shut_in(request.path)
    with open_ogr(request) as layer:
        _send(layer, out)


def allow_only(driver: str) -> None:
    """Load GDAL with one driver; what a file's bytes look like to all others does not matter then.

    Raises `RuntimeError` when GDAL would open anything else: another version of it, for one.
    """
    os.environ["OGR_SKIP"] = ",".join(name for name in all_drivers() if name != driver)
    sys.meta_path.insert(0, _NotHere())
    import pyogrio

    there = set(pyogrio.list_drivers())
    if there != {driver}:
        raise RuntimeError(f"GDAL has the drivers {sorted(there)}, not just {driver!r}")
    # pyogrio takes names for URLs: of `a;b.gpkg` it would open `a`, and of `a!b.gpkg` a `b.gpkg`.
    for module in (pyogrio.core, pyogrio.raw):
        assert hasattr(module, "get_vsi_path_or_buffer")  # noqa: S101
        module.get_vsi_path_or_buffer = str


def _shut_in(path: str) -> None:
    """Leave nothing to see but the file's own folder and our libraries, and no network.

    Only where the kernel has Landlock; the drivers are chosen and the environment is empty anyway.
    """
    ours = (sys.prefix, sys.base_prefix, str(Path(__file__).parents[2]), *_SYSTEM_FOLDERS)
    confine([*ours, str(Path(path).parent)], [os.environ["TMPDIR"], "/dev/null"])


class _NotHere:
    """Packages that pyogrio and pyarrow import where they find them; nothing here needs them."""

    def find_spec(self, name: str, *_: object) -> None:
        if name in ("shapely", "pandas", "geopandas", "pyproj"):
            raise ModuleNotFoundError(name)


def _send(layer: OpenLayer, out: IO[bytes]) -> None:
    import pyarrow as pa

    from libs.spatial_utils.vector_checks import Checks

    write_frame(out, layer.header())
    checks = Checks(layer.schema, layer.geometry_index)
    with pa.ipc.new_stream(out, layer.schema) as writer:
        for batch in layer.batches():
            checks.see(batch)
            for part in _parts(batch):
                writer.write_batch(part)
    write_frame(out, {**checks.trailer(), "notes": layer.late_notes()})


def _parts(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The batch in pieces that keep to the limits; a single huge row is a piece of its own."""
    if batch.num_rows == 0:
        return
    fitting = max(1, MAX_BATCH_BYTES * batch.num_rows // max(1, batch.nbytes))
    rows = min(MAX_BATCH_ROWS, fitting)
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)


if __name__ == "__main__":
    main()
