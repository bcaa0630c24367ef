"""The four resources in one hand: what `libs.ingest` calls the platform."""

from dagster import ConfigurableResource, InitResourceContext
from pydantic import PrivateAttr

from etl_pipelines.resources.gdal import GDALResource
from etl_pipelines.resources.minio import MinIOResource
from etl_pipelines.resources.mongodb import MongoDBResource
from etl_pipelines.resources.postgis import PostGISResource
from libs.ingest.platform import Platform
from libs.settings import Settings
from libs.transformations import RecipeRegistry


class PlatformResource(ConfigurableResource):
    """Assembles `libs.ingest.Platform` from its resources, once a process or run."""

    minio: MinIOResource
    mongodb: MongoDBResource
    postgis: PostGISResource
    gdal: GDALResource

    _platform: Platform | None = PrivateAttr(default=None)

    def get(self) -> Platform:
        """The platform; no server is reached before it is used."""
        if self._platform is None:
            limits = Settings().etl
            vault = self.minio.settings()
            self._platform = Platform(
                vault=self.minio.vault(),
                ledger=self.mongodb.ledger(),
                compute=self.postgis.engine(),
                gdal=self.gdal.gdal(),
                recipes=RecipeRegistry.load(limits.recipes_dir),
                limits=limits,
                landing_bucket=vault.landing_bucket,
                lake_bucket=vault.lake_bucket,
            )
        return self._platform

    def teardown_after_execution(self, context: InitResourceContext) -> None:
        """Give the connections back when the run or tick ends."""
        if self._platform is not None:
            self._platform.close()
            self._platform = None
