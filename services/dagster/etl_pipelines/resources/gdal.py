"""GDAL's command line as a Dagster resource."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dagster import ConfigurableResource

from libs.settings import Settings
from libs.spatial_utils.gdal_cli import GDAL, GDALOutput


class GDALResource(ConfigurableResource):
    """GDAL's programs, run as guarded child processes. Limits come from `ETL_*` settings."""

    def gdal(self) -> GDAL:
        """The wrapper around `subprocess.Popen`."""
        return GDAL.from_settings(Settings().etl)

    def run(self, program: str, args: Sequence[str], *, work_dir: Path) -> GDALOutput:
        """Run `gdalinfo`, `gdalwarp`, … and give its output."""
        return self.gdal().run(program, args, work_dir=work_dir)
