"""The object store as a Dagster resource."""

from __future__ import annotations

from dagster import ConfigurableResource
from pydantic import SecretStr

from libs.settings import VaultSettings
from libs.vault import Vault


class MinIOResource(ConfigurableResource):
    """The landing zone and the data lake. What is not given here comes from `MINIO_*` settings."""

    endpoint: str
    """host:port of the S3 API."""
    access_key: str
    secret_key: str

    def settings(self) -> VaultSettings:
        """The full settings, defaults included."""
        return VaultSettings(
            endpoint=self.endpoint,
            access_key=self.access_key,
            secret_key=SecretStr(self.secret_key),
        )

    def vault(self) -> Vault:
        """A client; it reaches the server when it is first used."""
        return Vault.connect(self.settings())
