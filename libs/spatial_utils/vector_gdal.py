"""GDAL as pyogrio gives it to the child: opening, batches, and what it says while it reads."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyogrio._err import _ERROR_STACK, capture_errors
from pyogrio.errors import CRSError, DataLayerError, DataSourceError, FieldError, GeometryError
from pyogrio.raw import open_arrow

from libs.spatial_utils.vector_drivers import CHATTER, LOSSES
from libs.spatial_utils.vector_wire import MAX_BATCH_ROWS, FileProblemError

_CURE = "Check that it is whole and of the declared format, or export it anew."
_MOST_NOTES = 20
_OGR_TYPE = b"GDAL:OGR:type"
_GDAL_ERRORS = (
    DataSourceError,
    DataLayerError,
    FieldError,
    GeometryError,
    CRSError,
    pa.ArrowException,
    OSError,
    RuntimeError,
)


class GdalMessages:
    """What GDAL said: errors become problems of the file, warnings its notes."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._warnings: Counter[str] = Counter()
        self._example: dict[str, str] = {}

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Collect warnings instead of printing them."""
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = lambda message, *_args, **_more: self._warn(str(message))
            yield

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Around a call of GDAL, and nothing else."""
        try:
            yield
        except IndexError as error:  # pyogrio asks for the first of no layers
            raise FileProblemError("it has no layer.", _CURE) from error
        except UnboundLocalError as error:  # pyogrio's own, of a CRS whose text it cannot decode
            raise FileProblemError(
                "the definition of its CRS is damaged, or its letters are not UTF-8.",
                "Write its CRS anew (of a shapefile, the .prj), with names in plain letters.",
            ) from error
        except UnicodeDecodeError as error:
            raise FileProblemError(
                f"the name of a layer or a column in it is not UTF-8: {error.object[:60]!r}.",
                "Save the file as UTF-8.",
            ) from error
        except _GDAL_ERRORS as error:
            text = self.cleaned(str(error))
            if "ut of memory" in text or "annot allocate" in text:
                raise MemoryError(text) from error
            raise FileProblemError(f"GDAL cannot read it: {text}", _CURE) from error

    def refuse_losses(self) -> None:
        """Raise a `FileProblemError` for a warning that means that a value was replaced."""
        for kind, text in self._example.items():
            if any(words in kind for words in LOSSES):
                raise FileProblemError(
                    f"a value cannot be read as what its column is declared to hold: {text}",
                    "Correct that value, or the column's type, in the file.",
                )

    def notes(self) -> list[str]:
        """One sentence for each kind of warning, the most frequent first."""
        kinds = self._warnings.most_common(_MOST_NOTES)
        return [
            f"GDAL: {self._example[kind]}" + (f" ({count} times)" if count > 1 else "")
            for kind, count in kinds
        ]

    def cleaned(self, text: str) -> str:
        """Without the folder that the file lies in, which is ours and not the user's."""
        text = text.replace(self._path, Path(self._path).name)
        text = text.replace(str(Path(self._path).parent), ".")
        hint = text.find("; It might help to specify")
        return " ".join((text[:hint] if hint >= 0 else text).split())[:1000]

    def refuse_errors(self, errors: Sequence[str]) -> None:
        """Raise a `FileProblemError` for errors after which GDAL goes on, or takes for the end.

        A file that was cut off gives fewer rows that way, or rows with null geometries.
        """
        if errors:
            text = self.cleaned("; ".join(dict.fromkeys(errors)))
            raise FileProblemError(f"GDAL met an error in it: {text}", "Export the file anew.")

    def _warn(self, text: str) -> None:
        if any(words in text for words in CHATTER):
            return
        text = self.cleaned(text)
        kind = re.sub(r"\d+|'[^']*'", "#", text)[:200]
        self._warnings[kind] += 1
        self._example.setdefault(kind, text)


@contextmanager
def gdal_layer(
    path: str, messages: GdalMessages, arguments: Mapping[str, object]
) -> Iterator[tuple[dict[str, Any], pa.RecordBatchReader]]:
    """pyogrio's facts about a layer, and its batches; `arguments` are those of `open_arrow`."""
    opening = open_arrow(path, use_pyarrow=True, batch_size=MAX_BATCH_ROWS, **arguments)
    with messages.translated():
        meta, reader = opening.__enter__()
    try:
        yield meta, reader
    finally:
        opening.__exit__(None, None, None)


def gdal_batches(reader: pa.RecordBatchReader, messages: GdalMessages) -> Iterator[pa.RecordBatch]:
    """Batch by batch; a loss that GDAL only warned of ends it with a `FileProblemError`."""
    while True:
        with messages.translated(), capture_errors():
            try:
                batch = reader.read_next_batch()
            except StopIteration:
                batch = None
            except (pa.ArrowException, OSError) as error:
                said = [str(one) for one in _ERROR_STACK.get() or ()]
                raise RuntimeError("; ".join([*said, str(error)])) from error
            messages.refuse_errors([str(error) for error in _ERROR_STACK.get() or ()])
        messages.refuse_losses()
        if batch is None:
            return
        yield _without_padding(batch)


def _without_padding(batch: pa.RecordBatch) -> pa.RecordBatch:
    """GDAL fills times that it hands out as text up with NULs, where others have milliseconds."""
    for at, item in enumerate(batch.schema):
        if pa.types.is_string(item.type) and (item.metadata or {}).get(_OGR_TYPE) == b"DateTime":
            column = batch.column(at)
            data = column.buffers()[2]
            if data is None or b"\0" not in memoryview(data).tobytes():
                continue
            import pyarrow.compute as pc  # late: a tenth of the child's start, and few need it

            batch = batch.set_column(at, item, pc.utf8_rtrim(column, "\0"))
    return batch
