"""Our logs, as text for people or as one JSON object a line, and what each line is about.

The flow says once what it works on (`about`), and every line that is written meanwhile names it;
nothing is handed from function to function for it. Where the lines go is the caller's business.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from datetime import datetime, timezone
from types import MappingProxyType, TracebackType
from typing import Literal, TextIO

from libs.errors import InputError, Problem

LogFormat = Literal["text", "json"]
_NOTHING: Mapping[str, str] = MappingProxyType({})
_ABOUT: ContextVar[Mapping[str, str]] = ContextVar("about", default=_NOTHING)


@contextlib.contextmanager
def about(**names: str | None) -> Iterator[None]:
    """Lines written inside name this: `run_id`, `batch_id`, `batch`, `stage`, `dataset_id` …"""
    token = _ABOUT.set(_with(names))
    try:
        yield
    finally:
        _ABOUT.reset(token)


def about_from_now_on(**names: str | None) -> None:
    """The same up to the end of the block that is in force: of the process, when there is none."""
    _ABOUT.set(_with(names))


def _with(names: Mapping[str, str | None]) -> Mapping[str, str]:
    given = {name: value for name, value in names.items() if value is not None}
    return {**_ABOUT.get(), **given}


def problem_fields(problems: Sequence[Problem]) -> dict[str, object]:
    """For `extra` of a log call: each problem with its place and its cure."""
    return {"problems": [problem.model_dump() for problem in problems]}


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, then what it is about."""

    def format(self, record: logging.LogRecord) -> str:
        """Pure ASCII, and no line break whatever the message holds."""
        line: dict[str, object] = {
            "time": _rfc3339(record.created),
            "level": record.levelname,
            "logger": record.name,
            "message": self.message_of(record),
            **_ABOUT.get(),
            **self.more_of(record),
            **_fault(record, self),
        }
        return json.dumps(line, default=str)

    def message_of(self, record: logging.LogRecord) -> str:
        """The message itself."""
        return record.getMessage()

    def more_of(self, record: logging.LogRecord) -> Mapping[str, object]:
        """Further fields of a record; for those who know more of it."""
        problems = getattr(record, "problems", None)
        return {"problems": problems} if problems else {}


class TextLines(logging.Formatter):
    """One line for people, and behind it what it is about."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  the standard library's
        """The line without its traceback."""
        names = " ".join(f"{name}={value}" for name, value in _ABOUT.get().items())
        return super().formatMessage(record) + (f" [{names}]" if names else "")


def configure(form: LogFormat, stream: TextIO | None = None) -> None:
    """Send this process's logs to a stream (standard error); said again, it replaces itself.

    As text only ours: other packages' stay as they are. As JSON all of them, warnings and what ends
    the process too, so that a log collector meets no other line.
    """
    handler = _Ours(stream)
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    for logger in (logging.getLogger(), logging.getLogger("libs")):
        for old in [one for one in logger.handlers if isinstance(one, _Ours)]:
            logger.removeHandler(old)
    logging.getLogger("libs").setLevel(logging.INFO)
    if form == "json":
        logging.getLogger().addHandler(handler)
        logging.captureWarnings(capture=True)
        sys.excepthook = _log_the_end
        sys.unraisablehook = _log_what_is_lost
        threading.excepthook = _log_the_end_of_a_thread
    else:
        logging.getLogger("libs").addHandler(handler)


class _Ours(logging.StreamHandler[TextIO]):
    """Made by `configure`."""


def _log_the_end(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        logging.getLogger("libs").critical("The process ends", exc_info=(kind, error, trace))


def _log_what_is_lost(lost: sys.UnraisableHookArgs) -> None:
    """An error in a destructor or a callback, which Python can raise nowhere."""
    if lost.exc_value is not None:
        where = getattr(lost.object, "__qualname__", type(lost.object).__name__)
        trace = (lost.exc_type, lost.exc_value, lost.exc_traceback)
        logging.getLogger("libs").error(
            "Python goes on after an error in %s", where, exc_info=trace
        )


def _log_the_end_of_a_thread(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is not None and ended.exc_type is not SystemExit:
        name = ended.thread.name if ended.thread else "?"
        trace = (ended.exc_type, ended.exc_value, ended.exc_traceback)
        logging.getLogger("libs").error("The thread %s ends", name, exc_info=trace)


def _rfc3339(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _fault(record: logging.LogRecord, formatter: logging.Formatter) -> dict[str, object]:
    """The exception of a record: its class, its problems, its traceback in one field."""
    if not record.exc_info or record.exc_info[1] is None:
        return {}
    error = record.exc_info[1]
    problems = problem_fields(error.problems) if isinstance(error, InputError) else {}
    return {
        "error": type(error).__name__,
        **problems,
        "traceback": formatter.formatException(record.exc_info),
    }
