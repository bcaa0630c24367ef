"""Asks Dagster's page over its GraphQL; knows nothing of what the answers mean."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from libs.errors import ConfigError, TransientError

_LONGEST_ANSWER_BYTES = 4_000_000


class PageAwayError(TransientError):
    """Dagster's page does not answer, or not as it should."""


def ask(url: str, query: str, timeout_s: float) -> dict[str, Any]:
    """The `data` of the answer.

    Raises:
        PageAwayError: there is none.
        ConfigError: the address is no http:// or https:// one.
    """
    body = json.dumps({"query": query}).encode()
    try:
        status, answer = request(url, "POST", "/graphql", timeout_s, body)
        parsed = json.loads(answer) if status == 200 else None
    except ValueError as error:
        raise PageAwayError(f"Dagster's page at {url} answers with no JSON.") from error
    data = parsed.get("data") if isinstance(parsed, dict) else None
    if not isinstance(data, dict):
        raise PageAwayError(f"Dagster's page answers {status}")
    return data


def request(
    url: str, method: str, path: str, timeout_s: float, body: bytes | None = None
) -> tuple[int, bytes]:
    """Status and body; raise `PageAwayError` when nothing answers in time."""
    place = urlsplit(url)
    kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
    if place.scheme not in kinds or not place.netloc or "@" in place.netloc:
        raise ConfigError("Dagster's address must be http:// or https:// and a host, no password.")
    connection = kinds[place.scheme](place.netloc, timeout=timeout_s)
    try:
        headers = {"Content-Type": "application/json"}
        connection.request(method, place.path.rstrip("/") + path, body, headers)
        response = connection.getresponse()
        return response.status, response.read(_LONGEST_ANSWER_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise PageAwayError(str(error)) from error
    finally:
        connection.close()
