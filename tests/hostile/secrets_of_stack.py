"""Every password of the stack under test, and the forms in which one could leak."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from libs.settings import Settings


def all_secrets(settings: Settings) -> dict[str, str]:
    """By where they stand: the settings' own, and the administrators' in the stack's state."""
    sections: list[BaseSettings] = [
        settings.vault, settings.uploader, settings.ledger, settings.compute, settings.etl,
    ]  # fmt: skip
    found = {
        f"{type(section).__name__}.{name}": value.get_secret_value()
        for section in sections
        for name, value in section
        if isinstance(value, SecretStr)
    }
    env_file = os.environ.get("SPATIAL_ETL_ENV_FILE", "")
    identity = Path(env_file).with_name("identity.json")
    if env_file and identity.is_file():
        found |= dict(_passwords("identity", json.loads(identity.read_text())))
    return found


def _passwords(place: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "password":
                yield place, inner
            else:
                yield from _passwords(f"{place}.{name}", inner)


def leaked(secrets: dict[str, str], text: str | bytes) -> list[str]:
    """The names of the secrets that are in a text: raw, URL-quoted or in base64."""
    data = text.encode("utf-8", "replace") if isinstance(text, str) else text
    return [name for name, secret in secrets.items() if any(form in data for form in forms(secret))]


def forms(secret: str) -> set[bytes]:
    """As it is, quoted, and in base64 whatever stands before it."""
    shifted = {_inside_base64(before, secret.encode()) for before in (b"", b"x", b"xx")}
    return {secret.encode(), quote(secret, safe="").encode(), *shifted}


def _inside_base64(before: bytes, secret: bytes) -> bytes:
    """What of the secret's base64 does not depend on what stands before and after it."""
    coded = base64.b64encode(before + secret)
    start = (len(before) * 8 + 5) // 6
    return coded[start : len(before + secret) * 8 // 6]
