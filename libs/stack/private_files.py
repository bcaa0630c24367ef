"""Files that only their owner can read, written whole or not at all. Knows nothing of the stack."""

from __future__ import annotations

import os
import re
from pathlib import Path

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def write_private(path: Path, text: str) -> None:
    """Replace `path` by a file of mode 0600 holding `text`; a reader never sees half of it."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(path)


def read_or_empty(path: Path) -> str:
    """The file's text; empty when there is no such file."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def tail(path: Path, lines: int = 25) -> str:
    """The last lines of a log, however large it is, without terminal colours."""
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - 16_384))
            text = _COLOURS.sub("", stream.read().decode("utf-8", "replace"))
            return "\n".join(text.splitlines()[-lines:])
    except FileNotFoundError:
        return ""
