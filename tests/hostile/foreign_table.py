"""A table with a head, as text and as Markdown; what is in it is the caller's business."""

from __future__ import annotations

Lines = list[tuple[str, ...]]


def as_text(lines: Lines) -> list[str]:
    """Columns of equal width, numbers to the right; the first line is the head."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])])
        for line in lines
    ]


def as_markdown(lines: Lines) -> str:
    """For a page of the documentation."""
    rule = ("---", *["---:"] * (len(lines[0]) - 1))
    return "".join(f"| {' | '.join(line)} |\n" for line in (lines[0], rule, *lines[1:]))
