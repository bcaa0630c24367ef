"""The policies of the vault's users, as JSON beside this file, with the buckets' names put in."""

from __future__ import annotations

import json
import re
from enum import Enum
from importlib.resources import files
from typing import Any

from libs.errors import ConfigError

_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


class Role(str, Enum):
    """A kind of user; the value is the name of its policy's file."""

    LANDING_USER = "landing-user"
    PIPELINE = "pipeline"

    @property
    def policy_name(self) -> str:
        """What the policy is called on the server."""
        return f"spatial-etl-{self.value}"


def policy_of(role: Role, landing_bucket: str, lake_bucket: str) -> dict[str, Any]:
    """The policy document of a role. Raises `ConfigError` for what is no bucket name."""
    for name in (landing_bucket, lake_bucket):
        if not _BUCKET_NAME.fullmatch(name):
            raise ConfigError(f"{name!r} is not a bucket name: see MINIO_LANDING_BUCKET.")
    if landing_bucket == lake_bucket:
        raise ConfigError("MINIO_LANDING_BUCKET and MINIO_LAKE_BUCKET must be two buckets.")
    template = files(__name__).joinpath(f"{role.value}.json").read_text(encoding="utf-8")
    text = template.replace("LANDING_BUCKET", landing_bucket).replace("LAKE_BUCKET", lake_bucket)
    document: dict[str, Any] = json.loads(text)
    return document
