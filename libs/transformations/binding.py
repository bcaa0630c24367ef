"""What a step must know of the CRS of the table it works on. Registering CRSs is not done here."""

from __future__ import annotations

from libs.models import CRS, Frozen


class BoundCRS(Frozen):
    """A CRS with the number that the SQL server knows it by."""

    crs: CRS
    srid: int
    """The key of `spatial_ref_sys`; it need not be the authority's own number."""

    @property
    def is_in_degrees(self) -> bool:
        """True: x and y are degrees, and not grads or radians, nor metres."""
        return self.crs.is_in_degrees

    @property
    def is_on_earth(self) -> bool:
        """False: another body, to which none of Earth's radii apply."""
        return self.crs.code is None or not self.crs.code.startswith("IAU_")


def default_srid(code: str) -> int | None:
    """The SRID that PostGIS itself gives a code: an EPSG number. None: it must be registered."""
    authority, _, number = code.partition(":")
    return int(number) if authority == "EPSG" and number.isdecimal() else None
