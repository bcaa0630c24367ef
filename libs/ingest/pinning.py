"""A manifest's files as they lie in the landing zone now: pinned by etag, or what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from libs.errors import InputError, Problem
from libs.ingest.platform import Platform
from libs.models import INPUT_FORMATS, ManifestFile, PinnedObject


def find_objects(
    platform: Platform, index: int, file: ManifestFile
) -> tuple[tuple[PinnedObject, ...], tuple[Problem, ...]]:
    """The objects of a file as they are now, and what is wrong with it.

    `index` is the file's place in the manifest. A key that no store takes is the user's fault, too.
    """
    try:
        objects = _pin(platform, file)
    except InputError as error:
        where = {"where": f"files[{index}].path"}
        return (), tuple(problem.model_copy(update=where) for problem in error.problems)
    return objects, missing_parts(index, file, objects)


def missing_parts(
    index: int, file: ManifestFile, objects: Sequence[PinnedObject]
) -> tuple[Problem, ...]:
    """What of a file is not in the bucket: itself, or a side file that it cannot do without."""
    where = f"files[{index}].path"
    if not objects:
        return (
            Problem(
                where=where,
                what=f"{file.path} is not in the bucket.",
                cure="Upload the files first and the manifest last.",
            ),
        )
    if not objects[0].size_bytes:
        return (
            Problem(where=where, what=f"{file.path} is empty (0 bytes).", cure="Upload it again."),
        )
    endings = {PurePosixPath(obj.key).suffix.lower() for obj in objects if obj.size_bytes}
    form = INPUT_FORMATS[file.format]
    if not form.suffixes or not file.path.lower().endswith(form.suffixes):
        return ()
    return tuple(
        Problem(
            where=where,
            what=f"{file.path} has no {ending} file beside it, which {file.format} needs.",
            cure=f"Upload the {ending} file under the same name, or send all parts as one .zip.",
        )
        for ending in form.required_side_files
        if ending not in endings
    )


def _pin(platform: Platform, file: ManifestFile) -> tuple[PinnedObject, ...]:
    """The file and its side files as they are now; a folder marker is not a file."""
    form, key = INPUT_FORMATS[file.format], file.uri.key
    main = platform.vault.stat(platform.landing_bucket, key)
    if main is None:
        return ()
    found = [PinnedObject(key=key, etag=main.etag, size_bytes=main.size_bytes)]
    if form.side_files and key.lower().endswith(form.suffixes):
        stem = key[: -len(PurePosixPath(key).suffix)]
        wanted = {stem + ending for ending in form.side_files}
        for beside in platform.vault.list_objects(platform.landing_bucket, stem + "."):
            ending = beside.key[len(stem) :].lower()
            if stem + ending in wanted and beside.key != key:
                found.append(
                    PinnedObject(key=beside.key, etag=beside.etag, size_bytes=beside.size_bytes)
                )
    return tuple(found)
