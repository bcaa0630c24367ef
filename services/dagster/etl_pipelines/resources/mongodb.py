"""The ledger as a Dagster resource."""

from __future__ import annotations

from dagster import ConfigurableResource
from pydantic import SecretStr

from libs.ledger import Ledger
from libs.settings import LedgerSettings


class MongoDBResource(ConfigurableResource):
    """The registry of what exists. What is not given here comes from `MONGODB_*` settings."""

    uri: str
    """mongodb://host:port/?options, without user and password."""
    username: str | None = None
    password: str | None = None

    def settings(self) -> LedgerSettings:
        """The full settings, defaults included."""
        password = None if self.password is None else SecretStr(self.password)
        return LedgerSettings(uri=self.uri, username=self.username, password=password)

    def ledger(self) -> Ledger:
        """A client; it reaches the server when it is first used."""
        return Ledger.connect(self.settings())
