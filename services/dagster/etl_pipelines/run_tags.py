"""Tags of an ingest run: what the queue's limits count, and what its Kubernetes Job may use.

The limits stand in `dagster.yaml` (`tag_concurrency_limits`), the sizes in the file that
`ETL_RUN_SIZES` names; without that file nothing asks how large a batch is.
"""

from __future__ import annotations

import json
from pathlib import Path

import yaml
from pydantic import Field, JsonValue, ValidationError

from libs.errors import ConfigError
from libs.ingest import Outlook
from libs.models.base import Frozen

INTENT_TAG = "spatial_etl/intent"
DATASET_TAG = "spatial_etl/dataset"
SIZE_TAG = "spatial_etl/size"
BUSY_TAG = "spatial_etl/busy"
"""On a run that did nothing, since another one was at work on the same batch: it was no attempt."""
KUBERNETES_TAG = "dagster-k8s/config"


class RunSize(Frozen):
    """One class of runs."""

    name: str
    up_to_bytes: int | None = Field(default=None, ge=1)
    """Of input; None: everything beyond."""
    kubernetes: dict[str, JsonValue]
    """What dagster-k8s lays over the launcher's own configuration of a Job."""


class RunSizes(Frozen):
    """All classes, the smallest first; the last one has no bound."""

    sizes: tuple[RunSize, ...] = Field(min_length=1)

    @classmethod
    def load(cls, path: Path) -> RunSizes:
        """Read the file; raise `ConfigError` naming it when it is not what it should be."""
        try:
            return cls.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        except (OSError, yaml.YAMLError, ValidationError) as error:
            raise ConfigError(f"ETL_RUN_SIZES: {path} cannot be used: {error}") from None

    def of(self, input_bytes: int) -> RunSize:
        """The smallest class that takes so much; the last one takes what no other does."""
        fitting = (size for size in self.sizes if input_bytes <= (size.up_to_bytes or input_bytes))
        return next(fitting, self.sizes[-1])


def run_tags(outlook: Outlook | None, sizes: RunSizes | None) -> dict[str, str]:
    """The tags; none for a manifest without sense, whose run ends at once."""
    if outlook is None:
        return {}
    tags = {INTENT_TAG: outlook.intent, DATASET_TAG: outlook.dataset_id}
    if sizes is None or outlook.input_bytes is None:
        return tags
    size = sizes.of(outlook.input_bytes)
    return {**tags, SIZE_TAG: size.name, KUBERNETES_TAG: json.dumps(size.kubernetes)}
