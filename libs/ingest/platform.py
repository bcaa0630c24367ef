"""The platform as the flow sees it: three stores, GDAL, the recipes and the limits in one hand."""

from __future__ import annotations

from dataclasses import dataclass

from libs.compute import PostGIS
from libs.ledger import Ledger
from libs.settings import EtlSettings, Settings
from libs.spatial_utils.gdal_cli import GDAL
from libs.transformations import RecipeRegistry
from libs.vault import Vault


@dataclass(frozen=True)
class Platform:
    """Everything a stage may touch. Constructing it reaches no server."""

    vault: Vault
    ledger: Ledger
    compute: PostGIS
    gdal: GDAL
    recipes: RecipeRegistry
    limits: EtlSettings
    landing_bucket: str
    lake_bucket: str

    @classmethod
    def connect(cls, settings: Settings) -> Platform:
        """From settings alone.

        Raises:
            ConfigError: a setting is missing or wrong.
        """
        return cls(
            vault=Vault.connect(settings.vault),
            ledger=Ledger.connect(settings.ledger),
            compute=PostGIS.connect(settings.compute, workers=settings.etl.workers),
            gdal=GDAL.from_settings(settings.etl),
            recipes=RecipeRegistry.load(settings.etl.recipes_dir),
            limits=settings.etl,
            landing_bucket=settings.vault.landing_bucket,
            lake_bucket=settings.vault.lake_bucket,
        )

    def check(self) -> None:
        """Ask each server for a sign of life; the first that fails says why in one sentence."""
        self.vault.check()
        self.ledger.check()
        self.compute.check()

    def __enter__(self) -> Platform:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back connections; the platform is not used after."""
        self.compute.close()
        self.ledger.close()
