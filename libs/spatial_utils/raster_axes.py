"""Whether the axes of a netCDF variable make the regular grid that GDAL takes them for.

GDAL compares a few spacings of an axis only, and takes the last two dimensions for rows and columns
whichever they are. So the axes are read here, by `gdalmdiminfo`, and compared as a whole.
"""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from libs.errors import InputError
from libs.spatial_utils.errors import UnreadableFileError
from libs.spatial_utils.gdal_cli import GDAL
from libs.spatial_utils.gdal_errors import UnsafePathError
from libs.spatial_utils.gdal_info import DatasetInfo, items_of

MOST_OFF = 0.25
"""Cells that a row or column may lie away from its place in a regular grid. Gaussian latitudes stay
far below; where one row is missing, some lie half a cell off or more."""
NOTED_OFF = 0.01
"""Gaussian latitudes stay above."""
ROUNDING = 2**-23
"""Of coordinates in 32 bits, which may have come into 64 later."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Dimension(_Part):
    name: str
    size: int
    type: str = ""
    indexing_variable: JsonValue = None


class _Array(_Part):
    dimensions: tuple[_Dimension, ...] = ()
    unit: str = ""
    values: tuple[float, ...] = ()


def check_axes(
    gdal: GDAL, file: Path, info: DatasetInfo, layer: str | None, *, work_dir: Path, about: str
) -> tuple[str, ...]:
    """Check the axes of a variable, as far as it has any; returns what is uneven but bearable.

    Raises:
        InputError: rows and columns are exchanged, or do not lie where a regular grid has them.
    """
    name = layer or _variable_name(info)
    if name is None or info.geotransform is None:
        return ()
    variable = _read(gdal, file, ["-array", name], work_dir=work_dir, about=about)
    if variable is None or len(variable.dimensions) < 2:
        return ()
    _refuse_exchanged(variable.dimensions, info, name, about)
    notes = []
    for dimension in variable.dimensions[-2:]:
        axis = dimension.indexing_variable
        arguments = ["-detailed", "-array", str(axis)]
        read = _read(gdal, file, arguments, work_dir=work_dir, about=about) if axis else None
        off = _cells_off(read) if read else 0.0
        if off > MOST_OFF:
            raise _uneven(name, dimension.name, off, about)
        if off > NOTED_OFF:
            notes.append(
                f"The steps of {dimension.name!r} are not quite even (a Gaussian grid, say): in "
                f"the result's regular grid some cells lie {off:.2f} cells from their place."
            )
    return tuple(notes)


def _variable_name(info: DatasetInfo) -> str | None:
    names = (items_of(band.metadata, "").get("NETCDF_VARNAME") for band in info.bands)
    return next((name for name in names if name), None)


def _read(
    gdal: GDAL, file: Path, arguments: list[str], *, work_dir: Path, about: str
) -> _Array | None:
    """An array's description; None: GDAL's other view of netCDF has none of that name."""
    try:
        output = gdal.run(
            "gdalmdiminfo", ["-if", "netCDF", "-nopretty", *arguments, str(file)],
            work_dir=work_dir, about=about,
        )  # fmt: skip
        return _Array.model_validate(json.loads(output.stdout))
    except (UnreadableFileError, UnsafePathError, ValueError, ValidationError, RecursionError):
        return None  # it is a second look: what GDAL itself makes of the axes was checked before


def _refuse_exchanged(
    dimensions: tuple[_Dimension, ...], info: DatasetInfo, name: str, about: str
) -> None:
    rows, columns = dimensions[-2:]
    is_exchanged = (rows.type, columns.type) == ("HORIZONTAL_X", "HORIZONTAL_Y")
    if is_exchanged and info.size[0] == columns.size:
        order = ", ".join(dimension.name for dimension in dimensions)
        raise InputError.of(
            about,
            f"{name!r} is stored by ({order}), so that GDAL takes {columns.name!r} for x and "
            f"{rows.name!r} for y.",
            f"Exchange the two: ncpdq -a {columns.name},{rows.name} IN.nc OUT.nc (NCO), or "
            f"transpose(..., {columns.name!r}, {rows.name!r}) in xarray.",
        )


def _cells_off(axis: _Array) -> float:
    """How far, in cells, a coordinate is at most from where even steps would put it."""
    import numpy as np

    values = np.array(axis.values)
    if values.size < 3 or not np.isfinite(values).all():
        return 0.0
    if axis.unit.startswith("degree"):
        values = np.unwrap(values, period=360)  # 179.5, -179.5 is a step of one
    even = np.linspace(values[0], values[-1], values.size)
    step = abs(even[1] - even[0])
    off = np.abs(values - even).max() - ROUNDING * np.abs(values).max()
    return float(off / step) if step else 0.0


def _uneven(name: str, axis: str, off: float, about: str) -> InputError:
    return InputError.of(
        about,
        f"the steps of {axis!r} are uneven: in a regular grid, cells of {name!r} would lie up to "
        f"{off:.2g} cells from their place.",
        "Bring it to a regular grid first (cdo remapbil,GRID IN.nc OUT.nc, say), or add the rows "
        "or columns that are missing.",
    )
