"""Single figures, each with its unit and what it should be; as a table and as bars."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas


@dataclass(frozen=True)
class Figure:
    """One thing that was measured."""

    what: str
    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None

    @property
    def goal(self) -> str:
        if self.at_most is not None:
            return f"≤ {self.at_most:g}, {'met' if self.value <= self.at_most else 'missed'}"
        if self.at_least is not None:
            return f"≥ {self.at_least:g}, {'met' if self.value >= self.at_least else 'missed'}"
        return ""


@dataclass(frozen=True)
class Outcome:
    """What a scenario found."""

    figures: tuple[Figure, ...]
    raw: object
    """As JSON keeps it: all that the figures are made of."""
    bars: Mapping[str, Mapping[str, float]]
    """For the picture: a bar's name, and the parts that it is made of, one upon the other."""
    axis: str
    """What the bars measure."""


def table(figures: Iterable[Figure]) -> str:
    """Markdown."""
    lines = ["| what | figure | goal |", "|---|---:|---|"]
    lines += [f"| {it.what} | {_short(it.value)} {it.unit} | {it.goal} |" for it in figures]
    return "\n".join(lines) + "\n"


def draw(outcome: Outcome, target: Path) -> None:
    """Bars that lie, drawn to `target` (PNG or SVG)."""
    names = list(outcome.bars)
    parts_of_bars = list(dict.fromkeys(part for parts in outcome.bars.values() for part in parts))
    with_room = 0.32 * len(names) + 1.5
    figure = canvas(9, with_room)
    axis = figure.subplots()
    left = [0.0] * len(names)
    for part in parts_of_bars:
        widths = [outcome.bars[name].get(part, 0.0) for name in names]
        axis.barh(names, widths, left=left, label=part)
        left = [start + width for start, width in zip(left, widths, strict=True)]
    axis.invert_yaxis()
    axis.set_xlabel(outcome.axis)
    if any(len(parts) > 1 for parts in outcome.bars.values()):
        figure.legend(loc="outside lower center", ncols=len(parts_of_bars), fontsize=8)
    figure.savefig(target, dpi=120)


def canvas(width: float, height: float) -> Canvas:
    """An empty picture, in inches, that needs no screen."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Picture

    figure = Picture(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * round(share * 100) // 100) - 1)]


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.3g}"
