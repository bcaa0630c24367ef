"""The steps of raster recipes: options only. GDAL does them, called by `libs.spatial_utils`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from libs.models import CrsCode, Frozen, ParameterValue


class RasterStep(Frozen):
    """One step of a raster recipe; a subclass narrows `kind` to its own name."""

    kind: str

    def describe(self) -> str:
        """What it does, in one sentence for a reader of the lineage."""
        raise NotImplementedError

    def parameters(self) -> dict[str, ParameterValue]:
        """What the recipe set, for the lineage: flat, defaults included."""
        return {
            name: value for name, value in self.model_dump(mode="json").items() if name != "kind"
        }


class ReprojectRasterStep(RasterStep):
    """Transforms the cells to another CRS. Changes values, except with `nearest` and `mode`."""

    kind: Literal["reproject_raster"] = "reproject_raster"
    target_crs: CrsCode
    resampling: Literal["nearest", "bilinear", "cubic", "average", "mode"] = "nearest"

    def describe(self) -> str:
        return f"The cells were transformed to {self.target_crs} ({self.resampling} resampling)."


class CogStep(RasterStep):
    """Writes a Cloud Optimized GeoTIFF, without loss of cell values."""

    kind: Literal["cog"] = "cog"
    compression: Literal["auto", "zstd", "deflate", "lzw", "none"] = "auto"
    """`auto`: chosen by the bands' data type."""
    blocksize: int = Field(default=512, ge=128, le=4096, description="side of a tile, in pixels")
    overview_resampling: (
        Literal["nearest", "bilinear", "cubic", "average", "mode", "gauss", "rms"] | None
    ) = None
    """None: chosen by what the bands hold, so that classes are never averaged."""

    @field_validator("blocksize")
    @classmethod
    def _is_a_multiple_of_16(cls, blocksize: int) -> int:
        if blocksize % 16:
            raise ValueError("a TIFF tile's side is a multiple of 16 pixels")
        return blocksize

    def describe(self) -> str:
        return (
            f"Written as a Cloud Optimized GeoTIFF with tiles of {self.blocksize} pixels and "
            "overviews, cell values unchanged."
        )


AnyRasterStep = Annotated[ReprojectRasterStep | CogStep, Field(discriminator="kind")]
