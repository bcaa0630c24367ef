"""Which part of a file with several rasters is meant: a netCDF variable, a page of a TIFF."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from libs.errors import InputError
from libs.spatial_utils.errors import UnreadableFileError
from libs.spatial_utils.gdal_info import DatasetInfo, items_of
from libs.spatial_utils.raster_tiff import has_mask

MAX_LOOKED_AT = 64
"""As many subdatasets are opened to find those that lie on a map."""
_FIRST_PAGE = "1"


@dataclass(frozen=True)
class Choice:
    """The part that is meant."""

    name: str | None
    """None: the file itself."""
    info: DatasetInfo
    notes: tuple[str, ...] = ()


def dataset_name(file: Path, driver: str, name: str, about: str) -> str:
    """What GDAL opens for a part of a file. `name` is one that GDAL itself listed."""
    if driver == "netCDF":
        return f'NETCDF:"{file}":{name}'
    if name == _FIRST_PAGE and has_mask(file, 1, about):
        return str(file)  # a page that is opened by its number comes without its mask
    return f"GTIFF_DIR:{name}:{file}"


def require_mask_in_reach(path: Path, page: str, about: str) -> None:
    """Check that GDAL shows all of a TIFF's page.

    Raises:
        UnreadableFileError: the page has a mask, and is not the first.
    """
    if page != _FIRST_PAGE and has_mask(path, int(page), about):
        raise UnreadableFileError(
            about,
            f"its page {page} has a mask, which GDAL reads with the first page of a file only.",
            f"Write page {page} and its mask into a file of their own, and submit that.",
        )


def choose_subdataset(
    whole: DatasetInfo,
    layer: str | None,
    *,
    about: str,
    open_one: Callable[[str], DatasetInfo],
) -> Choice:
    """The part that `layer` names, or the only one that lies on a map.

    Raises:
        InputError: there is none of that name, or there are several and none is named.
    """
    names = [_short_name(name) for name in whole.subdatasets]
    if not names:
        return _the_file_itself(whole, layer, about)
    if layer is not None:
        if layer not in names:
            raise InputError.of(about, f"it has no layer {layer!r}; {_list(names)}.", _CURE)
        return Choice(layer, open_one(layer))
    opened = {name: open_one(name) for name in names[:MAX_LOOKED_AT]}
    on_a_map = [name for name, info in opened.items() if info.geotransform is not None]
    if len(on_a_map) != 1 or len(names) > MAX_LOOKED_AT:
        raise InputError.of(about, f"several rasters are in it; {_list(on_a_map or names)}.", _CURE)
    others = [name for name in names if name != on_a_map[0]]
    note = f"Of {about}, {on_a_map[0]!r} was taken; left out, being on no map: {', '.join(others)}."
    return Choice(on_a_map[0], opened[on_a_map[0]], (note,))


_CURE = "Name one of them in the manifest's `layer`, and submit one file entry for each."


def _the_file_itself(whole: DatasetInfo, layer: str | None, about: str) -> Choice:
    variables = {items_of(band.metadata, "").get("NETCDF_VARNAME") for band in whole.bands}
    known = sorted(name for name in variables if name)
    if layer is not None and layer not in known:
        there = _list(known) if known else "it has a single one, which needs no name"
        raise InputError.of(about, f"it has no layer {layer!r}; {there}.", _CURE)
    return Choice(None, whole)


def _short_name(listed: str) -> str:
    # NETCDF:"/folder/source.nc":name and GTIFF_DIR:2:/folder/source.tif
    return listed.split('":', 1)[1] if '":' in listed else listed.split(":")[1]


def _list(names: list[str]) -> str:
    return f"there are {', '.join(repr(name) for name in names[:50])}"
