"""`recipes`: which intents there are and what each does."""

from __future__ import annotations

from libs.cli.options import JsonOption


def recipes(as_json: JsonOption = False) -> None:
    """List the intents, with the steps of each."""
    raise NotImplementedError
