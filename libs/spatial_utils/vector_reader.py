"""Reads an untrusted vector file as Arrow batches, through a child process that can be killed.

How the child reads is `vector_child`'s business; what is done with the rows is the caller's.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
from pydantic import ValidationError

from libs.spatial_utils.errors import ReaderBrokenError, UnreadableFileError
from libs.spatial_utils.sandbox import Child, ChildLimits, spawn
from libs.spatial_utils.vector_drivers import GDAL_CHILD_OPTIONS
from libs.spatial_utils.vector_failures import failure_of
from libs.spatial_utils.vector_files import local_file
from libs.spatial_utils.vector_info import LayerInfo, StreamEnd, VectorSource
from libs.spatial_utils.vector_wire import Request, read_frame

_ROOT = str(Path(__file__).resolve().parents[2])
_START = (
    "import sys; sys.path.append(sys.argv.pop(1));"
    "from libs.spatial_utils.vector_child import main; main()"
)
"""Not `-m`: that would look for modules in the work folder, among files that users name."""


__all__ = ["LayerInfo", "StreamEnd", "VectorSource", "VectorStream", "open_vector"]

_Frame = TypeVar("_Frame", LayerInfo, StreamEnd)


class VectorStream:
    """An open layer. Its rows can be read once, from any thread, while `open_vector` is open."""

    def __init__(self, child: Child, source: VectorSource, info: LayerInfo) -> None:
        self._child = child
        self._source = source
        self._info = info
        self._end: StreamEnd | None = None
        self._reader = pa.ipc.open_stream(child.stdout)

    @property
    def info(self) -> LayerInfo:
        """What the file says of the layer; with the notes of the reading once that has ended."""
        late = self._end.notes if self._end else ()
        return self._info.model_copy(update={"notes": (*self._info.notes, *late)})

    @property
    def schema(self) -> pa.Schema:
        """All columns under their names in the file, the geometry as WKB at `geometry_index`."""
        return self._reader.schema

    @property
    def geometry_index(self) -> int | None:
        """Which column of `schema` is the geometry; None: the layer has none."""
        return self._info.geometry_index

    @property
    def end(self) -> StreamEnd:
        """What only the whole stream tells; asking before its end is a mistake of the caller."""
        if self._end is None:
            raise ValueError("the stream has not been read to its end")
        return self._end

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Batches of at most 16 384 rows and about 32 MiB (a row may be larger), never empty.

        Ends only when the child has said that it was all and has ended well; whatever else
        happens raises: an `InputError` for the file's or the limits' sake, an `OperatorError`
        where the reader itself is broken.
        """
        rows = 0
        try:
            for batch in self._reader:
                batch.validate(full=True)  # the child may be in the hands of the file's author
                rows += batch.num_rows
                yield batch
        except (pa.ArrowException, OSError, EOFError) as error:
            raise failure_of(self._child, self._source.name, error) from error
        end = _frame(self._child, StreamEnd, self._source)
        outcome = self._child.wait()
        if outcome.returncode != 0:
            raise failure_of(self._child, self._source.name)
        if end.row_count != rows:
            raise ReaderBrokenError(
                f"{self._source.name}: the reader sent {end.row_count} rows, {rows} arrived."
            )
        self._refuse_missing_rows(rows)
        self._end = end

    def _refuse_missing_rows(self, rows: int) -> None:
        announced = self._info.feature_count
        if announced is not None and rows < announced:
            raise UnreadableFileError(
                self._source.name,
                f"its header announces {announced} features, but only {rows} can be read.",
                "The file is damaged or was cut off: export it anew.",
            )


@contextmanager
def open_vector(
    source: VectorSource, *, limits: ChildLimits, work_dir: Path
) -> Iterator[VectorStream]:
    """Open a layer of `source`; nothing of it is left running or unpacked when the block ends.

    `work_dir` is an existing folder; in it a folder is made for the while, for unpacked archives
    and temporary files. The child dies
    with the thread that enters the block. Raises `UnreadableFileError` and the other InputErrors
    of this package where the file is at fault, `ReaderBrokenError` where we are.
    """
    with tempfile.TemporaryDirectory(prefix="reading-", dir=work_dir) as folder:
        path, layer = local_file(source, limits, Path(folder))
        request = Request(str(path.resolve()), source.driver, layer)
        argv = [sys.executable, "-I", "-c", _START, _ROOT, request.to_argument()]
        with spawn(argv, limits=limits, work_dir=Path(folder), options=GDAL_CHILD_OPTIONS) as child:
            info = _frame(child, LayerInfo, source)
            try:
                stream = VectorStream(child, source, info)
            except (pa.ArrowException, OSError, EOFError) as error:
                raise failure_of(child, source.name, error) from error
            yield stream


def _frame(child: Child, kind: type[_Frame], source: VectorSource) -> _Frame:
    data = read_frame(child.stdout)
    if data is None:
        raise failure_of(child, source.name)
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        raise ReaderBrokenError(f"{source.name}: the reader sent no {kind.__name__}.") from error
