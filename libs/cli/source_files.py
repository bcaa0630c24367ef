"""What local files are: kind, format, CRS and side files, read from the files themselves.

Making a manifest of them is `manifest_maker`'s business, sending them `uploading`'s.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from libs.cli.errors import UsageError
from libs.errors import InputError, Problem
from libs.models import INPUT_FORMATS, AssetKind
from libs.models.formats import InputFormat, formats_of_file
from libs.settings import EtlSettings


@dataclass(frozen=True)
class SourceFile:
    """One file to submit, with all that a manifest says of it."""

    path: Path
    side_files: tuple[Path, ...]
    """Files that belong to it and are uploaded beside it."""
    format: InputFormat
    crs: str
    """`AUTHORITY:CODE`."""
    layer: str | None
    """As asked for; None: the file has just one."""

    @property
    def all_paths(self) -> tuple[Path, ...]:
        """The file and its side files."""
        return (self.path, *self.side_files)


@dataclass(frozen=True)
class Wishes:
    """What the user says of all files; None leaves it to the file."""

    crs: str | None = None
    layer: str | None = None
    format: str | None = None


def look_at_all(paths: list[Path], wishes: Wishes, limits: EtlSettings) -> list[SourceFile]:
    """Look at every file, and name the problems of all of them at once.

    Raises:
        UsageError: a path is no file of ours, or the arguments do not fit.
        InputError: files cannot be read, or their CRS cannot be told.
    """
    formats = [format_of(path, wishes.format) for path in paths]
    found: list[SourceFile] = []
    problems: list[Problem] = []
    for path, form in zip(paths, formats, strict=True):
        try:
            found.append(look_at(path, form, wishes, limits))
        except InputError as error:
            problems.extend(error.problems)
    if problems:
        raise InputError(problems)
    return found


def look_at(path: Path, form: InputFormat, wishes: Wishes, limits: EtlSettings) -> SourceFile:
    """Read a file's header. Raises `InputError`."""
    side_files = side_files_of(path, form)
    crs_wkt = _crs_in_file(path, form, wishes.layer, limits)
    return SourceFile(
        path=path,
        side_files=side_files,
        format=form,
        crs=_crs_code(path, form, crs_wkt, wishes.crs),
        layer=wishes.layer,
    )


def format_of(path: Path, wanted: str | None = None) -> InputFormat:
    """The format of a file, by its name; of a zip archive, by what is in it.

    Raises:
        UsageError: it is a folder, or not a format that the platform takes.
    """
    if path.is_dir():
        cure = "Zip it" if path.suffix.lower() == ".gdb" else "Name the files in it"
        zipped = f" as {path.name}.zip" if path.suffix.lower() == ".gdb" else ""
        raise UsageError(f"{path} is a folder; `submit` takes files. {cure}{zipped}.")
    if not path.is_file():
        raise UsageError(f"{path} does not exist, or is not a plain file.")
    if wanted is not None:
        return _named_format(wanted)
    candidates = formats_of_file(path.name)
    if not candidates:
        raise UsageError(
            f"{path}: no accepted format has names that end so. Rename it, or say --format "
            f"{' | '.join(sorted(INPUT_FORMATS))}."
        )
    return _by_content(path, candidates) if len(candidates) > 1 else candidates[0]


def _named_format(wanted: str) -> InputFormat:
    if wanted not in INPUT_FORMATS:
        raise UsageError(
            f"--format {wanted!r} is not accepted; choose of {', '.join(sorted(INPUT_FORMATS))}."
        )
    return INPUT_FORMATS[wanted]


def _by_content(path: Path, candidates: tuple[InputFormat, ...]) -> InputFormat:
    """Which of the formats that come zipped an archive holds; the likeliest when it cannot say."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.lower() for name in archive.namelist()]
    except (zipfile.BadZipFile, OSError):
        return candidates[0]  # the reader says what is wrong with it
    is_geodatabase = any(name.endswith(".gdbtable") for name in names)
    driver = "OpenFileGDB" if is_geodatabase else "ESRI Shapefile"
    return next((form for form in candidates if form.driver == driver), candidates[0])


def side_files_of(path: Path, form: InputFormat) -> tuple[Path, ...]:
    """The files beside it that belong to it, whatever the case of their endings.

    Raises:
        InputError: one is missing without which attributes would be lost.
    """
    if not form.side_files or not path.name.lower().endswith(form.suffixes):
        return ()
    beside = {
        item.suffix.lower(): item
        for item in sorted(path.parent.iterdir())
        if item.stem == path.stem and item != path and item.is_file()
    }
    missing = [ending for ending in form.required_side_files if ending not in beside]
    if missing:
        raise InputError.of(
            str(path),
            f"has no {' and no '.join(missing)} file beside it, which {form.driver} needs.",
            "Put all parts of it in one folder under one name.",
        )
    return tuple(beside[ending] for ending in form.side_files if ending in beside)


def _crs_in_file(
    path: Path, form: InputFormat, layer: str | None, limits: EtlSettings
) -> str | None:
    """The file's own CRS as a definition. The file is opened as the platform opens it."""
    if form.kind is AssetKind.RASTER:
        return _crs_of_raster(path, form, layer, limits)
    from libs.spatial_utils.sandbox import ChildLimits
    from libs.spatial_utils.vector_reader import VectorSource, open_vector

    source = VectorSource(path=path, driver=form.driver, layer=layer)
    with (
        tempfile.TemporaryDirectory(prefix="spatial-etl-") as folder,
        open_vector(
            source, limits=ChildLimits.for_readers(limits), work_dir=Path(folder)
        ) as stream,
    ):
        if stream.geometry_index is None:
            raise InputError.of(
                str(path),
                f"layer {stream.info.layer!r} has no geometry.",
                "Submit a layer with a geometry column; plain tables are not spatial data.",
            )
        return stream.info.crs_wkt


def _crs_of_raster(
    path: Path, form: InputFormat, layer: str | None, limits: EtlSettings
) -> str | None:
    from libs.spatial_utils.gdal_cli import GDAL
    from libs.spatial_utils.raster_info import inspect_raster

    with _confinable(path) as (file, work_dir):
        info = inspect_raster(
            GDAL.from_settings(limits), file, driver=form.driver, layer=layer, work_dir=work_dir
        )
    return info.crs_wkt


@contextlib.contextmanager
def _confinable(path: Path) -> Iterator[tuple[Path, Path]]:
    """A folder that GDAL's confined programs may work in, and the file in it."""
    folder = path.resolve().parent
    if os.access(folder, os.W_OK):
        yield path, folder
        return
    with tempfile.TemporaryDirectory(prefix="spatial-etl-") as copies:
        yield Path(shutil.copy(path, copies)), Path(copies)


def _crs_code(path: Path, form: InputFormat, found: str | None, wanted: str | None) -> str:
    """The code that the manifest declares.

    Raises:
        InputError: neither the file nor the user names a CRS, or they contradict each other.
    """
    if wanted is not None:
        _require_no_conflict(path, wanted, found)
        return wanted
    if found is not None:
        return _code_of_definition(path, found)
    if form.fixed_crs is not None:
        return form.fixed_crs
    raise InputError.of(
        str(path),
        "does not say what its coordinate reference system is.",
        "Say it with --crs, `--crs EPSG:32633` for one.",
    )


def _require_no_conflict(path: Path, wanted: str, found: str | None) -> None:
    from libs.spatial_utils.crs import reconcile
    from libs.spatial_utils.errors import CrsConflictError

    try:
        reconcile(wanted, found, str(path))
    except CrsConflictError as error:  # its words are for who has written a manifest
        raise InputError.of(
            str(path),
            f"--crs says {error.declared}, but the file says {error.found}.",
            "Leave --crs out, or correct the file's own reference system.",
        ) from None


def _code_of_definition(path: Path, found: str) -> str:
    from libs.spatial_utils.crs import describe

    crs = describe(found, str(path))
    if crs.code is not None:
        return crs.code
    code = _likeliest_code(found)
    if code is None:
        raise InputError.of(
            str(path),
            f"its coordinate reference system, {crs.name!r}, has no code that PROJ can tell.",
            "Say with --crs which one it is, or reproject the file to one that has a code.",
        )
    return code


def _likeliest_code(found: str) -> str | None:
    """A code that names the same CRS, in the platform's own judgement of sameness."""
    import pyproj

    from libs.spatial_utils.crs import is_same

    crs = pyproj.CRS.from_user_input(found)
    authority = crs.to_authority(min_confidence=25)
    if authority is None:
        return None
    code = ":".join(authority)
    return code if is_same(pyproj.CRS.from_user_input(code), crs) else None
