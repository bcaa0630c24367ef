"""Errors of the vault: one class per kind, each with a message that names object, place and cure.

What the SDK raises becomes one of these in `translation`. No message has a secret in it.
"""

from __future__ import annotations

from dataclasses import dataclass

from libs.errors import ConfigError, InputError, OperatorError, Problem, TransientError


@dataclass(frozen=True)
class Place:
    """Where something went wrong, in words for people."""

    endpoint: str
    """host:port"""
    account: str
    """The prefix of the settings that this client signs in with: `MINIO`, `LANDING`."""
    bucket: str = ""
    key: str = ""

    @property
    def uri(self) -> str:
        """`s3://bucket/key`, as far as it is known."""
        if not self.bucket:
            return "the vault"
        return f"s3://{self.bucket}/{self.key}" if self.key else f"the bucket {self.bucket}"

    def __str__(self) -> str:
        return f"{self.uri} at {self.endpoint}" if self.bucket else f"the vault at {self.endpoint}"


class ObjectMissingError(InputError):
    """An object that was there, or was named by the user, is not there."""

    @classmethod
    def at(cls, place: Place) -> ObjectMissingError:
        """The object of this place."""
        cure = "Upload it, or correct its name in the manifest, and submit the manifest again."
        return cls([Problem(where=place.uri, what="does not exist.", cure=cure)])


class ObjectChangedError(InputError):
    """An object is no longer the one that was pinned by its etag."""

    @classmethod
    def at(cls, place: Place) -> ObjectChangedError:
        """The object of this place."""
        what = "was replaced or removed after the manifest was received."
        cure = "Submit the manifest again; it then takes the file as it is now."
        return cls([Problem(where=place.uri, what=what, cure=cure)])


class ObjectTooLargeError(InputError):
    """An object has more bytes than the reader takes."""

    @classmethod
    def at(cls, place: Place, max_bytes: int) -> ObjectTooLargeError:
        """The object of this place."""
        what = f"has more than {max_bytes:,} bytes."
        return cls([Problem(where=place.uri, what=what, cure="Split it into smaller files.")])


class InvalidKeyError(InputError):
    """A key that not every store keeps as it is written; see `keys`."""

    @classmethod
    def of_key(cls, key: str, what: str) -> InvalidKeyError:
        """`what` is wrong with this key."""
        return cls([Problem(where=repr(key), what=what, cure="Give the object another name.")])


class VaultUnavailableError(TransientError):
    """The server did not answer, not to the end, or asked to come back later."""

    def __init__(self, place: Place, reason: str) -> None:
        super().__init__(
            f"The vault did not answer for {place}: {reason}. "
            "The work can be retried; if it stays so, is the server started, and is "
            "MINIO_ENDPOINT right?"
        )


class VaultDeniedError(OperatorError):
    """The server refuses this user this act (403)."""

    def __init__(self, place: Place, reason: str) -> None:
        super().__init__(
            f"The vault refuses the user of {place.account}_ACCESS_KEY access to {place}: {reason}."
        )


class VaultCredentialsError(VaultDeniedError, ConfigError):
    """The server does not know the user, or the secret key is not the user's."""


class VaultConfigError(ConfigError):
    """What answers at the endpoint is no S3 server, or not in the way the settings say."""


class BucketMissingError(ConfigError):
    """A bucket that the settings name does not exist."""

    def __init__(self, place: Place) -> None:
        super().__init__(
            f"The bucket {place.bucket!r} does not exist at {place.endpoint}: correct "
            "MINIO_LANDING_BUCKET or MINIO_LAKE_BUCKET, or make it with "
            "`python -m libs.vault.admin`."
        )


class KeyConflictError(OperatorError):
    """The store keeps keys as folders and files, and this key needs both under one name."""

    def __init__(self, place: Place) -> None:
        super().__init__(
            f"{place} cannot be written: this store is a file system, and either a part of the "
            "key is an object already, or the key is a folder of others. Remove or rename those."
        )


class VaultRefusedError(OperatorError):
    """The server said no, and would say no again."""

    def __init__(self, place: Place, reason: str) -> None:
        super().__init__(f"The vault refused an operation on {place}: {reason}.")
