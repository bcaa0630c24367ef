import io
import json

import pytest
from rich.text import Text

from libs.cli.terminal import Terminal, safe
from libs.errors import Problem


@pytest.mark.parametrize(
    "text", ["a\x1b[31mred", "bell\x07", "a\x9b2J", "back\x08", "carriage\rreturn", "\ud800"]
)
def test_what_others_wrote_cannot_steer_the_terminal(text):
    shown = safe(text)
    assert shown.isprintable()
    assert shown.startswith(text[0] if text[0].isprintable() else "\\")


def test_any_language_and_line_breaks_are_left_alone():
    assert safe("Łódź дороги 道路 🗺\n\tnext") == "Łódź дороги 道路 🗺\n\tnext"


def test_json_alone_is_on_stdout_and_words_are_on_stderr(capsys):
    terminal = Terminal(as_json=True)
    terminal.say("working on it")
    terminal.result(Problem(where="Łódź", what="x"), Text("a table"))
    shown = capsys.readouterr()
    assert json.loads(shown.out) == {"where": "Łódź", "what": "x", "cure": ""}
    assert shown.err == "working on it\n"


def test_square_brackets_are_text_and_long_words_are_whole_when_piped(capsys):
    from libs.cli.view import pairs

    Terminal().result(
        Problem(where="a", what="b"), "[red]files[0][/red]", pairs([("h", "f" * 200)])
    )
    out = capsys.readouterr().out
    assert "[red]files[0][/red]" in out
    assert "f" * 200 in out


def test_a_terminal_that_knows_no_utf8_still_gets_everything(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="ascii"))
    terminal = Terminal()
    terminal.result(Problem(where="a", what="b"), "Łódź → 道路")
    terminal.out.file.flush()
    assert raw.getvalue().decode("utf-8") == "Łódź → 道路\n"
