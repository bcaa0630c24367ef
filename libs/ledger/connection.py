"""The client and its collections: how the ledger is reached, and whether it can be at all."""

from __future__ import annotations

import re
import socket
from datetime import datetime, timezone

from bson.codec_options import CodecOptions
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import (
    ConfigurationError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference

from libs.errors import ConfigError, TransientError
from libs.ledger.codec import BsonDocument
from libs.ledger.documents import Documents
from libs.ledger.errors import (
    NO_TRANSACTIONS_HERE,
    LedgerUnavailableError,
    ledger_errors,
    translate,
)
from libs.ledger.transaction import DURABLE, Transactions
from libs.models import Asset, AuditRecord, Batch, Dataset, Restore, Run
from libs.settings import LedgerSettings

APP_NAME = "spatial-etl"


class Connection:
    """An open (or not yet opened) way to one ledger; the protocol and the queries build on it."""

    def __init__(self, settings: LedgerSettings) -> None:
        self._settings = settings
        self.client = _client(settings)
        self.database = _database(self.client, settings.database)
        self.transactions = Transactions(self.client, settings.timeout_s)
        self.batches = Documents(self.database["batches"], Batch)
        self.assets = Documents(self.database["assets"], Asset)
        self.datasets = Documents(self.database["datasets"], Dataset)
        self.runs_log = Documents(self.database["runs"], Run)
        self.audits = Documents(self.database["audits"], AuditRecord)
        self.restores = Documents(self.database["restores"], Restore)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.address}, database={self._settings.database!r})"

    @property
    def address(self) -> str:
        """host:port of each server that MONGODB_URI names."""
        return _address(self._settings.uri)

    def check(self) -> None:
        """Prove that the ledger answers, accepts the credentials and knows transactions.

        Raises `ConfigError` for what a person must set right, `TransientError` for a server that
        does not answer; either is one sentence.
        """
        try:
            with self.client.start_session() as session, session.start_transaction():
                self.database["batches"].find_one({}, {"_id": 1}, session=session)
        except ServerSelectionTimeoutError as error:
            raise self._unreachable() from error
        except OperationFailure as error:
            if error.code == NO_TRANSACTIONS_HERE:
                raise ConfigError(
                    f"The MongoDB at {self.address} (MONGODB_URI) is a standalone server, and "
                    "the ledger needs transactions: start it as a replica set."
                ) from error
            raise translate(error, "check") from error
        except PyMongoError as error:
            raise translate(error, "check") from error

    def server_now(self) -> datetime:
        """The present moment by the server's clock, UTC, to the millisecond."""
        with ledger_errors("the server's clock"):
            now = self.client.admin.command("hello", read_preference=ReadPreference.PRIMARY)
        moment = now["localTime"]
        if not isinstance(moment, datetime):
            raise LedgerUnavailableError("the server's clock", "its hello has no localTime")
        return moment.astimezone(timezone.utc)

    def close(self) -> None:
        """Let go of all connections; the object cannot be used afterwards."""
        self.client.close()

    def _unreachable(self) -> ConfigError | TransientError:
        unknown = _unknown_host(self.address)
        if unknown is not None:
            return ConfigError(f"No machine is called {unknown!r}: check MONGODB_URI.")
        return LedgerUnavailableError(
            "check",
            f"nothing answers at {self.address} (MONGODB_URI) in {self._settings.timeout_s:g} s",
        )


def _client(settings: LedgerSettings) -> MongoClient[BsonDocument]:
    _refuse_what_is_no_uri_of_ours(settings.uri)
    if (settings.username is None) != (settings.password is None):
        raise ConfigError("Set both MONGODB_USERNAME and MONGODB_PASSWORD, or neither.")
    timeout_ms = int(settings.timeout_s * 1000)
    try:
        return MongoClient(
            settings.uri,
            connect=False,
            appname=APP_NAME,
            timeoutMS=timeout_ms,
            serverSelectionTimeoutMS=timeout_ms,
            connectTimeoutMS=timeout_ms,
            username=settings.username,
            password=settings.password.get_secret_value() if settings.password else None,
            authSource=settings.auth_source,
        )
    except (ConfigurationError, ValueError) as error:
        raise ConfigError(f"MONGODB_URI or its options are wrong: {error}.") from None


def _database(client: MongoClient[BsonDocument], name: str) -> Database[BsonDocument]:
    # Spelled out, so that no option in the URI can weaken what is promised.
    return client.get_database(
        name,
        codec_options=CodecOptions(tz_aware=True, tzinfo=timezone.utc),
        read_preference=ReadPreference.PRIMARY,
        read_concern=ReadConcern("majority"),
        write_concern=DURABLE,
    )


def _refuse_what_is_no_uri_of_ours(uri: str) -> None:
    if not uri.startswith(("mongodb://", "mongodb+srv://")):
        raise ConfigError("MONGODB_URI must begin with mongodb:// (or mongodb+srv://).")
    if "@" in uri:
        raise ConfigError(
            "MONGODB_URI has a user or password in it: put them into MONGODB_USERNAME and "
            "MONGODB_PASSWORD, where no log shows them."
        )


def _address(uri: str) -> str:
    return re.split(r"[/?]", uri.partition("://")[2], maxsplit=1)[0]


def _unknown_host(address: str) -> str | None:
    """The first host that no name service knows; None when all are known, or none can be asked."""
    for server in address.split(","):
        host = server.rpartition(":")[0] or server
        try:
            socket.getaddrinfo(host.strip("[]"), None)
        except socket.gaierror as error:
            if error.errno == socket.EAI_NONAME:
                return host
    return None
