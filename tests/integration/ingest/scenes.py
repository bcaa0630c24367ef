"""Small rasters to submit."""

import numpy as np
import rasterio
from rasterio.transform import from_origin


def geotiff(path, data, crs="EPSG:32633", nodata=None, descriptions=(), **profile):
    data = np.atleast_3d(data) if data.ndim == 2 else data
    if data.shape[-1] == 1 and data.ndim == 3:
        data = np.moveaxis(data, -1, 0)
    with rasterio.open(
        path, "w", driver="GTiff", count=data.shape[0], height=data.shape[1], width=data.shape[2],
        dtype=data.dtype, crs=crs, nodata=nodata,
        **{"transform": from_origin(500_000, 5_000_000, 10, 10), **profile},
    ) as out:  # fmt: skip
        out.write(data)
        for number, text in enumerate(descriptions, 1):
            out.set_band_description(number, text)
    return path
