"""Rasters that promise too much, show other files, or say nothing true."""

from __future__ import annotations

import struct

import h5py
import numpy as np
import pytest
import rasterio

from tests.hostile import makers

pytestmark = pytest.mark.integration
GROUP = "rasters"
UTM = "EPSG:32633"


def tags(path, changes):
    """The TIFF with these tags of its first directory changed: `{tag: (type, count, value)}`."""
    data = bytearray(path.read_bytes())
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    for at in range(start + 2, start + 2 + 12 * count, 12):
        (tag,) = struct.unpack_from("<H", data, at)
        if tag in changes:
            struct.pack_into("<HII", data, at + 2, *changes[tag])
    path.write_bytes(data)
    return path


WIDTH, HEIGHT, ROWS_PER_STRIP, OFFSETS = 256, 257, 278, 273


def test_2_to_the_31_pixels_in_one_kilobyte_are_refused(attack, tmp_path):
    path = makers.raster(tmp_path / "huge.tif", pixels=np.zeros((8, 8), np.uint8))
    tags(path, {WIDTH: (4, 1, 2**16), HEIGHT: (4, 1, 2**15), ROWS_PER_STRIP: (4, 1, 2**15)})
    assert path.stat().st_size < 2000
    attack.reject_file(path, "GTiff", "which cannot hold them|blocks of", crs=UTM)


@pytest.mark.parametrize("size", [(2**31 - 1, 2**31 - 1), (0, 8), (2**32 - 1, 1)])
def test_sizes_that_nobody_can_mean_are_refused(attack, tmp_path, size):
    path = makers.raster(tmp_path / "size.tif", pixels=np.zeros((8, 8), np.uint8))
    tags(path, {WIDTH: (4, 1, size[0]), HEIGHT: (4, 1, size[1])})
    attack.reject_file(path, "GTiff", r"size\.tif", crs=UTM)


def test_offsets_that_lead_behind_the_end_are_refused(attack, tmp_path):
    path = makers.raster(tmp_path / "away.tif", pixels=np.ones((8, 8), np.uint8))
    tags(path, {OFFSETS: (4, 1, 2**31)})
    attack.reject_file(path, "GTiff", r"away\.tif", crs=UTM)


def test_a_directory_that_leads_to_itself_is_read_once(attack, tmp_path):
    path = makers.raster(tmp_path / "loop.tif", pixels=np.full((8, 8), 7, np.uint8))
    data = bytearray(path.read_bytes())
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    struct.pack_into("<I", data, start + 2 + 12 * count, start)
    path.write_bytes(data)
    done = attack.commit_file(path, "GTiff", crs=UTM)
    with rasterio.open(done.file) as result:
        assert (result.read(1) == 7).all()


def test_compressed_pixels_that_are_damaged_are_refused(attack, tmp_path):
    path = makers.raster(tmp_path / "bad.tif", compress="deflate")
    data = bytearray(path.read_bytes())
    data[-1000:-900] = b"\xff" * 100
    path.write_bytes(data)
    attack.reject_file(path, "GTiff", r"bad\.tif", crs=UTM)


def test_no_place_on_earth_is_refused(attack, tmp_path):
    path = makers.raster(tmp_path / "nowhere.tif", crs=None, transform=None)
    attack.reject_file(path, "GTiff", "no georeferencing", crs=UTM)


def test_a_crs_that_the_file_contradicts_is_refused(attack, tmp_path):
    path = makers.raster(tmp_path / "other.tif")
    attack.reject_file(path, "GTiff", "declares EPSG:3857 .* but the file says", crs="EPSG:3857")


@pytest.mark.parametrize("transform", [(0, 0, 0, 0, 0, 0), (1e308, 0, 0, 0, -1e308, 0),
                                       (float("nan"), 0, 0, 0, -1, 0)])  # fmt: skip
def test_a_grid_that_has_no_size_is_refused(attack, tmp_path, transform):
    a, b, c, d, e, f = transform
    path = makers.raster(tmp_path / "grid.tif", transform=rasterio.Affine(a, b, c, d, e, f))
    attack.reject_file(path, "GTiff", r"grid\.tif", crs=UTM)


def test_metadata_of_many_megabytes_are_refused_or_kept_away(attack, tmp_path):
    path = makers.raster(tmp_path / "talk.tif")
    with rasterio.open(path, "r+") as file:
        file.update_tags(**{f"k{n}": "x" * 1_000_000 for n in range(70)})
    attack.reject_file(path, "GTiff", "metadata is larger than 64 MiB", crs=UTM)


def test_texts_in_metadata_that_name_files_and_urls_are_not_followed(attack, tmp_path):
    path = makers.raster(tmp_path / "tags.tif")
    with rasterio.open(path, "r+") as file:
        file.update_tags(ns="RPC", RPC_FILE=str(attack.secret.text))
        file.update_tags(ns="GEOLOCATION", X_DATASET=str(attack.secret.tiff), X_BAND="1",
                         Y_DATASET=f"/vsicurl/{attack.canary.url}", Y_BAND="1")  # fmt: skip
        file.update_tags(ns="xml:VRT", xml=f"<VRTDataset><x>{attack.canary.url}</x></VRTDataset>")
        file.update_tags(OVR=str(attack.secret.tiff), OVERVIEW_FILE=str(attack.secret.tiff))
        file.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=str(attack.secret.tiff))
    upload = attack.manifest_of(path, "GTiff", crs=UTM)
    done = attack.commit(upload)
    with rasterio.open(done.file) as result, rasterio.open(path) as source:
        assert np.array_equal(result.read(), source.read())


def netcdf(path, name="pixels"):
    """What makes an HDF5 file a netCDF-4 raster: axes, and a variable that is filled in later."""
    file = h5py.File(path, "w")
    for axis, values in (("y", np.arange(32, 0, -1.0)), ("x", np.arange(32.0))):
        scale = file.create_dataset(axis, data=values)
        scale.make_scale(axis)
        scale.attrs["standard_name"] = np.bytes_({"x": "longitude", "y": "latitude"}[axis])
        scale.attrs["units"] = np.bytes_({"x": "degrees_east", "y": "degrees_north"}[axis])
    return file


def with_axes(file, dataset):
    for at, axis in enumerate(("y", "x")):
        dataset.dims[at].attach_scale(file[axis])
    file.close()


def test_the_netcdf_that_the_others_are_made_of_is_good(attack, tmp_path):
    path = tmp_path / "good.nc"
    file = netcdf(path)
    with_axes(file, file.create_dataset("pixels", data=np.full((32, 32), 7, np.uint8)))
    done = attack.commit_file(path, "netCDF", layer="pixels")
    with rasterio.open(done.file) as result:
        assert (result.read(1) == 7).all()


def test_pixels_that_lie_in_another_file_are_refused(attack, tmp_path):
    path = tmp_path / "external.nc"
    file = netcdf(path)
    external = [(str(attack.secret.text), 0, 1024)]
    with_axes(file, file.create_dataset("pixels", (32, 32), np.uint8, external=external))
    attack.reject_file(path, "netCDF", r"external\.nc", layer="pixels")


@pytest.mark.parametrize("where", ["outside", "missing"])
def test_a_virtual_dataset_is_refused_and_not_read_as_zeros(attack, tmp_path, where):
    source = attack.secret.folder / "source.h5"
    with h5py.File(source, "w") as other:
        token = np.frombuffer(attack.secret.token.encode() * 40, np.uint8)[:1024]
        other["data"] = token.reshape(32, 32)
    name = str(source) if where == "outside" else "nowhere.h5"
    path = tmp_path / "virtual.nc"
    file = netcdf(path)
    layout = h5py.VirtualLayout((32, 32), np.uint8)
    layout[:] = h5py.VirtualSource(name, "data", (32, 32))
    with_axes(file, file.create_virtual_dataset("pixels", layout, fillvalue=0))
    attack.reject_file(path, "netCDF", r"virtual\.nc", layer="pixels")


def test_a_link_to_another_file_is_refused(attack, tmp_path):
    source = attack.secret.folder / "linked.h5"
    with h5py.File(source, "w") as other:
        other["data"] = np.full((32, 32), 65, np.uint8)
    path = tmp_path / "link.nc"
    file = netcdf(path)
    file["pixels"] = h5py.ExternalLink(str(source), "data")
    file.close()
    attack.reject_file(path, "netCDF", r"link\.nc", layer="pixels")


def test_a_plain_hdf5_reader_would_have_followed(tmp_path, secret):
    """So the files above are real: without our guards the secret is in the pixels."""
    path = tmp_path / "external.nc"
    file = netcdf(path)
    external = [(str(secret.text), 0, 1024)]
    with_axes(file, file.create_dataset("pixels", (32, 32), np.uint8, external=external))
    makers.gdal_translate(f'NETCDF:"{path}":pixels', tmp_path / "out.tif")
    assert secret.is_in_asset(tmp_path / "out.tif")


def test_several_variables_need_a_name(attack, tmp_path):
    path = tmp_path / "two.nc"
    file = netcdf(path)
    other = file.create_dataset("other", data=np.zeros((32, 32), np.uint8))
    for at, axis in enumerate(("y", "x")):
        other.dims[at].attach_scale(file[axis])
    with_axes(file, file.create_dataset("pixels", data=np.zeros((32, 32), np.uint8)))
    attack.reject_file(path, "netCDF", "several rasters are in it; there are 'other', 'pixels'")
