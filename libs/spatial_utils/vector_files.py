"""From the file that was submitted to the one that is opened: archives unpacked, parts counted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from libs.models.formats import INPUT_FORMATS
from libs.spatial_utils.archive import ArchiveLimits, extract_zip
from libs.spatial_utils.errors import ArchiveError, UnreadableFileError
from libs.spatial_utils.sandbox import ChildLimits
from libs.spatial_utils.vector_info import VectorSource

_CURE = "Zip the data of the declared format itself, not a zip of it."


def local_file(source: VectorSource, limits: ChildLimits, folder: Path) -> tuple[Path, str | None]:
    """The path that GDAL is given, and the layer that is left to choose in it.

    An archive is unpacked into `folder`, which the caller removes. Raises `UnreadableFileError`
    or `ArchiveError`.
    """
    path, driver, layer, name = source.path, source.driver, source.layer, source.name
    if not path.is_file():
        raise UnreadableFileError(name, "it is not there, or is no file.", "Upload it again.")
    row = INPUT_FORMATS[driver]
    if not (row.zipped and path.name.lower().endswith(row.zipped)):
        if not row.suffixes:
            raise UnreadableFileError(
                name, f"{driver} is read from a zip archive.", f"Name it {path.stem}.gdb.zip."
            )
        _refuse_missing_parts(path, driver, name)
        return path, layer
    files = _unpacked(path, limits, folder)
    if driver == "OpenFileGDB":
        return _geodatabase(files, name), layer
    chosen = _shapefile(files, layer, name)
    _refuse_missing_parts(chosen, driver, f"{name}, {chosen.name}")
    return chosen, None


def _unpacked(path: Path, limits: ChildLimits, folder: Path) -> list[Path]:
    inside = folder / "archive"
    inside.mkdir()
    return extract_zip(path, inside, limits=ArchiveLimits(total_bytes=limits.max_file_bytes))


def _refuse_missing_parts(path: Path, driver: str, name: str) -> None:
    there = {
        item.name.lower()
        for item in path.parent.iterdir()
        if item.is_file() and item.stat().st_size
    }
    missing = [
        path.stem + ending
        for ending in INPUT_FORMATS[driver].required_side_files
        if (path.stem + ending).lower() not in there
    ]
    if missing:
        raise UnreadableFileError(
            name,
            f"{' and '.join(missing)} is missing or empty; the {driver} is not whole without.",
            "Submit all files of it, with the same name before the ending.",
        )


def _shapefile(files: Sequence[Path], layer: str | None, name: str) -> Path:
    there = [item for item in files if item.suffix.lower() == ".shp" and not _is_litter(item)]
    chosen = there if layer is None else [item for item in there if item.stem == layer]
    if len(chosen) == 1:
        return chosen[0]
    stems = ", ".join(repr(item.stem) for item in there[:30])
    if not there:
        raise ArchiveError(name, None, "there is no .shp file in it.", _CURE)
    raise ArchiveError(
        name,
        None,
        f"it has {len(there)} shapefiles: {stems}."
        if layer is None
        else f"it has no single shapefile {layer!r}; there are: {stems}.",
        "Name one in `layer` of the manifest's entry.",
    )


def _geodatabase(files: Sequence[Path], name: str) -> Path:
    tables = {item.parent for item in files if item.suffix.lower() == ".gdbtable"}
    folders = sorted(folder for folder in tables if not _is_litter(folder))
    if len(folders) == 1:
        return _named_gdb(folders[0])
    if not folders:
        raise ArchiveError(name, None, "there is no file geodatabase in it.", _CURE)
    raise ArchiveError(
        name,
        None,
        f"it has {len(folders)} file geodatabases: {', '.join(f.name for f in folders)}.",
        "Submit them one by one.",
    )


def _named_gdb(folder: Path) -> Path:
    """GDAL knows a geodatabase by its folder's ending; a zip of just its files has none."""
    return folder if folder.suffix.lower() == ".gdb" else folder.rename(folder.with_suffix(".gdb"))


def _is_litter(path: Path) -> bool:
    return "__MACOSX" in path.parts or path.name.startswith("._")
