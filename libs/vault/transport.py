"""How the SDK reaches its server: bounded time-outs, few retries, credentials that never print."""

from __future__ import annotations

import os

from minio import Minio
from minio.credentials.credentials import Credentials
from minio.credentials.providers import Provider
from pydantic import SecretStr
from urllib3 import PoolManager, Retry, Timeout

from libs.errors import ConfigError
from libs.vault.whole_headers import require_whole_headers

CONNECT_TIMEOUT_S = 3.0
"""At most; a server in the same network accepts within milliseconds."""
_RETRIES = Retry(
    total=3,
    connect=1,
    read=1,
    redirect=0,
    status=2,
    backoff_factor=0.2,
    # Not 500: a file system behind S3 answers so to what can never work.
    status_forcelist=(429, 502, 503, 504),
    raise_on_status=False,
    respect_retry_after_header=False,
)


class _Silent(Credentials):
    """Credentials whose repr does not show the secret, as that of the SDK's own does."""

    def __repr__(self) -> str:
        return f"Credentials({self.access_key!r}, secret hidden)"


class SecretProvider(Provider):
    """Hands the credentials to the SDK when it signs a request."""

    def __init__(self, access_key: str, secret_key: SecretStr) -> None:
        self._access_key = access_key
        self._secret_key = secret_key

    def retrieve(self) -> Credentials:
        """The credentials, anew each time."""
        return _Silent(self._access_key, self._secret_key.get_secret_value())


def http_pool(timeout_s: float) -> PoolManager:
    """An HTTP client that gives up on a dead server within seconds.

    `timeout_s` bounds each wait for bytes, not the whole of a transfer.
    """
    pool = PoolManager(
        num_pools=4,
        maxsize=10,
        timeout=Timeout(connect=min(CONNECT_TIMEOUT_S, timeout_s), read=timeout_s),
        retries=_RETRIES,
        cert_reqs="CERT_REQUIRED",
        ca_certs=_authorities(),
    )
    return require_whole_headers(pool)


def _authorities() -> str:
    import certifi

    return os.environ.get("SSL_CERT_FILE") or certifi.where()


def client(
    endpoint: str, provider: SecretProvider, *, secure: bool, region: str, timeout_s: float
) -> Minio:
    """The SDK's client; reaches for nothing yet. Raises `ConfigError` for a malformed endpoint."""
    try:
        if not endpoint:
            raise ValueError("it is empty")
        return Minio(
            endpoint,
            credentials=provider,
            secure=secure,
            region=region,
            http_client=http_pool(timeout_s),
        )
    except ValueError as error:
        raise ConfigError(
            f"MINIO_ENDPOINT must be host:port without a scheme or a path, MINIO_REGION a plain "
            f"name; got {endpoint!r} and {region!r} ({error})."
        ) from error
