"""Gives a server its buckets, policies and users; may be repeated. Stores no object.

`python -m libs.vault.admin` does it with MINIO_ADMIN_ACCESS_KEY and MINIO_ADMIN_SECRET_KEY for the
users that MINIO_* and LANDING_* name: the init job of Docker Compose and Kubernetes.
"""

from __future__ import annotations

import sys
import time

from minio import Minio, MinioAdmin
from pydantic import BaseModel, ConfigDict, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from libs.errors import ConfigError, SpatialEtlError, TransientError
from libs.settings import UploaderSettings, VaultSettings, load_section
from libs.vault import transport
from libs.vault.errors import Place
from libs.vault.policies import Role, policy_of
from libs.vault.translation import vault_errors

_TIMEOUT_S = 30.0
_WAIT_S = 120.0
"""How long the init job waits for a server that is still starting."""


class Credential(BaseModel):
    """A user of the store."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    access_key: str
    secret_key: SecretStr


class VaultAdminSettings(BaseModel):
    """Where the server is, and who may make users there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    endpoint: str
    """host:port"""
    secure: bool
    access_key: str
    secret_key: SecretStr
    region: str = "us-east-1"


def provision(
    admin: VaultAdminSettings,
    pipeline: Credential,
    uploader: Credential,
    landing_bucket: str,
    lake_bucket: str,
) -> None:
    """Make both buckets, and both users with the rights of their roles and no others.

    Raises:
        ConfigError: names or keys are not usable.
        VaultUnavailableError, VaultDeniedError: as everywhere.
    """
    _require_three_users(admin, pipeline, uploader)
    roles = {Role.PIPELINE: pipeline, Role.LANDING_USER: uploader}
    policies = {role: policy_of(role, landing_bucket, lake_bucket) for role in roles}
    provider = transport.SecretProvider(admin.access_key, admin.secret_key)
    client = transport.client(
        admin.endpoint, provider, secure=admin.secure, region=admin.region, timeout_s=_TIMEOUT_S
    )
    for bucket in (landing_bucket, lake_bucket):
        _make_bucket(client, bucket, Place(admin.endpoint, "MINIO_ADMIN", bucket))
    users = MinioAdmin(
        endpoint=admin.endpoint,
        credentials=provider,
        secure=admin.secure,
        region=admin.region,
        http_client=transport.http_pool(_TIMEOUT_S),
    )
    with vault_errors(Place(admin.endpoint, "MINIO_ADMIN")):
        for role, user in roles.items():
            users.policy_add(policy_name=role.policy_name, policy=policies[role])
            users.user_add(
                access_key=user.access_key, secret_key=user.secret_key.get_secret_value()
            )
            # Sets the whole list: rights that the user had before are gone.
            users.policy_set(policy_name=role.policy_name, user=user.access_key)


def _require_three_users(
    admin: VaultAdminSettings, pipeline: Credential, uploader: Credential
) -> None:
    names = [admin.access_key, pipeline.access_key, uploader.access_key]
    if len(set(names)) < len(names):
        raise ConfigError(
            "MINIO_ADMIN_ACCESS_KEY, MINIO_ACCESS_KEY and LANDING_ACCESS_KEY must be three users."
        )
    for prefix, user in (("MINIO", pipeline), ("LANDING", uploader)):
        if len(user.access_key) < 3 or len(user.secret_key.get_secret_value()) < 8:
            raise ConfigError(
                f"{prefix}_ACCESS_KEY must have at least 3 characters, {prefix}_SECRET_KEY 8."
            )


def _make_bucket(client: Minio, bucket: str, place: Place) -> None:
    with vault_errors(place):
        if not client.bucket_exists(bucket):
            client.make_bucket(bucket)


class _AdminCredential(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="MINIO_ADMIN_", env_file_encoding="utf-8", extra="ignore", frozen=True
    )

    access_key: str
    secret_key: SecretStr


def provision_as_settings_say(wait_s: float = _WAIT_S) -> None:
    """Provision the server that the environment names; waits for one that is still starting."""
    vault = load_section(VaultSettings)
    uploader = load_section(UploaderSettings)
    credential = load_section(_AdminCredential)
    admin = VaultAdminSettings(
        endpoint=vault.endpoint,
        secure=vault.secure,
        region=vault.region,
        access_key=credential.access_key,
        secret_key=credential.secret_key,
    )
    until = time.monotonic() + wait_s
    while True:
        try:
            provision(
                admin,
                Credential(access_key=vault.access_key, secret_key=vault.secret_key),
                Credential(access_key=uploader.access_key, secret_key=uploader.secret_key),
                vault.landing_bucket,
                vault.lake_bucket,
            )
        except TransientError:
            if time.monotonic() > until:
                raise
            time.sleep(1)
        else:
            return


def main() -> int:
    """The init job: 0 when it is done; else 1, and one sentence on stderr."""
    try:
        provision_as_settings_say()
    except SpatialEtlError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("The vault has its buckets, policies and users.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
