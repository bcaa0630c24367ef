"""One resource per server, each a thin shell around its class in `libs`."""

from etl_pipelines.resources.gdal import GDALResource
from etl_pipelines.resources.minio import MinIOResource
from etl_pipelines.resources.mongodb import MongoDBResource
from etl_pipelines.resources.platform import PlatformResource
from etl_pipelines.resources.postgis import PostGISResource

__all__ = [
    "GDALResource",
    "MinIOResource",
    "MongoDBResource",
    "PlatformResource",
    "PostGISResource",
]
