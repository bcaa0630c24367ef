"""The demo's real data, found on this machine; nothing is fetched from anywhere.

Countries: Natural Earth 1:110m, a shapefile in pyogrio's wheel. Geoid: EGM96, heights of the geoid
above the ellipsoid on a 15-minute grid of the whole Earth, in Debian's proj-data. Debian ships that
grid as GTX, which the platform does not take: GDAL writes it as the GeoTIFF that a user would have.
"""

from __future__ import annotations

import importlib.util
import shutil
from dataclasses import replace
from pathlib import Path

from libs.cli.errors import DemoDataError
from libs.cli.manifest_maker import Words
from libs.settings import EtlSettings

COUNTRIES = "tests/fixtures/naturalearth_lowres/naturalearth_lowres.shp"
GRID_FOLDERS = (Path("/usr/share/proj"), Path("/usr/local/share/proj"))
GRID = "egm96_15.gtx"

PROJECT = "DEMO"
COUNTRIES_WORDS = Words(
    project=PROJECT,
    intent="ingest_vector",
    uploader="demo",
    description="Countries of the world at 1:110 million, from Natural Earth.",
    tags=("natural earth", "countries"),
    dataset="countries",
    batch_id="demo-countries",
)
GEOID_WORDS = replace(
    COUNTRIES_WORDS,
    intent="ingest_satellite_raster",
    description="EGM96: heights of the geoid above the WGS 84 ellipsoid in metres, every 15'.",
    tags=("EGM96", "geoid"),
    dataset="geoid",
    batch_id="demo-geoid",
)


def countries() -> Path:
    """The shapefile of the world's countries. Raises `DemoDataError`."""
    spec = importlib.util.find_spec("pyogrio")
    folders = spec.submodule_search_locations if spec else None
    for folder in folders or ():
        path = Path(folder) / COUNTRIES
        if path.is_file():
            return path
    raise DemoDataError(
        f"pyogrio/{COUNTRIES}", "it comes in pyogrio's wheel: `pip install pyogrio` from PyPI"
    )


def geoid(folder: Path, limits: EtlSettings) -> Path:
    """The geoid's heights as a GeoTIFF in `folder`, made there when it is missing.

    Raises:
        DemoDataError: the grid is not installed.
        ConfigError: GDAL is not installed.
    """
    made = folder / "egm96_geoid.tif"
    if not made.is_file():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        source = shutil.copy(_grid(), folder / GRID)
        _to_geotiff(Path(source), made, limits)
        Path(source).unlink()
    return made


def _grid() -> Path:
    for folder in GRID_FOLDERS:
        if (folder / GRID).is_file():
            return folder / GRID
    raise DemoDataError(GRID, "it comes in Debian's package: `apt-get install proj-data`")


def _to_geotiff(source: Path, made: Path, limits: EtlSettings) -> None:
    from libs.spatial_utils.gdal_cli import GDAL, local_path

    part = made.with_suffix(".part.tif")
    options = [
        "-q",
        "-of",
        "GTiff",
        "-a_srs",
        "EPSG:4326",
        "-co",
        "COMPRESS=DEFLATE",
        "-co",
        "PREDICTOR=3",
    ]
    files = [local_path(path, made.parent) for path in (source, part)]
    GDAL.from_settings(limits).run(
        "gdal_translate", [*options, *files], work_dir=made.parent, about=source.name
    )
    part.rename(made)
