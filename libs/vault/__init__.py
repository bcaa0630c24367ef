"""The vault: objects in the S3 store, read and written with proof of what they were."""

from libs.vault.errors import (
    BucketMissingError,
    InvalidKeyError,
    KeyConflictError,
    ObjectChangedError,
    ObjectMissingError,
    ObjectTooLargeError,
    VaultConfigError,
    VaultCredentialsError,
    VaultDeniedError,
    VaultRefusedError,
    VaultUnavailableError,
)
from libs.vault.objects import FetchedObject, ObjectInfo
from libs.vault.store import Vault

__all__ = [
    "BucketMissingError",
    "FetchedObject",
    "InvalidKeyError",
    "KeyConflictError",
    "ObjectChangedError",
    "ObjectInfo",
    "ObjectMissingError",
    "ObjectTooLargeError",
    "Vault",
    "VaultConfigError",
    "VaultCredentialsError",
    "VaultDeniedError",
    "VaultRefusedError",
    "VaultUnavailableError",
]
