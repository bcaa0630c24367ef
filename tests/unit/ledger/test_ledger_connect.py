"""Opening a ledger: nothing here reaches a server."""

from __future__ import annotations

import pytest
from pydantic import SecretStr
from pymongo import ReadPreference

from libs.errors import ConfigError
from libs.ledger import Ledger
from libs.settings import LedgerSettings

URI = "mongodb://ledger.invalid:27017,other.invalid/?replicaSet=rs0"


def settings(**fields: object) -> LedgerSettings:
    return LedgerSettings.model_validate({"uri": URI, **fields})


def test_opening_a_ledger_does_not_reach_out() -> None:
    with Ledger.connect(settings()) as ledger:
        assert ledger.address == "ledger.invalid:27017,other.invalid"


def test_no_password_shows_in_a_ledgers_repr() -> None:
    secret = SecretStr("hunter2-not-to-be-seen")
    with Ledger.connect(settings(username="pipeline", password=secret)) as ledger:
        for thing in (ledger, ledger.client, ledger.database, ledger.transactions):
            assert "hunter2" not in repr(thing)


def test_credentials_in_the_uri_are_refused_without_repeating_them() -> None:
    with pytest.raises(ConfigError, match="MONGODB_PASSWORD") as caught:
        Ledger.connect(settings(uri="mongodb://me:hunter2@h:1/"))
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("uri", ["localhost:27017", "http://h", "mongodb://", "mongodb://h:port"])
def test_a_uri_that_is_none_is_named_in_one_sentence(uri: str) -> None:
    with pytest.raises(ConfigError, match="MONGODB_URI"):
        Ledger.connect(settings(uri=uri))


@pytest.mark.parametrize("half", [{"username": "me"}, {"password": "secret"}])
def test_half_of_the_credentials_is_an_error(half: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="MONGODB_USERNAME and MONGODB_PASSWORD"):
        Ledger.connect(settings(**half))


def test_no_option_in_the_uri_weakens_what_a_commit_promises() -> None:
    weak = "mongodb://h/?w=1&journal=false&readPreference=secondary&readConcernLevel=local"
    with Ledger.connect(settings(uri=weak)) as ledger:
        database = ledger.database
        assert database.write_concern.document == {"w": "majority", "j": True}
        assert database.read_concern.level == "majority"
        assert database.read_preference == ReadPreference.PRIMARY
