"""The one place where errors of the S3 SDK and of its HTTP client become the vault's own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from xml.etree.ElementTree import ParseError

from minio.error import (
    InvalidResponseError,
    MinioAdminException,
    MinioException,
    S3Error,
    ServerError,
)
from urllib3 import exceptions as http

from libs.errors import SpatialEtlError
from libs.vault.errors import (
    BucketMissingError,
    KeyConflictError,
    ObjectChangedError,
    ObjectMissingError,
    Place,
    VaultConfigError,
    VaultCredentialsError,
    VaultDeniedError,
    VaultRefusedError,
    VaultUnavailableError,
)

_TRANSIENT_CODES = frozenset(
    {
        "InternalError",
        "OperationAborted",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "TooManyRequests",
        "XMinioServerNotInitialized",
    }
)
_BY_CODE: dict[str, Callable[[Place], SpatialEtlError]] = {
    "NoSuchKey": ObjectMissingError.at,
    "NoSuchVersion": ObjectMissingError.at,
    "PreconditionFailed": ObjectChangedError.at,
    "NoSuchBucket": BucketMissingError,
}
_CREDENTIAL_CODES = frozenset({"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidTokenId"})
_CONFLICT_WORDS = ("(not a directory)", "(is a directory)")
"""How JuiceFS' gateway ends the message of its 500 when a key is both folder and object."""
_FULL_WORDS = ("no space left", "disk quota exceeded", "XMinioStorageFull")


@contextmanager
def vault_errors(place: Place) -> Iterator[None]:
    """Turn what the SDK raises inside the block into the classes of `errors`."""
    try:
        yield
    except (MinioException, http.HTTPError, ParseError) as error:
        raise translate(error, place) from error
    except MinioAdminException as error:
        # Not chained: frames of the admin client hold the secrets of the users that it makes.
        raise _admin_error(error, place) from None


def translate(error: MinioException | http.HTTPError | ParseError, place: Place) -> SpatialEtlError:
    """Our error for one of the SDK's."""
    if isinstance(error, S3Error):
        status = int(getattr(error.response, "status", 0) or 0)
        return _s3_error(error.code or "", error.message or "", status, place)
    if isinstance(error, ServerError):
        return _status_error(error.status_code, str(error), place)
    if isinstance(error, InvalidResponseError):
        return _status_error(error._code, "it did not answer in S3's words", place)
    if isinstance(error, http.HTTPError):
        return _http_error(error, place)
    return _no_s3(place)


def _s3_error(code: str, message: str, status: int, place: Place) -> SpatialEtlError:
    said = f"{code}: {message.rstrip('.')}"
    if code in _BY_CODE:
        return _BY_CODE[code](place)
    if code in _CREDENTIAL_CODES:
        cure = f"check {place.account}_ACCESS_KEY and {place.account}_SECRET_KEY"
        return VaultCredentialsError(place, f"{said}; {cure}")
    if status == 403:
        return VaultDeniedError(place, f"{said}{_cure_of_denial(code, place)}")
    if any(words in message for words in _CONFLICT_WORDS):
        return KeyConflictError(place)
    is_full = status == 507 or any(words in said for words in _FULL_WORDS)
    if not is_full and (status >= 500 or code in _TRANSIENT_CODES):
        return VaultUnavailableError(place, said)
    return VaultRefusedError(place, f"its disk is full ({said})" if is_full else said)


def _cure_of_denial(code: str, place: Place) -> str:
    if code == "RequestTimeTooSkewed":
        return "; set the clocks of both machines"
    # The answer to a HEAD has no words: it is the same for a wrong key and for a missing right.
    return f"; its policy does not allow it, or {place.account}_SECRET_KEY is wrong"


def _status_error(status: int, said: str, place: Place) -> SpatialEtlError:
    if status >= 500 or status in (408, 429):
        return VaultUnavailableError(place, f"HTTP status {status}")
    if status == 412:
        return ObjectChangedError.at(place)
    if status == 400:
        return _no_s3(place)
    return VaultRefusedError(place, f"HTTP status {status}, {said}")


def _no_s3(place: Place) -> VaultConfigError:
    return VaultConfigError(
        f"What answers at {place.endpoint} is not an S3 server, or one that wants "
        "MINIO_SECURE the other way round: correct MINIO_ENDPOINT or MINIO_SECURE."
    )


def _http_error(error: http.HTTPError, place: Place) -> SpatialEtlError:
    reason: BaseException = error
    if isinstance(error, http.MaxRetryError) and error.reason is not None:
        reason = error.reason
    if isinstance(reason, http.SSLError):
        return VaultConfigError(
            f"No secure connection to {place.endpoint}: {_brief(reason)}. Correct MINIO_SECURE, "
            "or name the authority of the server's certificate in SSL_CERT_FILE."
        )
    if isinstance(reason, http.ProtocolError) and "BadStatusLine" in repr(reason):
        return _no_s3(place)
    return VaultUnavailableError(place, _reason_of(reason, place))


def _reason_of(reason: BaseException, place: Place) -> str:
    host = place.endpoint.rpartition(":")[0] or place.endpoint
    if is_unknown_host(reason):
        return f"no machine called {host!r} is known"
    if isinstance(reason, http.ConnectTimeoutError) and not isinstance(
        reason, http.NewConnectionError
    ):
        return "nothing answered in time"
    if isinstance(reason, http.NewConnectionError):
        return "nothing accepts connections there"
    if isinstance(reason, http.ReadTimeoutError):
        return "it answered too slowly (MINIO_TIMEOUT_S)"
    if "IncompleteRead" in repr(reason):
        return "the connection broke before all bytes had come"
    return f"the connection broke ({_brief(reason)})"


def is_unknown_host(error: BaseException | None) -> bool:
    """True when the host's name could not be resolved."""
    if isinstance(error, http.MaxRetryError):
        error = error.reason
    return isinstance(error, http.NameResolutionError)


def _brief(error: BaseException, limit: int = 200) -> str:
    words = " ".join(str(error).split())
    return words if len(words) <= limit else words[:limit] + "…"


def _admin_error(error: MinioAdminException, place: Place) -> SpatialEtlError:
    code, message = error._code, error._body  # it has no public names for them
    status = int(code) if code.isdigit() else 0
    try:
        answer = json.loads(message)
        code, message = str(answer["Code"]), str(answer["Message"])
    except (ValueError, KeyError, TypeError):
        message = "no reason given"
    return _s3_error(code, message, status, place)
