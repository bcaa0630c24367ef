"""What a coordinate reference system is, whether two are the same, and where on Earth a box lies.

Transforming the data itself is PostGIS' and GDAL's business.
"""

from __future__ import annotations

import contextlib
import math
from functools import lru_cache
from typing import TYPE_CHECKING

from libs.models.geo import CRS, Bounds, GeographicExtent
from libs.spatial_utils.crs_domain import extent_within_the_domain, leaves_the_domain
from libs.spatial_utils.errors import (
    CrsConflictError,
    UnknownCrsError,
    UnreadableFileError,
    UnsuitableCrsError,
)

if TYPE_CHECKING:
    from pyproj import CRS as ProjCRS  # noqa: N811

_SURE = 70
"""PROJ's confidence, of 100, from which an identified code is believed: names and values agree."""
_LIKELY = 25
"""PROJ's confidence where the values agree and the names do not."""
_DATUM_KEYS = frozenset(
    {"datum", "ellps", "towgs84", "nadgrids", "no_defs", "type", "a", "b", "rf"}
)
_EDGE_POINTS = 21
"""Points per side of a box when it is transformed: a side that is straight here is curved there."""


def describe(code_or_wkt: str, where: str = "crs") -> CRS:
    """The CRS of an `AUTHORITY:CODE` or of a definition (WKT of any version, PROJJSON).

    Raises `UnknownCrsError` when PROJ does not know it and `UnsuitableCrsError` when it gives no
    position on a map; both are InputErrors that name `where`.
    """
    crs = _parse(code_or_wkt, where)
    horizontal = _horizontal(crs)
    if not (horizontal.is_geographic or horizontal.is_projected):
        raise UnsuitableCrsError(where, f"{crs.name} ({crs.type_name})")
    return CRS(
        code=_code(crs, code_or_wkt),
        name=crs.name,
        wkt=crs.to_wkt("WKT2_2019"),
        is_geographic=horizontal.is_geographic,
        metres_per_unit=_metres_per_unit(horizontal),
    )


def reconcile(declared: str, found_wkt: str | None, where: str) -> CRS:
    """The declared CRS, once it is sure that the file does not contradict it.

    `found_wkt` is what the file says, a code or a definition; None: it says nothing, so that the
    declaration counts. Axis order does not count (data in motion is always x, y), nor do a shift
    to WGS 84 that comes with the definition, a vertical part, and the spelling of names.
    Raises `CrsConflictError`, naming both, and the errors of `describe`.
    """
    wanted = describe(declared, where)
    if found_wkt is None:
        return wanted
    found = _parse(found_wkt, where)
    if not is_same(_parse(declared, where), found):
        raise CrsConflictError(where, _title(declared), _title(found_wkt))
    return wanted


def is_same(one: ProjCRS, other: ProjCRS) -> bool:
    """Do both give the same x and y to the same place? In doubt, no."""
    a, b = _horizontal(one), _horizontal(other)
    if a.equals(b, ignore_axis_order=True):
        return True
    if _authority(a) is not None and _authority(a) == _authority(b):
        return True
    if not _same_projection(a, b):
        return False
    return _same_datum(a, b) or _same_by_any_name(a, b)


def says_as_much(found_wkt: str, declared: str) -> bool:
    """Whether a file's own definition may stand where the declared CRS, the same, could be named.

    It says less where its datum has no name, so that PROJ finds no way from it to another one; and
    more where it has heights or a shift to WGS 84 of its own.
    """
    found, wanted = _parse(found_wkt, "crs"), _parse(declared, "crs")
    if found.is_bound or _has_heights(found):
        return True
    if _has_heights(wanted):
        return False
    return _horizontal(found).equals(_horizontal(wanted), ignore_axis_order=True)


def heights_of(code_or_wkt: str) -> str | None:
    """The name of the reference system of its heights; None: it has none."""
    crs = _parse(code_or_wkt, "crs")
    if not _has_heights(crs):
        return None
    parts = crs.sub_crs_list
    return parts[-1].name if parts else crs.name


def require_latitudes(bounds: Bounds, cell_size_y: float, crs: CRS, where: str) -> None:
    """Refuse a raster in degrees that goes beyond a pole, by more than one cell.

    Half a cell is usual, where the outermost cells have their centres on the poles. Raises
    `UnreadableFileError`.
    """
    if not crs.is_geographic:
        return
    unit = _horizontal(_parse(crs.wkt, where)).axis_info[0].unit_conversion_factor
    pole = math.pi / 2 / unit
    if max(-bounds.min_y, bounds.max_y) > pole + 1.000001 * cell_size_y:
        raise UnreadableFileError(
            where,
            f"it lies at latitudes {bounds.min_y:g} to {bounds.max_y:g}: {pole:g} is the pole.",
            "Correct its geotransform, exchange x and y where longitudes and latitudes are mixed "
            "up, or declare another `crs` where these are no degrees.",
        )


def to_geographic_extent(bounds: Bounds, crs: CRS) -> GeographicExtent:
    """The box in degrees of WGS 84 that holds `bounds`, its sides followed point by point.

    A box that crosses the antimeridian has its west above its east. Of a box that lies in part
    outside of what the CRS can express, the other part counts. Raises `UnreadableFileError` for one
    that lies outside as a whole.
    """
    from pyproj import Transformer

    transformer = Transformer.from_crs(_parse(crs.wkt, "crs"), "OGC:CRS84", always_xy=True)
    if leaves_the_domain(bounds, transformer):
        box = extent_within_the_domain(bounds, transformer)
    else:
        box = transformer.transform_bounds(*bounds.xyxy, densify_pts=_EDGE_POINTS)
    if box is None or not all(map(math.isfinite, box)):
        raise UnreadableFileError(
            f"bounds {bounds.xyxy}",
            f"this box lies outside the area that {crs.code or crs.name} can express.",
            "Check that the declared `crs` is the one of the coordinates.",
        )
    west, south, east, north = box
    west, east = _wrapped(west, east)
    return GeographicExtent(
        west_bound_longitude=west,
        east_bound_longitude=east,
        south_bound_latitude=max(-90.0, min(90.0, south)),
        north_bound_latitude=max(-90.0, min(90.0, north)),
    )


def _wrapped(west: float, east: float) -> tuple[float, float]:
    """Both in -180…180; data counted from 0° to 360° east may come with 190, say."""
    if west <= east and east - west >= 360:
        return -180.0, 180.0
    return _wrapped_degree(west), _wrapped_degree(east)


def _wrapped_degree(longitude: float) -> float:
    if -180 <= longitude <= 180:
        return longitude
    return (longitude + 180) % 360 - 180


@lru_cache(maxsize=256)
def _parse(text: str, where: str) -> ProjCRS:
    from pyproj import CRS as ProjCRS  # noqa: N811
    from pyproj.exceptions import CRSError

    try:
        return ProjCRS.from_user_input(text)
    except CRSError as error:
        raise UnknownCrsError(where, text if len(text) <= 200 else f"{text[:200]}…") from error


def _horizontal(crs: ProjCRS) -> ProjCRS:
    """Without what does not move x and y: a shift to another datum, a vertical part."""
    while crs.is_bound and crs.source_crs is not None:
        crs = crs.source_crs
    if crs.is_compound:
        return _horizontal(crs.sub_crs_list[0])
    return crs.to_2d() if len(crs.axis_info) == 3 and crs.type_name != "Geocentric CRS" else crs


def _has_heights(crs: ProjCRS) -> bool:
    return crs.is_compound or len(crs.axis_info) == 3


def _code(crs: ProjCRS, given: str) -> str | None:
    authority, _, code = given.partition(":")
    if authority in ("EPSG", "ESRI", "OGC", "IAU_2015") and code.isalnum():
        return given
    found = crs.to_authority(min_confidence=100)
    return None if found is None else ":".join(found)


def _metres_per_unit(crs: ProjCRS) -> float | None:
    if crs.is_geographic or not crs.axis_info:
        return None
    return float(crs.axis_info[0].unit_conversion_factor)


def _title(text: str) -> str:
    """A CRS as an error message names it: its code, its name, or both."""
    crs = _parse(text, "crs")
    code = _code(crs, text) or (":".join(found) if (found := _authority(_horizontal(crs))) else "")
    return f"{code} ({crs.name})" if code else f"{crs.name!r}"


def _authority(crs: ProjCRS, confidence: int = _SURE) -> tuple[str, str] | None:
    found = crs.to_authority(min_confidence=confidence)
    return None if found is None else (str(found[0]), str(found[1]))


def _same_datum(one: ProjCRS, other: ProjCRS) -> bool:
    a, b = one.geodetic_crs, other.geodetic_crs
    if a is None or b is None:
        return False
    if a.equals(b, ignore_axis_order=True):
        return True
    if _authority(a) is not None and _authority(a) == _authority(b):
        return True
    return _same_ellipsoid(a, b) and (_says_no_datum(a) or _says_no_datum(b))


def _same_by_any_name(one: ProjCRS, other: ProjCRS) -> bool:
    """The datum goes by a local name (`EUREF-FIN`), but PROJ knows no likelier code for it."""
    a, b = one.geodetic_crs, other.geodetic_crs
    if a is None or b is None or not _same_ellipsoid(a, b):
        return False
    code = _authority(one, _LIKELY)
    return code is not None and code == _authority(other, _LIKELY)


def _same_ellipsoid(one: ProjCRS, other: ProjCRS) -> bool:
    a, b = one.ellipsoid, other.ellipsoid
    if a is None or b is None:
        return False
    return math.isclose(a.semi_major_metre, b.semi_major_metre, rel_tol=1e-9) and math.isclose(
        a.inverse_flattening, b.inverse_flattening, rel_tol=1e-7
    )


def _says_no_datum(crs: ProjCRS) -> bool:
    return crs.datum is not None and crs.datum.name.lower().startswith(("unknown", "not_specified"))


def _same_projection(one: ProjCRS, other: ProjCRS) -> bool:
    a, b = _projection(one), _projection(other)
    if a is None or b is None:
        return False
    return all(_close(a.get(key, 0.0), b.get(key, 0.0)) for key in a.keys() | b.keys())


def _projection(crs: ProjCRS) -> dict[str, object] | None:
    """The parameters of PROJ's own short form; what it leaves out is the datum, compared apart.

    None: it has no such form, an engineering CRS for one.
    """
    import warnings

    from pyproj.exceptions import CRSError

    with contextlib.suppress(CRSError), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about that very loss
        return {key: value for key, value in crs.to_dict().items() if key not in _DATUM_KEYS}
    return None


def _close(one: object, other: object) -> bool:
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return one == other
