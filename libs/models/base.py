"""The base classes and the small domain types that all models share; no model of its own."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints


class Frozen(BaseModel):
    """An immutable value that knows all its fields: an unknown one is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Document(Frozen):
    """A document of a ledger collection. In Python its key is `id`, in MongoDB `_id`."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True
    )


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def _no_control_characters(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("has a control character or a lone surrogate in it")
    return text


def _prose(text: str) -> str:
    _no_control_characters(text.replace("\n", "").replace("\r", "").replace("\t", ""))
    return text


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def utc_now() -> datetime:
    """The present moment, UTC, to the millisecond: what BSON keeps, so that it reads back equal."""
    now = datetime.now(timezone.utc)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


SLUG_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$"
"""Projects and datasets: they become keys in the lake, so letters, digits, `_` and `-` only."""

Slug = Annotated[str, StringConstraints(pattern=SLUG_PATTERN)]
DatasetId = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}/[A-Za-z0-9][A-Za-z0-9_-]{0,99}$"),
]
"""`<project>/<dataset>`."""
ContentHash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256, 64 hexadecimal digits in lower case."""
RunId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$")]
"""A UUID, as Dagster makes it."""
VaultKey = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
"""The key of an object, without its bucket."""
PlainText = Annotated[str, AfterValidator(_no_control_characters)]
"""Any Unicode without control characters: safe in logs, keys of JSON and terminals."""
Prose = Annotated[str, AfterValidator(_prose)]
"""Like `PlainText`, with line breaks and tabs."""
Moment = Annotated[datetime, AfterValidator(_utc)]
"""A point in time; one without a zone (as MongoDB's drivers may return it) is UTC."""
Seconds = Annotated[float, Field(ge=0)]


class RunSchema(Frozen):
    """The transient PostGIS schema of one vector file of one run.

    The first file of a run has `proc_<run_id>`, the others `proc_<run_id>_2`, `_3`, …, so that
    tables are called `raw_data`, `step_0`, …, `processed` in each.
    """

    run_id: RunId
    file_index: int = Field(default=0, ge=0, description="the file's place in the manifest, from 0")

    @property
    def name(self) -> str:
        """The schema's name, at most 42 bytes: under PostgreSQL's limit of 63."""
        suffix = f"_{self.file_index + 1}" if self.file_index else ""
        return f"proc_{self.run_id.replace('-', '')}{suffix}"

    @staticmethod
    def run_digits(name: str) -> str | None:
        """The 32 hexadecimal digits of the run that a schema belongs to; None: not one of ours."""
        match = re.fullmatch(r"proc_([0-9a-f]{32})(?:_[0-9]+)?", name)
        return match.group(1) if match else None
