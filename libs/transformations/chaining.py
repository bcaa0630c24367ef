"""From a recipe to a plan: which step makes which table from which, in which CRS. Runs nothing."""

from __future__ import annotations

from collections.abc import Callable

from libs.errors import InputError
from libs.models import CRS, Frozen
from libs.transformations.binding import BoundCRS
from libs.transformations.normalize_crs import NormalizeCRSStep
from libs.transformations.pass_through import PassThroughStep
from libs.transformations.recipes import AnyVectorStep, VectorRecipe
from libs.transformations.step import VectorStep
from libs.transformations.tables import PROCESSED_TABLE, RAW_TABLE


class PlannedStep(Frozen):
    """A step with the tables it reads and makes."""

    step: VectorStep
    """Bound to the CRSs of this run."""
    input_table: str
    output_table: str
    crs: CRS
    """Of the output table."""


def plan_steps(
    recipe: VectorRecipe,
    *,
    source_crs: CRS,
    crs_of: Callable[[str], CRS],
    srid_of: Callable[[str], int],
    bends_little: Callable[[CRS, CRS], bool] = lambda _source, _target: False,
) -> tuple[PlannedStep, ...]:
    """Chain the steps: `raw_data` → `step_0` → `step_1` → … → `processed`.

    `crs_of` tells what a code means, `srid_of` the number by which the server knows it, and
    `bends_little` what `libs.spatial_utils.crs_bending` says of two of them.
    The last step's `crs` is the result's. Without steps `raw_data` becomes `processed`.

    Raises:
        InputError: the recipe insists on another source CRS, or the source CRS has no code.
    """
    current = _bind(source_crs, srid_of)
    steps = recipe.steps or (PassThroughStep(),)
    planned = []
    for index, step in enumerate(steps):
        bound, after = _bind_step(step, current, crs_of, srid_of, bends_little)
        is_last = index == len(steps) - 1
        planned.append(
            PlannedStep(
                step=bound.as_last() if is_last else bound,
                input_table=f"step_{index - 1}" if index else RAW_TABLE,
                output_table=PROCESSED_TABLE if is_last else f"step_{index}",
                crs=after.crs,
            )
        )
        current = after
    return tuple(planned)


def _bind_step(
    step: AnyVectorStep | PassThroughStep,
    current: BoundCRS,
    crs_of: Callable[[str], CRS],
    srid_of: Callable[[str], int],
    bends_little: Callable[[CRS, CRS], bool],
) -> tuple[VectorStep, BoundCRS]:
    if not isinstance(step, NormalizeCRSStep):
        return step.bound(current), current
    if step.source_crs not in (None, current.crs.code):
        raise InputError.of(
            "crs",
            f"the recipe takes data in {step.source_crs} only; this is in {current.crs.code}.",
            "Submit the data in that CRS, or with another intent.",
        )
    target = BoundCRS(crs=crs_of(step.target_crs), srid=srid_of(step.target_crs))
    return (
        step.bound_to(current, target, bends_little=bends_little(current.crs, target.crs)),
        target,
    )


def _bind(crs: CRS, srid_of: Callable[[str], int]) -> BoundCRS:
    if crs.code is None:
        raise InputError.of("crs", f"no authority has a code for {crs.name!r}.", "Declare a code.")
    return BoundCRS(crs=crs, srid=srid_of(crs.code))
