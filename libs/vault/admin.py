"""Gives a server its buckets, policies and users; may be repeated. Stores no object.

`python -m libs.vault.admin` does it with MINIO_ADMIN_ACCESS_KEY and MINIO_ADMIN_SECRET_KEY for the
users that MINIO_* and LANDING_* name: the init job of Docker Compose and Kubernetes. With
`--buckets-only` it does so on any S3 store, and users are made by that store's own means.
"""

from __future__ import annotations

import argparse
import sys

from minio import Minio, MinioAdmin
from pydantic import BaseModel, ConfigDict, SecretStr

from libs.admin_settings import VaultAdminLogin
from libs.errors import ConfigError
from libs.init_job import run_init_job
from libs.settings import UploaderSettings, VaultSettings, load_section
from libs.vault import transport
from libs.vault.errors import Place
from libs.vault.expiry import set_landing_expiry
from libs.vault.policies import Role, policy_of
from libs.vault.translation import vault_errors

_TIMEOUT_S = 30.0


_NO_RULES = "This store knows no lifecycle rules: what is left in the landing zone stays there."


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
    *,
    expiry_days: int = 0,
) -> bool:
    """Make both buckets, and both users with the rights of their roles and no others.

    Returns what `make_buckets` does.

    Raises:
        ConfigError: names or keys are not usable.
        VaultUnavailableError, VaultDeniedError: as everywhere.
    """
    _require_three_users(admin, pipeline, uploader)
    roles = {Role.PIPELINE: pipeline, Role.LANDING_USER: uploader}
    policies = {role: policy_of(role, landing_bucket, lake_bucket) for role in roles}
    has_rules = make_buckets(admin, landing_bucket, lake_bucket, expiry_days=expiry_days)
    users = MinioAdmin(
        endpoint=admin.endpoint,
        credentials=transport.SecretProvider(admin.access_key, admin.secret_key),
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
    return has_rules


def make_buckets(
    admin: VaultAdminSettings, landing_bucket: str, lake_bucket: str, *, expiry_days: int = 0
) -> bool:
    """Make both buckets. False: a rule was asked for, and this store knows no lifecycle rules."""
    provider = transport.SecretProvider(admin.access_key, admin.secret_key)
    client = transport.client(
        admin.endpoint, provider, secure=admin.secure, region=admin.region, timeout_s=_TIMEOUT_S
    )
    for bucket in (landing_bucket, lake_bucket):
        _make_bucket(client, bucket, Place(admin.endpoint, "MINIO_ADMIN", bucket))
    if not expiry_days:
        return True
    place = Place(admin.endpoint, "MINIO_ADMIN", landing_bucket)
    return set_landing_expiry(client, landing_bucket, expiry_days, place)


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


def provision_as_settings_say(*, users: bool = True) -> bool:
    """Provision the server that the environment names; False as `make_buckets` says it."""
    vault = load_section(VaultSettings)
    login = load_section(VaultAdminLogin)
    admin = VaultAdminSettings(
        endpoint=vault.endpoint,
        secure=vault.secure,
        region=vault.region,
        access_key=login.access_key,
        secret_key=login.secret_key,
    )
    days = login.landing_expiry_days
    if not users:
        return make_buckets(admin, vault.landing_bucket, vault.lake_bucket, expiry_days=days)
    uploader = load_section(UploaderSettings)
    return provision(
        admin,
        Credential(access_key=vault.access_key, secret_key=vault.secret_key),
        Credential(access_key=uploader.access_key, secret_key=uploader.secret_key),
        vault.landing_bucket,
        vault.lake_bucket,
        expiry_days=days,
    )


def main() -> int:
    """The init job; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m libs.vault.admin", description=__doc__)
    parser.add_argument("--buckets-only", action="store_true", help="make no users, no policies")
    buckets_only = parser.parse_args().buckets_only

    def work() -> str:
        has_rules = provision_as_settings_say(users=not buckets_only)
        made = "buckets" if buckets_only else "buckets, policies and users"
        return f"The vault has its {made}." + ("" if has_rules else f"\n{_NO_RULES}")

    return run_init_job(work)


if __name__ == "__main__":
    sys.exit(main())
