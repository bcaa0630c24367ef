"""Small pictures of results, for people; drawn by the two modules behind this one."""

from __future__ import annotations

from libs.spatial_utils.picture_of_raster import MAX_SIDE, picture_of_cog
from libs.spatial_utils.picture_of_vector import Geometry, picture_of_features

__all__ = ["MAX_SIDE", "Geometry", "picture_of_cog", "picture_of_features"]
