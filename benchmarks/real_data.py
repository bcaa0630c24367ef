"""Real borders, drawn by many hands: OpenStreetMap's countries, in an npm package geo-maps.

Two thirds of them are invalid, some have thousands of parts. They are fetched, and never kept here.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

import geopandas
import shapely

CRS = "EPSG:3857"
"""Which has neither the poles nor what lies beyond the date line: such countries are left out."""
_WITHIN = (-179.9, -84.0, 179.9, 84.0)
FETCH_WITHIN_S = 300


class NotToBeHadError(RuntimeError):
    """The registry does not give the package, or gives other bytes."""


@dataclass(frozen=True)
class Package:
    """One archive of the npm registry, always the same bytes."""

    name: str
    version: str
    sha256: str


ONE_KM = Package(
    "@geo-maps/countries-land-1km",
    "0.6.0",
    "04dc4548c3aee41b0ec7c01ea21db0ed86a47bf0d78e2952eeb2808016ce571a",
)
"""248 countries, 1.3 million vertices."""


def is_there_a_registry() -> bool:
    """False: npm is not installed."""
    return shutil.which("npm") is not None


def write_countries(folder: Path, package: Package) -> Path:
    """The countries as GeoPackage, with the attributes that the vector job compares."""
    path = folder / f"{package.name.rpartition('/')[2]}.gpkg"
    if path.exists():
        return path
    with tarfile.open(_fetched(folder, package)) as archive:
        archive.extract("package/map.geo.json", folder, filter="data")
    source = folder / "package" / "map.geo.json"
    countries = geopandas.read_file(source)
    source.unlink()
    bounds, (west, south, east, north) = countries.bounds, _WITHIN
    inside = (
        (bounds.minx > west) & (bounds.miny > south) & (bounds.maxx < east) & (bounds.maxy < north)
    )
    countries = countries[inside].reset_index(drop=True).to_crs(CRS)
    shapes = countries.geometry
    frame = geopandas.GeoDataFrame(
        {
            "id": range(len(countries)),
            "name": countries["A3"],
            "class": shapes.geom_type,
            "value": shapes.area / 1e9,
            "count": shapely.get_num_geometries(shapes.values),
        },
        geometry=[
            shapely.multipolygons([it]) if it.geom_type == "Polygon" else it for it in shapes
        ],
        crs=CRS,
    ).rename_geometry("geom")
    part = path.with_suffix(".part.gpkg")
    part.unlink(missing_ok=True)
    frame.to_file(part, driver="GPKG", layer="features")
    part.rename(path)
    return path


def _fetched(folder: Path, package: Package) -> Path:
    wanted = f"{package.name}@{package.version}"
    done = subprocess.run(
        ["npm", "pack", "--silent", wanted],
        cwd=folder, capture_output=True, text=True, timeout=FETCH_WITHIN_S, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise NotToBeHadError(f"npm does not give {wanted}: {done.stderr.strip()[-300:]}")
    archive = folder / done.stdout.split()[-1]
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != package.sha256:
        raise NotToBeHadError(f"{wanted} has SHA-256 {digest}, and not {package.sha256}")
    return archive
