"""Where output goes: results to stdout, all else to stderr. What is said is the views' business."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import RenderableType

PIPED_WIDTH = 240
"""Columns when nobody's terminal sets a width: no hash and no key is ever folded in a log."""
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def safe(text: str) -> str:
    """The text without what could steer a terminal: file names and messages are others' words."""
    return _UNSAFE.sub(lambda match: ascii(match.group())[1:-1], text)


class Terminal:
    """The two streams of one command.

    Colours appear on a terminal only, and never when `NO_COLOR` is set. Markup in square brackets
    means nothing: most of what is shown was written by users.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        for stream in (sys.stdout, sys.stderr):
            reconfigure = getattr(stream, "reconfigure", None)
            if reconfigure is not None:
                reconfigure(encoding="utf-8", errors="backslashreplace")
        self.out = _console(stderr=False)
        self.err = _console(stderr=True)

    def result(self, model: BaseModel, *views: RenderableType) -> None:
        """Print the command's result: as JSON when that was asked for, else for people."""
        if self.as_json:
            self.document(model)
            return
        for view in views:
            self.out.print(view, soft_wrap=isinstance(view, (str, Text)))

    def document(self, model: BaseModel) -> None:
        """The model as one JSON object; field names are those of the Python classes."""
        content = model.model_dump(mode="json", by_alias=False)
        sys.stdout.write(json.dumps(content, indent=2, ensure_ascii=False) + "\n")

    def say(self, text: str, style: str = "") -> None:
        """One line about the work, to stderr."""
        self.err.print(Text(safe(text), style=style), soft_wrap=True)

    def say_all(self, lines: Iterable[str], style: str = "") -> None:
        """Several of them."""
        for line in lines:
            self.say(line, style)


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = PIPED_WIDTH
    return console
