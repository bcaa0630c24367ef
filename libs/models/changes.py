"""What a step did to the data, measured: nothing is lost in silence."""

from __future__ import annotations

from pydantic import Field

from libs.models.base import Frozen, Moment, Seconds

ParameterValue = str | int | float | bool | None


class GeometryChange(Frozen):
    """What a step changed in a table's geometries, summed or maximised over all rows."""

    vertices_before: int = Field(ge=0)
    vertices_after: int = Field(ge=0)
    largest_displacement_m: float | None = Field(default=None, ge=0)
    """Largest distance that a point of any line or ring moved, metres; None: not measurable."""
    area_before_m2: float | None = Field(default=None, ge=0)
    area_changed_m2: float | None = Field(default=None, ge=0)
    """Sum over the rows of the absolute difference in area, square metres."""
    rows_repaired: int = Field(default=0, ge=0)
    rows_collapsed: int = Field(default=0, ge=0)
    """Rows whose geometry was not empty before and is empty or null after."""
    rows_linearised: int = Field(default=0, ge=0)
    """Rows whose curves became straight segments."""


class StepRecord(Frozen):
    """One step as it was run: LE_ProcessStep of ISO 19115-2."""

    name: str
    """The step's kind, `simplify_geometry` say."""
    description: str
    """One sentence for a reader who has never seen the platform."""
    parameters: dict[str, ParameterValue]
    started_at: Moment
    seconds: Seconds
    is_shared: bool = False
    """True: done in one statement with the other steps that are so; the seconds are of that."""
    change: GeometryChange | None = None
    """None: the step changes no geometry."""


class RecipeRecord(Frozen):
    """The recipe an asset was made with, whole enough to be replayed."""

    name: str
    version: str
    hash: str
    """SHA-256 over the recipe's canonical JSON."""
    requested_intent: str
    is_default_for_unknown_intent: bool = False
    """True: the intent was unknown, so the default recipe was taken."""
    nearest_known_intent: str | None = None
    """For an unknown intent: the known one it most resembles."""
    steps: tuple[StepRecord, ...] = ()
