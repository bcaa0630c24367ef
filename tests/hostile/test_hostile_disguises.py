"""Files that are something else than they say, and that name other files and servers."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.hostile import makers
from tests.hostile.canary import Canary

pytestmark = pytest.mark.integration
GROUP = "disguised files"


def ogr_vrt(source, layer="secret"):
    return (
        f'<OGRVRTDataSource><OGRVRTLayer name="x"><SrcDataSource>{source}</SrcDataSource>'
        f"<SrcLayer>{layer}</SrcLayer></OGRVRTLayer></OGRVRTDataSource>"
    )


def gdalg(source):
    command = f"gdal vector pipeline ! read {source}"
    return json.dumps({"type": "gdal_streamed_alg", "command_line": command})


def raster_vrt(source, *, raw=False):
    kind = ' subClass="VRTRawRasterBand"' if raw else ""
    inside = (
        f'<SourceFilename relativetoVRT="0">{source}</SourceFilename><ImageOffset>0</ImageOffset>'
        if raw
        else f"<SimpleSource><SourceFilename>{source}</SourceFilename></SimpleSource>"
    )
    return (
        '<VRTDataset rasterXSize="32" rasterYSize="32"><SRS>EPSG:32633</SRS>'
        "<GeoTransform>500000,10,0,5000000,0,-10</GeoTransform>"
        f'<VRTRasterBand dataType="Byte" band="1"{kind}>{inside}</VRTRasterBand></VRTDataset>'
    )


def service(url):
    return (
        f"<GDAL_WMS><Service name='WMS'><ServerUrl>{url}?</ServerUrl><Layers>x</Layers></Service>"
        "<DataWindow><UpperLeftX>-180</UpperLeftX><UpperLeftY>90</UpperLeftY><LowerRightX>180"
        "</LowerRightX><LowerRightY>-90</LowerRightY><SizeX>64</SizeX><SizeY>64</SizeY>"
        "</DataWindow><BandsCount>1</BandsCount></GDAL_WMS>"
    )


def attempts(canary, secret):
    return {
        "a VRT of a local file": ogr_vrt(secret.geojson),
        "a VRT of /etc/passwd": ogr_vrt("/etc/passwd", "passwd"),
        "a VRT of a URL": ogr_vrt(f"/vsicurl/{canary.url}/secret.geojson"),
        "a GDALG of a local file": gdalg(secret.geojson),
        "a GDALG of a URL": gdalg(f"/vsicurl/{canary.url}/secret.geojson"),
        "a WFS description": f"<OGRWFSDataSource><URL>{canary.url}</URL></OGRWFSDataSource>",
        "a URL as its text": canary.url,
        "a vsicurl path": f"/vsicurl/{canary.url}/x.geojson",
        "an S3 path": f"/vsis3_streaming/{canary.address}/data-lake/x.geojson",
    }


KINDS = list(attempts(type("", (), {"url": "", "address": ""}), type("", (), {"geojson": ""})))
SINGLE = [name for name in makers.VECTORS if name not in ("ESRI Shapefile", "OpenFileGDB")]


@pytest.mark.parametrize("kind", KINDS)
def test_what_names_another_source_is_no_geojson(attack, tmp_path, kind):
    path = tmp_path / "evil.geojson"
    path.write_text(attempts(attack.canary, attack.secret)[kind])
    attack.reject_file(path, "GeoJSON", r"GDAL cannot read it|is not JSON|no layer|not a GeoJSON")


@pytest.mark.parametrize("driver", [name for name in SINGLE if name != "GeoJSON"])
def test_a_vrt_of_a_local_file_is_no_file_of_any_other_format(attack, tmp_path, driver):
    path = tmp_path / f"evil{makers.SUFFIXES[driver]}"
    path.write_text(ogr_vrt(attack.secret.geojson))
    attack.reject_file(path, driver, r"evil\.")


@pytest.mark.parametrize("ending", [".vrt", ".gdalg.json", ".wms", ".json", ".txt", ""])
def test_a_vrt_by_any_name_is_not_opened_as_one(attack, tmp_path, ending):
    path = tmp_path / f"evil{ending}"
    path.write_text(ogr_vrt(attack.secret.geojson))
    attack.reject_file(path, "GPKG", "cannot read it", dataset="evil")


def test_parts_of_a_shapefile_that_are_a_vrt_are_refused(attack, tmp_path):
    text = ogr_vrt(attack.secret.geojson).encode()
    parts = makers.write_parts(tmp_path, {".shp": text, ".shx": text, ".dbf": text, ".prj": text})
    attack.reject_file(parts[0], "ESRI Shapefile", r"s\.shp", beside=parts[1:])


@pytest.mark.parametrize("driver", makers.RASTERS)
@pytest.mark.parametrize("kind", ["local", "raw", "url", "service"])
def test_a_raster_that_names_another_source_is_refused(attack, tmp_path, driver, kind):
    path = tmp_path / f"evil{makers.SUFFIXES[driver]}"
    text = {
        "local": raster_vrt(attack.secret.tiff),
        "raw": raster_vrt(attack.secret.text, raw=True),
        "url": raster_vrt(f"/vsicurl/{attack.canary.url}/x.tif"),
        "service": service(attack.canary.url),
    }[kind]
    path.write_text(text)
    attack.reject_file(path, driver, "cannot read it", crs="EPSG:32633")


def test_a_layer_name_is_no_way_to_another_file(attack, tmp_path):
    [path] = makers.honest(tmp_path, "GeoJSON")
    attack.reject_file(path, "GeoJSON", "no layer", layer=str(attack.secret.geojson))
    [path] = makers.honest(tmp_path, "netCDF")
    layer = f'x":{attack.secret.tiff}'
    attack.reject_file(path, "netCDF", "no layer", layer=layer, crs="EPSG:32633")


MISTAKEN = [
    ("GeoJSON", "GPKG"), ("GPKG", "GeoJSON"), ("CSV", "GeoJSON"), ("KML", "GML"), ("GML", "KML"),
    ("FlatGeobuf", "Parquet"), ("Parquet", "FlatGeobuf"), ("GeoJSON", "CSV"), ("GTiff", "netCDF"),
    ("netCDF", "GTiff"), ("JP2OpenJPEG", "GTiff"), ("GTiff", "JP2OpenJPEG"), ("GPKG", "GTiff"),
    ("GTiff", "GPKG"), ("OpenFileGDB", "GPKG"), ("GeoJSONSeq", "KML"), ("GPKG", "CSV"),
    ("Parquet", "GeoJSONSeq"),
]  # fmt: skip


@pytest.mark.parametrize(("real", "declared"), MISTAKEN)
def test_a_declared_format_that_is_not_the_real_one_is_refused(attack, tmp_path, real, declared):
    [path, *_] = makers.honest(tmp_path, real)
    crs = makers.crs_of(declared)
    attack.reject_file(path, declared, r"honest", crs=crs)
    renamed = path.rename(tmp_path / f"renamed{makers.SUFFIXES[declared]}")
    attack.reject_file(renamed, declared, r"renamed", crs=crs)


def test_without_our_guards_the_canary_would_sing(tmp_path, secret):
    """So the canary and the secret are real: GDAL by itself opens what the files above name."""
    canary = Canary()
    path = tmp_path / "evil.geojson"
    path.write_text(ogr_vrt(f"/vsicurl/{canary.url}/secret.geojson"))
    subprocess.run(["ogrinfo", "-al", str(path)], capture_output=True, check=False)
    assert canary.calls
    path.write_text(ogr_vrt(secret.geojson))
    told = subprocess.run(["ogrinfo", "-al", str(path)], capture_output=True, check=False)
    assert secret.is_in(told.stdout)
    raster = tmp_path / "evil.tif"
    raster.write_text(raster_vrt(secret.tiff))
    makers.gdal_translate(raster, tmp_path / "out.tif", "-of", "GTiff")
    assert secret.is_in_asset(tmp_path / "out.tif")
    canary.close()
