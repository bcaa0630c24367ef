"""The landing bucket's lifecycle rule: what lies there longer than some days is removed."""

from __future__ import annotations

from minio import Minio
from minio.commonconfig import ENABLED, Filter
from minio.error import S3Error
from minio.lifecycleconfig import Expiration, LifecycleConfig, Rule

from libs.vault.errors import Place
from libs.vault.translation import vault_errors

RULE_ID = "landing-expires"


def set_landing_expiry(client: Minio, bucket: str, days: int, place: Place) -> bool:
    """Set the rule in place of all others. False: this store knows no lifecycle rules."""
    with vault_errors(place):
        try:
            client.set_bucket_lifecycle(bucket_name=bucket, config=_rule(days))
        except S3Error as error:
            if error.code != "NotImplemented":
                raise
            return False
    return True


def _rule(days: int) -> LifecycleConfig:
    return LifecycleConfig(
        [
            Rule(
                status=ENABLED,
                rule_id=RULE_ID,
                rule_filter=Filter(prefix=""),
                expiration=Expiration(days=days),
            )
        ]
    )
