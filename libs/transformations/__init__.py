"""Recipes and their steps as values that write SQL; see CONTEXT.md for which module holds what."""

from libs.transformations.binding import BoundCRS
from libs.transformations.chaining import PlannedStep, plan_steps
from libs.transformations.contract import check_contract, geometry_contract_sql
from libs.transformations.errors import (
    GeometryContractError,
    RecipeError,
    StepRefusedRowsError,
    UnboundCrsError,
)
from libs.transformations.faults import raise_for_faults
from libs.transformations.linearise_curves import LineariseCurvesStep
from libs.transformations.measures import change_of
from libs.transformations.normalize_crs import NormalizeCRSStep
from libs.transformations.pass_through import PassThroughStep
from libs.transformations.raster_steps import CogStep, RasterStep, ReprojectRasterStep
from libs.transformations.recipes import RasterRecipe, Recipe, ResolvedRecipe, VectorRecipe
from libs.transformations.registry import DEFAULT_INTENTS, RecipeRegistry
from libs.transformations.row_wise import KnownGeometries
from libs.transformations.runner import Execute, StepOutcome, run_in_one_pass, run_step
from libs.transformations.simplify_geometry import SimplifyGeometryStep
from libs.transformations.spatial_index import CreateSpatialIndexStep
from libs.transformations.step import VectorStep
from libs.transformations.tables import PROCESSED_TABLE, RAW_TABLE, ROW_ID, drop_table
from libs.transformations.validate_geometry import ValidateGeometryStep

__all__ = [
    "DEFAULT_INTENTS",
    "PROCESSED_TABLE",
    "RAW_TABLE",
    "ROW_ID",
    "BoundCRS",
    "CogStep",
    "CreateSpatialIndexStep",
    "Execute",
    "GeometryContractError",
    "KnownGeometries",
    "LineariseCurvesStep",
    "NormalizeCRSStep",
    "PassThroughStep",
    "PlannedStep",
    "RasterRecipe",
    "RasterStep",
    "Recipe",
    "RecipeError",
    "RecipeRegistry",
    "ReprojectRasterStep",
    "ResolvedRecipe",
    "SimplifyGeometryStep",
    "StepOutcome",
    "StepRefusedRowsError",
    "UnboundCrsError",
    "ValidateGeometryStep",
    "VectorRecipe",
    "VectorStep",
    "change_of",
    "check_contract",
    "drop_table",
    "geometry_contract_sql",
    "plan_steps",
    "raise_for_faults",
    "run_in_one_pass",
    "run_step",
]
