"""A log line: whole, on one line, and about what it says it is about."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import threading

import pytest

from libs.errors import InputError
from libs.logs import about, about_from_now_on, configure

logger = logging.getLogger("libs.of.a.test")


@pytest.fixture
def written():
    """What `configure` makes of the log, as text; the process's own logging comes back after."""
    root, ours = logging.getLogger(), logging.getLogger("libs")
    hooks = (sys.excepthook, sys.unraisablehook, threading.excepthook)
    before = (root.handlers[:], ours.handlers[:], ours.level)
    stream = io.StringIO()

    def to(form):
        configure(form, stream)
        return stream

    yield to
    root.handlers[:], ours.handlers[:], level = before
    sys.excepthook, sys.unraisablehook, threading.excepthook = hooks
    ours.setLevel(level)
    logging.captureWarnings(capture=False)


def lines(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize("text", ["two\nlines", "\u2028", "\x1b[31m", "\ud800", 'a "quote"', "ä"])
def test_whatever_a_message_holds_it_stays_one_line_of_ascii(written, text):
    stream = written("json")
    logger.warning("%s", text)
    (line,) = lines(stream)
    assert line["message"] == text
    assert stream.getvalue().isascii() and stream.getvalue().count("\n") == 1


def test_a_line_names_what_is_in_force_and_nothing_that_is_over(written):
    stream = written("json")
    with about(run_id="r", batch_id=None):
        with about(stage="load"):
            about_from_now_on(dataset="A/b")
            logger.info("inside")
        logger.info("behind it")
    logger.info("outside")
    names = {"run_id", "batch_id", "stage", "dataset"}
    assert [{key: line[key] for key in names & set(line)} for line in lines(stream)] == [
        {"run_id": "r", "stage": "load", "dataset": "A/b"}, {"run_id": "r"}, {},
    ]  # fmt: skip


def test_another_thread_is_about_something_else(written):
    stream = written("json")
    with about(run_id="mine"):
        thread = threading.Thread(target=lambda: logger.info("other"))
        thread.start()
        thread.join()
        logger.info("own")
    assert [line.get("run_id") for line in lines(stream)] == [None, "mine"]


def test_an_error_keeps_its_problems_and_its_traceback_as_fields(written):
    stream = written("json")
    try:
        raise InputError.of("files[0]", "is bad.", "Mend it.")
    except InputError:
        logger.exception("It failed")
    (line,) = lines(stream)
    assert line["error"] == "InputError"
    assert line["problems"] == [{"where": "files[0]", "what": "is bad.", "cure": "Mend it."}]
    assert line["traceback"].startswith("Traceback (most recent call last):\n")


def test_configured_twice_a_line_is_written_once(written):
    written("text")
    stream = written("json")
    logger.info("once")
    assert len(lines(stream)) == 1


def test_as_text_a_line_is_for_people_and_still_says_what_it_is_about(written):
    stream = written("text")
    with about(run_id="r-1", stage="load"):
        logger.info("3 files")
    assert stream.getvalue().endswith("INFO libs.of.a.test: 3 files [run_id=r-1 stage=load]\n")


def test_what_ends_a_process_is_a_line_of_json_too():
    code = (
        "import warnings; from libs.logs import configure; configure('json');"
        "warnings.warn('old'); 1 / 0"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    warned, ended = [json.loads(line) for line in done.stderr.splitlines()]
    assert warned["logger"] == "py.warnings" and "old" in warned["message"]
    assert ended["level"] == "CRITICAL" and ended["error"] == "ZeroDivisionError"
    assert done.returncode == 1


def test_what_python_can_raise_nowhere_is_a_line_of_json_too():
    """An interrupt in a destructor, say, or what ends a thread; `sys.exit` is no error."""
    code = """
import sys
import threading
from libs.logs import configure
configure("json")
class Lost:
    def __del__(self):
        raise KeyboardInterrupt
lost = Lost()
del lost
for target in (lambda: 1 / 0, sys.exit):
    thread = threading.Thread(target=target, name="reader")
    thread.start()
    thread.join()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    lost, ended = [json.loads(line) for line in done.stderr.splitlines()]
    assert (lost["level"], lost["error"]) == ("ERROR", "KeyboardInterrupt")
    assert "Lost.__del__" in lost["message"]
    assert (ended["level"], ended["error"]) == ("ERROR", "ZeroDivisionError")
    assert "reader" in ended["message"]
    assert done.returncode == 0
