"""Data that keeps a run busy for a while."""

import geopandas
import numpy as np
import shapely


def crowd(path, count, corners=100):
    """So many polygons, one over the other, as FlatGeobuf."""
    angles = np.linspace(0, 2 * np.pi, corners)
    centres = np.random.default_rng(1).uniform(-80, 80, (count, 2))
    ring = np.column_stack([np.cos(angles), np.sin(angles)]) * 0.3
    coordinates = (centres[:, None, :] + ring[None]).reshape(-1, 2)
    rings = shapely.linearrings(coordinates, indices=np.repeat(np.arange(count), corners))
    frame = geopandas.GeoDataFrame(
        {"n": np.arange(count)}, geometry=shapely.polygons(rings), crs="EPSG:4326"
    )
    frame.to_file(path, driver="FlatGeobuf", SPATIAL_INDEX="NO")
    return path
