"""Rounds into a table and a picture; all as ratios to ours, from the same run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median

from benchmarks.rounds import OURS, Round

MB = 1_000_000


def table(rounds: Sequence[Round]) -> str:
    """Markdown; each figure is the median of its rounds, disk the highest."""
    lines = [
        "| job | contender | seconds | time / ours | peak memory | memory / ours | disk | result |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for case, by_contender in _grouped(rounds).items():
        mine = by_contender[OURS]
        for name, turns in by_contender.items():
            seconds, own_seconds = median(_seconds(turns)), median(_seconds(mine))
            memory, own_memory = median(_memory(turns)), median(_memory(mine))
            disk = max(_disk(turns))
            lines.append(
                f"| {case} | {name} | {seconds:.1f} | {seconds / own_seconds:.2f}"
                f" | {memory / MB:,.0f} MB | {memory / own_memory:.2f} | {disk / MB:,.0f} MB"
                f" | {turns[-1].result_bytes / MB:,.1f} MB |"
            )
    return "\n".join(lines) + "\n"


def _seconds(turns: Sequence[Round]) -> list[float]:
    undisturbed = [turn for turn in turns if not turn.measured.was_watched]
    return [turn.measured.seconds for turn in undisturbed or turns]


def _memory(turns: Sequence[Round]) -> list[float]:
    return [turn.measured.peak_with_servers_bytes for turn in _watched(turns)]


def _disk(turns: Sequence[Round]) -> list[float]:
    return [turn.measured.peak_disk_bytes for turn in _watched(turns)]


def _watched(turns: Sequence[Round]) -> list[Round]:
    return [turn for turn in turns if turn.measured.was_watched]


PANELS: dict[str, Callable[[Sequence[Round]], list[float]]] = {
    "time": _seconds,
    "peak memory, PostgreSQL's included": _memory,
    "temporary disk": _disk,
}


def draw(rounds: Sequence[Round], target: Path) -> None:
    """Time, memory and disk as bars, one group a job, drawn to `target` (PNG or SVG)."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    groups = _grouped(rounds)
    size = (11, 3.4 * len(PANELS))
    figure, axes = pyplot.subplots(len(PANELS), 1, figsize=size, layout="constrained")
    for axis, (title, values) in zip(axes, PANELS.items(), strict=True):
        _bars(axis, groups, values)
        axis.set_title(f"{title}, as a multiple of ours")
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names), fontsize=8)
    figure.savefig(target, dpi=120)
    pyplot.close(figure)


def _bars(axis, groups, values) -> None:  # noqa: ANN001  matplotlib's and ours, see draw
    names = list(dict.fromkeys(name for by_name in groups.values() for name in by_name))
    width = 0.8 / len(names)
    for index, name in enumerate(names):
        heights = {
            place: median(values(turns[name])) / (median(values(turns[OURS])) or 1)
            for place, turns in enumerate(groups.values())
            if name in turns
        }
        places = [place + index * width for place in heights]
        drawn = axis.bar(places, heights.values(), width, label=name)
        axis.bar_label(drawn, fmt="%.2g", fontsize=7)
    axis.axhline(1, color="black", linewidth=0.8)
    axis.margins(y=0.1)
    axis.set_xticks([place + 0.4 - width / 2 for place in range(len(groups))], list(groups))


def _grouped(rounds: Iterable[Round]) -> dict[str, dict[str, list[Round]]]:
    found: dict[str, dict[str, list[Round]]] = defaultdict(lambda: defaultdict(list))
    for turn in rounds:
        found[turn.case][turn.contender].append(turn)
    return found
