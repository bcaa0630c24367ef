"""The three stores as they are, through their own clients: no code of the pipeline is used here."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import psycopg
from minio import Minio
from minio.error import S3Error
from pymongo import MongoClient

Document = dict[str, Any]
LANDING, LAKE = "landing-zone", "data-lake"


@dataclass(frozen=True)
class Found:
    """An object as the vault tells of it."""

    key: str
    size: int
    metadata: dict[str, str]
    body: bytes


class Stores:
    """Direct ways to vault, ledger, PostGIS and the work folder, past all proxies."""

    def __init__(self, env: Mapping[str, str], work_dir: Path) -> None:
        self.env = dict(env)
        self.work_dir = work_dir
        self.vault = self._minio("MINIO")
        self.landing = self._minio("LANDING")
        self.mongo: MongoClient[Document] = MongoClient(
            env["MONGODB_URI"],
            username=env["MONGODB_USERNAME"],
            password=env["MONGODB_PASSWORD"],
            authSource=env.get("MONGODB_AUTH_SOURCE", "admin"),
            tz_aware=True,
        )
        self.ledger = self.mongo[env["MONGODB_DATABASE"]]

    def _minio(self, account: str) -> Minio:
        return Minio(
            self.env["MINIO_ENDPOINT"],
            self.env[f"{account}_ACCESS_KEY"],
            self.env[f"{account}_SECRET_KEY"],
            secure=False,
            region=self.env.get("MINIO_REGION", "us-east-1"),
        )

    def close(self) -> None:
        """Give the connections back."""
        self.mongo.close()

    # --- what a user does

    def put(self, key: str, body: bytes) -> None:
        """Upload to the landing zone, as the landing user."""
        self.landing.put_object(LANDING, key, BytesIO(body), len(body))

    def upload_of(self, key: str) -> Document:
        """What a sensor sees of a manifest."""
        seen = self.landing.stat_object(LANDING, key)
        return {
            "key": key,
            "etag": seen.etag,
            "last_modified": seen.last_modified.isoformat(),
            "size_bytes": seen.size,
        }

    def withdraw(self, key: str) -> None:
        """Take an object of the landing zone away, as the landing user."""
        self.landing.remove_object(LANDING, key)

    def has_landing(self, key: str) -> bool:
        """True while the object is in the landing zone."""
        return self._exists(LANDING, key)

    def receipt(self, key: str) -> Document | None:
        """The JSON of a receipt; None when there is none."""
        try:
            with self.vault.get_object(LANDING, key) as response:
                body = response.read()
        except S3Error as error:
            if error.code == "NoSuchKey":
                return None
            raise
        return json.loads(body)

    # --- what lies there

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        """The keys of all objects."""
        listed = self.vault.list_objects(bucket, prefix, recursive=True)
        return [item.object_name for item in listed if not item.object_name.endswith("/")]

    def object(self, bucket: str, key: str) -> Found | None:
        """An object with its bytes and its user metadata; None when there is none."""
        try:
            with self.vault.get_object(bucket, key) as response:
                body, headers = response.read(), response.headers
        except S3Error as error:
            if error.code == "NoSuchKey":
                return None
            raise
        prefix = "x-amz-meta-"
        metadata = {
            name.lower().removeprefix(prefix): value
            for name, value in headers.items()
            if name.lower().startswith(prefix)
        }
        return Found(key, len(body), metadata, body)

    def incomplete_uploads(self) -> list[str]:
        """The keys of uploads to the lake that were begun and never completed."""
        answer = self.vault._list_multipart_uploads(LAKE)
        return [item.object_name for item in answer.uploads]

    def schemas(self) -> list[str]:
        """The names of all `proc_*` schemas."""
        with self._postgis() as connection:
            rows = connection.execute(
                "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'proc\\_%'"
            ).fetchall()
        return [name for (name,) in rows]

    def leftovers(self) -> list[str]:
        """What lies in the work folder."""
        if not self.work_dir.exists():
            return []
        return sorted(str(path.relative_to(self.work_dir)) for path in self.work_dir.rglob("*"))

    def end_sessions(self) -> None:
        """What MongoDB does by itself after a minute: end the transactions of dead clients."""
        self.mongo.admin.command("killAllSessions", [])

    def wipe(self) -> None:
        """Remove everything that runs have made, so that the next case begins with nothing."""
        self.end_sessions()
        for bucket in (LAKE, LANDING):
            for key in self.keys(bucket):
                self.vault.remove_object(bucket, key)
        for name in ("assets", "batches", "datasets", "runs"):
            self.ledger[name].delete_many({})
        with self._postgis() as connection:
            for schema in self.schemas():
                connection.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')
        for path in self.work_dir.glob("*"):
            shutil.rmtree(path, ignore_errors=True)

    def _postgis(self) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host=self.env["POSTGIS_HOST"],
            port=int(self.env["POSTGIS_PORT"]),
            dbname=self.env["POSTGIS_DATABASE"],
            user=self.env["POSTGIS_USER"],
            password=self.env["POSTGIS_PASSWORD"],
            autocommit=True,
        )

    def _exists(self, bucket: str, key: str) -> bool:
        try:
            self.vault.stat_object(bucket, key)
        except S3Error as error:
            if error.code == "NoSuchKey":
                return False
            raise
        return True
