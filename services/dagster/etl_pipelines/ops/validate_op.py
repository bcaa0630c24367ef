"""Stage 1: the manifest judged, its files pinned, its batch claimed."""

from collections.abc import Iterator
from datetime import datetime

from dagster import Config, OpExecutionContext, Out, Output, op
from pydantic import Field

from etl_pipelines.ops._stage import run_stage
from etl_pipelines.resources import PlatformResource
from libs.ingest import Ended, StageOutput, receive
from libs.models import ManifestUpload


class UploadConfig(Config):
    """One upload of a manifest, as the sensor saw it."""

    key: str = Field(description="its key in the landing bucket, manifests/NAME.json")
    etag: str
    last_modified: str = Field(description="ISO 8601, UTC")
    size_bytes: int

    def upload(self) -> ManifestUpload:
        """The same as the flow's own value."""
        return ManifestUpload(
            key=self.key,
            etag=self.etag,
            last_modified=datetime.fromisoformat(self.last_modified),
            size_bytes=self.size_bytes,
        )

    @classmethod
    def of(cls, upload: ManifestUpload) -> "UploadConfig":
        """The run configuration that names an upload."""
        return cls(
            key=upload.key,
            etag=upload.etag,
            last_modified=upload.last_modified.isoformat(),
            size_bytes=upload.size_bytes,
        )


@op(name="validate", out=Out(StageOutput, is_required=False))
def validate_op(
    context: OpExecutionContext, config: UploadConfig, platform: PlatformResource
) -> Iterator[Output[StageOutput]]:
    """Stage 1. When the same submission ended before, the rest of the run is skipped."""
    received = run_stage(
        context, platform, None, lambda it: receive(it, config.upload(), context.run_id)
    )
    if isinstance(received, Ended):
        context.log.info(
            f"Nothing to do: this submission is {received.batch.state.value} already, as batch "
            f"{received.batch.batch_id} ({received.batch.id[:12]})."
        )
        return
    yield Output(received)
