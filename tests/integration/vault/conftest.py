"""What the vault's tests share: an object of the lake to protect, requests nobody decent sends."""

from __future__ import annotations

import hashlib
import http.client
import uuid
from contextlib import closing
from urllib.parse import SplitResult

import pytest
from minio import time as minio_time
from minio.credentials import Credentials
from minio.signer import sign_v4_s3


@pytest.fixture
def exchange(settings):
    """Sends one request with its path exactly as it is written, and gives the answer."""

    def send(method, target, body, headers) -> tuple[int, bytes]:
        endpoint = settings.vault.endpoint
        with closing(http.client.HTTPConnection(endpoint, timeout=20)) as connection:
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()

    return send


@pytest.fixture
def canary(vault, settings):
    """An object of the lake that the landing user would like to be rid of."""
    bucket, key = settings.vault.lake_bucket, f"it-rights-{uuid.uuid4().hex[:12]}/canary"
    vault.put_bytes(bucket, key, b"alive")
    yield key
    for found in list(vault.list_objects(bucket, key.split("/", maxsplit=1)[0])):
        vault.remove(bucket, found.key)


@pytest.fixture
def lake(vault, settings, canary):
    """What lies beside the canary now."""
    bucket, folder = settings.vault.lake_bucket, canary.split("/")[0]
    return lambda: [item.key for item in vault.list_objects(bucket, folder)]


@pytest.fixture
def mine(uploader_vault, settings):
    """A folder of the landing user's own."""
    name, bucket = f"it-rights-{uuid.uuid4().hex[:12]}", settings.vault.landing_bucket
    yield name
    for found in list(uploader_vault.list_objects(bucket, name)):
        uploader_vault.remove(bucket, found.key)


@pytest.fixture
def raw(settings, exchange):
    """Sends a signed request as the landing user, its path as it is written."""

    def send(method, path, *, query="", body=b"", headers=None) -> tuple[int, bytes]:
        endpoint, user = settings.vault.endpoint, settings.uploader
        digest, now = hashlib.sha256(body).hexdigest(), minio_time.utcnow()
        signed = sign_v4_s3(
            method=method,
            url=SplitResult("http", endpoint, path, query, ""),
            region=settings.vault.region,
            headers={
                "Host": endpoint,
                "x-amz-date": minio_time.to_amz_date(now),
                "x-amz-content-sha256": digest,
                **(headers or {}),
            },
            credentials=Credentials(user.access_key, user.secret_key.get_secret_value()),
            content_sha256=digest,
            date=now,
        )
        return exchange(method, f"{path}?{query}" if query else path, body, signed)

    return send
