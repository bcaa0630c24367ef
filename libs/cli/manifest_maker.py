"""From local files and a few words to a manifest and the uploads that it needs; sends nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from libs.cli.errors import UsageError
from libs.cli.source_files import SourceFile
from libs.models import MANIFEST_PREFIX, Manifest
from libs.models.manifest import slug_of_stem


@dataclass(frozen=True)
class Words:
    """What the user says of the whole batch."""

    project: str
    intent: str
    uploader: str
    description: str = ""
    tags: tuple[str, ...] = ()
    dataset: str | None = None
    """Of the only file."""
    batch_id: str | None = None
    """Default: made of what is submitted, so that the same submission has the same name."""
    on_error: str = "reject_batch"


@dataclass(frozen=True)
class Upload:
    """One local file and its key in the landing bucket."""

    path: Path
    key: str


@dataclass(frozen=True)
class Submission:
    """A manifest, and the uploads that go before it."""

    manifest: Manifest
    uploads: tuple[Upload, ...]

    @property
    def manifest_key(self) -> str:
        """Where the manifest goes, last of all."""
        return f"{MANIFEST_PREFIX}{self.manifest.batch_id}.json"

    @property
    def body(self) -> bytes:
        """The manifest's bytes: the same for the same submission."""
        return self.manifest.model_dump_json(indent=2, exclude_defaults=True).encode()


def make_submission(files: Sequence[SourceFile], words: Words, landing_bucket: str) -> Submission:
    """Build the manifest.

    Raises:
        UsageError: the words or names cannot stand in a manifest, or two files collide.
    """
    _refuse_twins(files)
    if words.dataset is not None and len(files) > 1:
        raise UsageError("--dataset names one dataset: submit such files one by one.")
    batch_id = words.batch_id or default_batch_id(files, words)
    uploads = tuple(
        Upload(path=path, key=f"{batch_id}/{path.name}")
        for file in files
        for path in file.all_paths
    )
    document = {
        "batch_id": batch_id,
        "uploader": words.uploader,
        "intent": words.intent,
        "files": [_entry(file, words, landing_bucket, batch_id) for file in files],
        "metadata": {
            "project": words.project,
            "description": words.description or _description(files),
            "tags": list(words.tags),
        },
        "on_error": words.on_error,
    }
    try:
        return Submission(manifest=Manifest.model_validate(document), uploads=uploads)
    except ValidationError as error:
        raise UsageError(_in_a_users_words(error, files, words)) from None


def _entry(file: SourceFile, words: Words, bucket: str, batch_id: str) -> dict[str, str | None]:
    return {
        "path": f"s3://{bucket}/{batch_id}/{file.path.name}",
        "type": file.format.kind.value,
        "format": file.format.driver,
        "crs": file.crs,
        "layer": file.layer,
        "dataset": words.dataset,
    }


def default_batch_id(files: Sequence[SourceFile], words: Words) -> str:
    """A name made of project, first dataset and a digest of files and words.

    The same command over the same files so makes the same manifest, and the platform recognises it
    as done; a changed file makes a new one.
    """
    digest = hashlib.sha256(repr(words).encode("utf-8", "surrogatepass"))
    for file in files:
        digest.update(repr((file.format.driver, file.crs, file.layer)).encode())
        for path in file.all_paths:
            digest.update(path.name.encode("utf-8", "surrogateescape") + b"\0")
            digest.update(_sha256(path))
    name = words.dataset or slug_of_stem(files[0].path.name) or "batch"
    return f"{words.project[:50]}-{name[:50]}-{digest.hexdigest()[:12]}"


def _sha256(path: Path) -> bytes:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(2**20):
            digest.update(block)
    return digest.digest()


def _description(files: Sequence[SourceFile]) -> str:
    names = ", ".join(file.path.name for file in files[:10])
    return names if len(files) <= 10 else f"{names} and {len(files) - 10} more"


def _refuse_twins(files: Sequence[SourceFile]) -> None:
    names = [path.name for file in files for path in file.all_paths]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(
            f"These file names come more than once: {', '.join(twice)}. "
            "Files of one batch lie side by side in the bucket: submit them one by one."
        )


_OPTIONS = {
    "batch_id": "--batch-id",
    "uploader": "--uploader",
    "intent": "--intent",
    "project": "--project",
    "description": "--description",
    "tags": "--tag",
    "layer": "--layer",
    "crs": "--crs",
    "dataset": "--dataset",
    "on_error": "--on-error",
}


def _in_a_users_words(error: ValidationError, files: Sequence[SourceFile], words: Words) -> str:
    faults = error.errors()
    if words.batch_id is None:  # it was made of words that have a fault of their own
        faults = [fault for fault in faults if fault["loc"] != ("batch_id",)]
    return "\n".join(dict.fromkeys(_line(fault, files) for fault in faults))


def _line(fault: ErrorDetails, files: Sequence[SourceFile]) -> str:
    from libs.ingest.contract_words import cure_of_field

    place = fault["loc"]
    field = next((str(part) for part in reversed(place) if part in _OPTIONS), None)
    message = str(fault["msg"]).removeprefix("Value error, ").rstrip(".")
    if field is not None:
        given = f" ({ascii(fault['input'])[:120]})" if isinstance(fault["input"], str) else ""
        if fault["type"] == "string_pattern_mismatch":
            message = cure_of_field(field).rstrip(".")
        return f"{_OPTIONS[field]}{given}: {message}."
    of_file = [files[part].path.name for part in place[1:2] if isinstance(part, int)]
    where = ascii(of_file[0]) if of_file else ".".join(map(str, place)) or "manifest"
    return f"{where}: {message.replace('`dataset`', '--dataset')}."
