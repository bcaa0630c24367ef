"""The manifest: what a user submits, strictly. Reading its bytes is `libs.ingest.contract`."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from enum import Enum
from pathlib import PurePosixPath
from typing import Annotated
from urllib.parse import unquote

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, model_validator

from libs.models.base import SLUG_PATTERN, Frozen, PlainText, Prose, Slug, VaultKey
from libs.models.formats import INPUT_FORMATS, AssetKind
from libs.models.geo import CrsCode

MANIFEST_PREFIX = "manifests/"
"""Where manifests lie in the landing bucket; no data file may."""

MAX_NAME_BYTES = 255
"""Of one part of a key between slashes: what file systems take, and so most stores."""


def _is_allowed_driver(name: str) -> str:
    if name not in INPUT_FORMATS:
        raise ValueError(
            f"{name!r} is not an accepted format; use one of {', '.join(sorted(INPUT_FORMATS))}"
        )
    return name


def _is_plain_s3_uri(uri: str) -> str:
    match = re.fullmatch(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(.+)", uri, re.DOTALL)
    if not match:
        raise ValueError(f"{uri!r} is not of the form s3://BUCKET/KEY")
    key = match.group(2)
    plain = unquote(key)
    if not key.strip():
        raise ValueError(f"{uri!r} has a blank key")
    if "\\" in plain or any(part in ("", ".", "..") for part in plain.split("/")):
        raise ValueError(f"{uri!r} has an empty, '.', '..' or backslash part in its key")
    if key.startswith(MANIFEST_PREFIX):
        raise ValueError(f"{uri!r} lies under {MANIFEST_PREFIX}, where only manifests belong")
    if len(key.encode("utf-8")) > 1024:
        raise ValueError("the key is longer than the 1024 bytes that S3 allows")
    if any(len(part.encode("utf-8")) > MAX_NAME_BYTES for part in key.split("/")):
        raise ValueError(f"a part of the key is longer than {MAX_NAME_BYTES} bytes")
    return uri


class S3Uri(Frozen):
    """A bucket and a key."""

    bucket: str
    key: VaultKey

    @classmethod
    def parse(cls, uri: str) -> S3Uri:
        """Split `s3://BUCKET/KEY`."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return cls(bucket=bucket, key=key)

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def slug_of_stem(name: str) -> str:
    """The dataset slug that a file name suggests: its stem, accents folded, the rest as `_`.

    Empty when nothing of the name can be kept (a name all in a non-Latin script, say).
    """
    stem = PurePosixPath(name).name.split(".")[0]
    ascii_stem = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_-]+", "_", ascii_stem).lstrip("_-")[:100]


class OnError(str, Enum):
    """What one bad file does to its batch."""

    REJECT_BATCH = "reject_batch"
    SKIP_FILE = "skip_file"


class _Strict(Frozen):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ManifestFile(_Strict):
    """One dataset's source file."""

    path: Annotated[PlainText, AfterValidator(_is_plain_s3_uri)]
    """`s3://BUCKET/KEY` in the landing bucket."""
    type: AssetKind = Field(strict=False)
    format: Annotated[str, AfterValidator(_is_allowed_driver)]
    """A GDAL driver short name of the allow-list."""
    crs: CrsCode
    """What the uploader declares, `EPSG:32633` say; a file that says otherwise is an error."""
    layer: Annotated[PlainText, StringConstraints(min_length=1, max_length=500)] | None = None
    """Which layer, subdataset or variable; needed when the file has several."""
    dataset: Slug | None = None
    """The dataset's name; default: the slug of the file's stem."""

    @model_validator(mode="after")
    def _format_is_of_the_type(self) -> ManifestFile:
        kind = INPUT_FORMATS[self.format].kind
        if kind is not self.type:
            raise ValueError(
                f"format {self.format!r} is {kind.value}, but type is {self.type.value!r}"
            )
        if not re.fullmatch(SLUG_PATTERN, self.dataset_slug):
            raise ValueError(
                "no dataset name can be made of the file's name: give one in `dataset`"
            )
        return self

    @property
    def uri(self) -> S3Uri:
        """Bucket and key of `path`."""
        return S3Uri.parse(self.path)

    @property
    def dataset_slug(self) -> str:
        """The dataset's name: the one given, or the slug of the file's stem."""
        return self.dataset or slug_of_stem(self.path)


class ManifestMetadata(_Strict):
    """What the uploader says of the whole batch."""

    project: Slug
    description: Annotated[Prose, StringConstraints(max_length=20_000)]
    tags: Annotated[
        tuple[Annotated[PlainText, StringConstraints(min_length=1, max_length=200)], ...],
        Field(strict=False, max_length=100),
    ] = ()


class Manifest(_Strict):
    """The user's commit: written last, it names the files and what is to be done with them."""

    batch_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_:-]{0,127}$")]
    uploader: Annotated[PlainText, StringConstraints(min_length=1, max_length=200)]
    intent: Annotated[PlainText, StringConstraints(min_length=1, max_length=100)]
    """Names the recipe; an unknown one takes the default recipe and is recorded as such."""
    files: Annotated[tuple[ManifestFile, ...], Field(strict=False, min_length=1)]
    metadata: ManifestMetadata
    on_error: OnError = Field(default=OnError.REJECT_BATCH, strict=False)

    def dataset_id(self, file: ManifestFile) -> str:
        """`<project>/<dataset>` of one of its files."""
        return f"{self.metadata.project}/{file.dataset_slug}"

    @model_validator(mode="after")
    def _files_are_distinct(self) -> Manifest:
        for what, values in (
            ("path", [file.path for file in self.files]),
            ("dataset", [file.dataset_slug for file in self.files]),
        ):
            twice = sorted(value for value, count in Counter(values).items() if count > 1)
            if twice:
                raise ValueError(f"the same {what} stands more than once: {', '.join(twice[:5])}")
        return self
