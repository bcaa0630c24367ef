"""The S3 store: objects in, objects out. Which object means what is not its business."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from minio.commonconfig import CopySource
from minio.helpers import DictType
from pydantic import SecretStr
from urllib3 import BaseHTTPResponse

from libs.settings import VaultAddress, VaultSettings
from libs.vault import download, leftovers, transport, upload
from libs.vault.errors import (
    BucketMissingError,
    ObjectChangedError,
    ObjectMissingError,
    Place,
    VaultConfigError,
    VaultRefusedError,
    VaultUnavailableError,
)
from libs.vault.keys import readable_key, writable_key
from libs.vault.objects import FetchedObject, ObjectInfo, info_of, is_placeholder
from libs.vault.translation import is_unknown_host, vault_errors

OCTETS = "application/octet-stream"


class Vault:
    """One user's view of the store. Safe to share between threads, not between processes.

    Every method that reaches the server raises `VaultUnavailableError`, `VaultDeniedError`,
    `BucketMissingError`, `VaultConfigError` or `VaultRefusedError`, whatever else it may raise.
    """

    def __init__(
        self, settings: VaultAddress, access_key: str, secret_key: SecretStr, account: str
    ) -> None:
        self._buckets = (settings.landing_bucket, settings.lake_bucket)
        self._place = Place(endpoint=settings.endpoint, account=account)
        self._client = transport.client(
            settings.endpoint,
            transport.SecretProvider(access_key, secret_key),
            secure=settings.secure,
            region=settings.region,
            timeout_s=settings.timeout_s,
        )

    @classmethod
    def connect(cls, settings: VaultSettings) -> Vault:
        """As the pipeline's user. Reaches for nothing yet."""
        return cls(settings, settings.access_key, settings.secret_key, "MINIO")

    @classmethod
    def connect_as(
        cls,
        settings: VaultAddress,
        access_key: str,
        secret_key: SecretStr,
        *,
        account: str = "LANDING",
    ) -> Vault:
        """As another user; `account` is the prefix of the settings that messages name."""
        return cls(settings, access_key, secret_key, account)

    def __repr__(self) -> str:
        return f"Vault({self._place.endpoint!r}, as {self._place.account})"

    def check(self) -> None:
        """See that the server answers, knows the user, and has both buckets.

        Raises:
            ConfigError: a setting is wrong; one sentence that names it.
            VaultUnavailableError: nothing answers.
        """
        for bucket in self._buckets:
            try:
                # A listing, not a HEAD: its answer says in words what is wrong.
                next(self.list_objects(bucket, ".nothing/is/called/like/this"), None)
            except VaultUnavailableError as error:
                if is_unknown_host(error.__cause__):
                    raise VaultConfigError(
                        f"MINIO_ENDPOINT names a machine that is not known: {self._place.endpoint}."
                    ) from error
                raise

    def stat(self, bucket: str, key: str) -> ObjectInfo | None:
        """The object with its metadata; None when there is none."""
        try:
            with self._errors(bucket, key):
                return self._stat_with_etag(bucket, readable_key(key))
        except ObjectMissingError:
            # The answer to a HEAD is the same when the whole bucket is missing.
            self._require_bucket(bucket)
            return None

    def list_objects(
        self, bucket: str, prefix: str = "", *, recursive: bool = True
    ) -> Iterator[ObjectInfo]:
        """The objects whose key begins with `prefix`, in the order of their keys.

        `recursive=False`: only those with no further slash behind the prefix. What a store lists
        as folders is left out.
        """
        with self._errors(bucket, prefix):
            for item in self._client.list_objects(bucket, prefix, recursive=recursive):
                if is_placeholder(item):
                    continue
                found: ObjectInfo | None = info_of(item)
                if found is not None and not found.etag:
                    found = self.stat(bucket, found.key)
                if found is not None:
                    yield found

    def read_bytes(self, bucket: str, key: str, *, etag: str | None, max_bytes: int) -> bytes:
        """The object's first `max_bytes` bytes, or all where it has fewer.

        Raises:
            ObjectMissingError: there is none.
            ObjectChangedError: its etag is not `etag` (None: any will do).
        """
        with self._opened(bucket, key, etag) as response:
            body = download.first_bytes(response, self._at(bucket, key), max_bytes)
            if etag is not None:
                size = len(body) if len(body) < max_bytes else None
                self._require_still(bucket, key, etag, size)
        return body

    def fetch_file(
        self, bucket: str, key: str, *, etag: str | None, target: Path, max_bytes: int | None = None
    ) -> FetchedObject:
        """Copy the pinned object to `target`, which has all of it or does not exist.

        Raises:
            ObjectMissingError: there is none.
            ObjectChangedError: its etag is not `etag` (None: any will do), or changed meanwhile.
            ObjectTooLargeError: it has more than `max_bytes`.
        """
        with download.new_file(target) as file, self._opened(bucket, key, etag) as response:
            pieces = download.chunks(response, self._at(bucket, key), max_bytes)
            got = download.hashed(pieces, file)
            if etag is not None:
                self._require_still(bucket, key, etag, got.size_bytes)
        return got

    def sha256_of(self, bucket: str, key: str) -> tuple[str, int]:
        """SHA-256 (64 hexadecimal digits) and size in bytes of what is stored now.

        Raises:
            ObjectMissingError: there is none.
        """
        with self._opened(bucket, key, None) as response:
            got = download.hashed(download.chunks(response, self._at(bucket, key), None))
        return got.sha256, got.size_bytes

    def put_file(
        self,
        bucket: str,
        key: str,
        source: Path,
        *,
        metadata: Mapping[str, str],
        content_type: str,
        progress: Callable[[int], None] | None = None,
    ) -> ObjectInfo:
        """Store a file, in parts if it is large; memory does not grow with it.

        `progress` is told of each piece how many bytes it had, as they are read. Metadata is
        US-ASCII, its keys are lower case.
        """
        size = source.stat().st_size
        with source.open("rb") as file, self._errors(bucket, key):
            written = self._client.put_object(
                bucket,
                writable_key(key),
                file,
                size,
                content_type=content_type,
                metadata=dict(metadata),
                progress=upload.Progress(progress) if progress else None,
                part_size=upload.part_size(size),
                num_parallel_uploads=upload.PARTS_AT_ONCE,
            )
        return upload.info_of_written(bucket, key, written, size, metadata)

    def put_bytes(
        self,
        bucket: str,
        key: str,
        data: bytes,
        *,
        metadata: Mapping[str, str] | None = None,
        content_type: str = OCTETS,
    ) -> ObjectInfo:
        """Store bytes, in place of what the key held."""
        with self._errors(bucket, key):
            written = self._client.put_object(
                bucket,
                writable_key(key),
                io.BytesIO(data),
                len(data),
                content_type=content_type,
                metadata=dict(metadata or {}),
            )
        return upload.info_of_written(bucket, key, written, len(data), metadata or {})

    def remove(self, bucket: str, key: str) -> None:
        """Remove the object; one that is not there is no error."""
        with self._errors(bucket, key):
            self._client.remove_object(bucket, readable_key(key))

    def copy(self, bucket: str, key: str, to_key: str) -> None:
        """Copy an object, metadata too, to another key of its bucket, inside the server.

        Raises:
            ObjectMissingError: there is none.
        """
        with self._errors(bucket, key):
            source = CopySource(bucket, readable_key(key))
            self._client.copy_object(bucket, writable_key(to_key), source)

    def abort_incomplete_uploads(
        self, bucket: str, is_dead: Callable[[str, datetime], bool], prefix: str = ""
    ) -> list[str]:
        """Throw away the parts of the uploads that are dead; returns their keys.

        `is_dead` is asked with the key and the moment (UTC) at which the upload was begun.
        """
        return leftovers.abort_uploads(self._client, self._at(bucket, prefix), is_dead)

    def presigned_get(self, bucket: str, key: str, expires: timedelta) -> str:
        """A URL that lets its holder read the object until then (1 second to 7 days)."""
        with self._errors(bucket, key):
            return self._client.presigned_get_object(bucket, readable_key(key), expires)

    @contextmanager
    def _opened(self, bucket: str, key: str, etag: str | None) -> Iterator[BaseHTTPResponse]:
        """The response with the object's body; its etag is `etag`, if that is given."""
        place = self._at(bucket, key)
        if etag == "":
            raise VaultRefusedError(place, "it gives no etag, so the object cannot be pinned")
        condition: DictType | None = {"If-Match": f'"{etag}"'} if etag else None
        with self._second_look(place, etag), vault_errors(place):
            response = self._client.get_object(bucket, readable_key(key), request_headers=condition)
            # One that was read to its end has given its connection back by itself.
            with closing(response):
                if etag and response.headers.get("etag", "").strip('"') != etag:
                    raise ObjectChangedError.at(place)
                yield response

    def _require_still(self, bucket: str, key: str, etag: str, size: int | None) -> None:
        """Look again after the last byte has come.

        The embedded store reads size, etag and bytes one after the other, so that a response with
        the old etag can have the bytes of an object that took its place in between.
        """
        now = self.stat(bucket, key)
        if now is None or now.etag != etag or size not in (None, now.size_bytes):
            raise ObjectChangedError.at(self._at(bucket, key))

    @contextmanager
    def _second_look(self, place: Place, etag: str | None) -> Iterator[None]:
        """A slip of the store is not the user's doing: ask again before calling it a change."""
        try:
            yield
        except ObjectChangedError as error:
            now = self.stat(place.bucket, place.key)
            if now is not None and now.etag == etag:
                reason = "its answers did not fit together, as while an object is being replaced"
                raise VaultUnavailableError(place, reason) from error
            raise

    def _stat_with_etag(self, bucket: str, key: str) -> ObjectInfo:
        """The embedded store gives no etag in the moment in which an object is replaced."""
        for pause_s in (0.02, 0.1, 0.5):
            found = info_of(self._client.stat_object(bucket, key))
            if found.etag:
                break
            time.sleep(pause_s)
        return found

    def _require_bucket(self, bucket: str) -> None:
        with self._errors(bucket):
            exists = self._client.bucket_exists(bucket)
        if not exists:
            raise BucketMissingError(self._at(bucket))

    def _at(self, bucket: str, key: str = "") -> Place:
        return Place(self._place.endpoint, self._place.account, bucket, key)

    @contextmanager
    def _errors(self, bucket: str, key: str = "") -> Iterator[None]:
        with vault_errors(self._at(bucket, key)):
            yield
