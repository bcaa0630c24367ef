"""Whether a ledger can be used at all: one clear sentence when not."""

from __future__ import annotations

import socket
import time
from datetime import datetime, timedelta, timezone

import pytest
from pydantic import SecretStr

from libs.errors import ConfigError, TransientError
from libs.ledger import Ledger
from libs.settings import LedgerSettings

pytestmark = pytest.mark.integration


def check(settings: LedgerSettings, **fields: object) -> None:
    with Ledger.connect(settings.model_copy(update=fields)) as ledger:
        ledger.check()


def test_a_ledger_that_works_passes(ledger_settings: LedgerSettings) -> None:
    check(ledger_settings)


def test_a_wrong_password_is_a_config_error_that_names_the_variable(
    ledger_settings: LedgerSettings,
) -> None:
    if ledger_settings.username is None:
        pytest.skip("the server asks for no credentials")
    with pytest.raises(ConfigError, match="MONGODB_PASSWORD") as caught:
        check(ledger_settings, password=SecretStr("not-the-password"))
    assert "not-the-password" not in str(caught.value)


def test_missing_credentials_are_a_config_error_that_names_the_variable(
    ledger_settings: LedgerSettings,
) -> None:
    if ledger_settings.username is None:
        pytest.skip("the server asks for no credentials")
    with pytest.raises(ConfigError, match="MONGODB_USERNAME"):
        check(ledger_settings, username=None, password=None)


def test_a_host_that_nobody_knows_is_a_config_error(ledger_settings: LedgerSettings) -> None:
    with pytest.raises(ConfigError, match=r"ledger\.invalid.*MONGODB_URI|did not answer"):
        check(ledger_settings, uri="mongodb://ledger.invalid:27017", timeout_s=0.5)


def test_a_server_that_is_away_is_a_transient_error_in_one_sentence_and_in_time(
    ledger_settings: LedgerSettings,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    before = time.monotonic()
    with pytest.raises(TransientError, match=f"127.0.0.1:{port}") as caught:
        check(ledger_settings, uri=f"mongodb://127.0.0.1:{port}", timeout_s=0.5)
    assert time.monotonic() - before < 5
    assert "Topology" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_server_that_accepts_and_says_nothing_is_a_transient_error(
    ledger_settings: LedgerSettings,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"mongodb://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(TransientError):
            check(ledger_settings, uri=uri, timeout_s=0.5)


def test_the_servers_clock_is_in_utc_and_to_the_millisecond(ledger: Ledger) -> None:
    now = ledger.server_now()
    assert now.utcoffset() == timedelta(0)
    assert now.microsecond % 1000 == 0
    assert abs(now - datetime.now(timezone.utc)) < timedelta(minutes=5)
