"""What of a server's log a person should see when it fails. Writes none."""

from __future__ import annotations

import re
from pathlib import Path

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_PYTHON_ERROR = re.compile(r"[A-Za-z_][\w.]*(Error|Exception): .+")
_END_BYTES = 32_768
_NAMED_ERRORS = 3


def excerpt(path: Path, lines: int = 15) -> str:
    """The last lines of a log without terminal colours, after the Python errors before them.

    A Python program ends with the error that wrapped the one which says what is wrong.
    """
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - _END_BYTES))
            text = _COLOURS.sub("", stream.read().decode("utf-8", "replace"))
    except FileNotFoundError:
        return ""
    written = text.splitlines()
    errors = [line for line in written[:-lines] if _PYTHON_ERROR.match(line)]
    shown = set(written[-lines:])
    named = [line for line in dict.fromkeys(reversed(errors)) if line not in shown][:_NAMED_ERRORS]
    return "\n".join([*reversed(named), *(["..."] if named else []), *written[-lines:]])
