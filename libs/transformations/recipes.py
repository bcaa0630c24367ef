"""Recipes as values: a name, a version and steps. `recipe_files` reads them from files."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from libs.models import AssetKind, Frozen
from libs.transformations.linearise_curves import LineariseCurvesStep
from libs.transformations.normalize_crs import NormalizeCRSStep
from libs.transformations.raster_steps import AnyRasterStep
from libs.transformations.simplify_geometry import SimplifyGeometryStep
from libs.transformations.spatial_index import CreateSpatialIndexStep
from libs.transformations.validate_geometry import ValidateGeometryStep

AnyVectorStep = Annotated[
    LineariseCurvesStep
    | NormalizeCRSStep
    | ValidateGeometryStep
    | SimplifyGeometryStep
    | CreateSpatialIndexStep,
    Field(discriminator="kind"),
]

_NEED_STRAIGHT_LINES = ("normalize_crs", "validate_geometry", "simplify_geometry")

RecipeName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
RecipeVersion = Annotated[str, StringConstraints(pattern=r"^[0-9]+\.[0-9]+(\.[0-9]+)?$")]


class Recipe(Frozen):
    """What vector and raster recipes have in common. The name is the intent that asks for it."""

    name: RecipeName
    version: RecipeVersion
    title: str = Field(min_length=1, max_length=200)
    description: str = Field(default="", max_length=5000)

    @property
    def hash(self) -> str:
        """SHA-256 over the canonical JSON: defaults written out, keys sorted, no spaces, UTF-8."""
        text = json.dumps(
            self.model_dump(mode="json"),
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
            allow_nan=False,
        )
        return hashlib.sha256(text.encode()).hexdigest()


class VectorRecipe(Recipe):
    """Steps that PostGIS does, one after the other."""

    kind: Literal["vector"] = "vector"
    steps: tuple[AnyVectorStep, ...] = ()

    @property
    def asset_kind(self) -> AssetKind:
        """Vector."""
        return AssetKind.VECTOR

    @model_validator(mode="after")
    def _curves_come_first(self) -> VectorRecipe:
        kinds = [step.kind for step in self.steps]
        if kinds.count("linearise_curves") > 1:
            raise ValueError("steps: linearise_curves stands more than once")
        straight_from = kinds.index("linearise_curves") if "linearise_curves" in kinds else None
        for index, kind in enumerate(kinds):
            if kind in _NEED_STRAIGHT_LINES and (straight_from is None or index < straight_from):
                raise ValueError(
                    f"steps[{index}]: {kind} needs straight lines; put linearise_curves before it"
                )
        return self

    @model_validator(mode="after")
    def _steps_agree_on_the_geometry_column(self) -> VectorRecipe:
        names = sorted({step.geometry_column for step in self.steps})
        if len(names) > 1:
            raise ValueError(f"steps: different geometry columns are named: {', '.join(names)}")
        return self


class RasterRecipe(Recipe):
    """Steps that GDAL does; the last one writes the COG."""

    kind: Literal["raster"] = "raster"
    steps: tuple[AnyRasterStep, ...]

    @property
    def asset_kind(self) -> AssetKind:
        """Raster."""
        return AssetKind.RASTER

    @model_validator(mode="after")
    def _ends_with_its_only_cog(self) -> RasterRecipe:
        kinds = [step.kind for step in self.steps]
        if kinds.count("cog") != 1 or kinds[-1] != "cog" or len(kinds) > 2:
            raise ValueError("steps: a raster recipe is cog, or reproject_raster and then cog")
        return self


AnyRecipe = Annotated[VectorRecipe | RasterRecipe, Field(discriminator="kind")]


class ResolvedRecipe(Frozen):
    """The recipe that an intent leads to, and how."""

    recipe: AnyRecipe
    requested_intent: str
    is_default_for_unknown_intent: bool = False
    nearest_known_intent: str | None = None
    """For an unknown intent: the known one that it most resembles."""
