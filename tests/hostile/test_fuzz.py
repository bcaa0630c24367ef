"""Random manifests and random damage: accepted, committed or refused with reasons, never a crash.

`HOSTILE_ROUNDS=2000` is the long form. A failure prints the seed of its round, and how to repeat
that one alone: `HOSTILE_SEED=… HOSTILE_ROUNDS=1`. Manifests are repeated by Hypothesis itself.
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libs.errors import InputError
from libs.ingest import BatchRejectedError, Committed
from libs.ingest.contract import parse_manifest
from libs.models import INPUT_FORMATS, Manifest
from tests.hostile import makers

pytestmark = pytest.mark.integration
GROUP = "fuzz: damaged files"
ROUNDS = int(os.environ.get("HOSTILE_ROUNDS", "26"))
SEED = int(os.environ.get("HOSTILE_SEED", "20261124"))
EXAMPLES = max(170, ROUNDS)
FUZZ = settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


VALID = {
    "batch_id": "batch-1",
    "uploader": "ana@example.org",
    "intent": "ingest_vector",
    "files": [
        {
            "path": "s3://landing-zone/batch_1/roads.shp", "type": "vector",
            "format": "ESRI Shapefile", "crs": "EPSG:32633", "layer": "main", "dataset": "roads",
        },
        {
            "path": "s3://landing-zone/batch_1/relief.tif", "type": "raster", "format": "GTiff",
            "crs": "EPSG:32633",
        },
    ],
    "metadata": {"project": "ALPHA", "description": "Roads", "tags": ["a", "b"]},
    "on_error": "skip_file",
}  # fmt: skip


def judged(body: bytes) -> None:
    """A manifest comes out, or every problem has its place, its fault and its cure."""
    try:
        manifest = parse_manifest(
            body, landing_bucket="landing-zone", max_bytes=200_000, max_files=20
        )
    except InputError as error:
        for problem in error.problems:
            assert problem.where.strip()
            assert problem.what.strip()
            assert problem.cure.strip()
            assert str(problem).isprintable()
    else:
        assert isinstance(manifest, Manifest)


@FUZZ
@given(st.binary(max_size=400))
def test_any_bytes_are_a_manifest_or_refused_with_reasons(body):
    judged(body)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
    | st.sampled_from(["$where", "../x", "s3://landing-zone/x.shp", "s3://data-lake/x", "\0"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=10,
)  # fmt: skip


def places(value, at=()):
    """The path of every value in a document."""
    yield at
    items = (
        value.items() if isinstance(value, dict)
        else enumerate(value) if isinstance(value, list) else ()
    )  # fmt: skip
    for key, inner in items:
        yield from places(inner, (*at, key))


@st.composite
def mutated(draw):
    """A valid manifest in which values were replaced, removed, added or renamed."""
    document = json.loads(json.dumps(VALID))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.sampled_from([place for place in places(document) if place]))
        parent = document
        for part in at[:-1]:
            parent = parent[part]
        action = draw(st.sampled_from(["replace", "remove", "add", "rename"]))
        value = draw(VALUES)
        if action == "remove":
            del parent[at[-1]]
        elif isinstance(parent, dict) and action == "add":
            parent[draw(st.text(max_size=9))] = value
        elif isinstance(parent, dict) and action == "rename":
            parent[draw(st.text(max_size=9))] = parent.pop(at[-1])
        else:
            parent[at[-1]] = value
        if not document:
            break
    return document


@FUZZ
@given(mutated())
def test_a_changed_manifest_is_read_or_refused_with_reasons(document):
    judged(json.dumps(document).encode())


@FUZZ
@given(st.data())
def test_a_damaged_manifest_is_read_or_refused_with_reasons(data):
    body = bytearray(json.dumps(VALID).encode())
    for _ in range(data.draw(st.integers(1, 5))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    judged(bytes(body[: data.draw(st.integers(0, len(body)))]))


DRIVERS = list(makers.SUFFIXES)


def damaged(path: Path, chance: random.Random) -> str:
    """Damage a file in place; says how."""
    data = bytearray(path.read_bytes())
    kind = chance.choice(["flip", "flip", "flips", "flips", "cut", "zero", "copy", "noise"])
    at, length = chance.randrange(len(data)), chance.choice([1, 4, 16, 512])
    if kind == "flip":
        data[at] ^= 1 << chance.randrange(8)
    elif kind == "flips":
        for _ in range(chance.randrange(2, 30)):
            data[chance.randrange(len(data))] = chance.randrange(256)
    elif kind == "cut":
        del data[at:]
    elif kind == "zero":
        data[at : at + length] = bytes(len(data[at : at + length]))
    elif kind == "copy":
        data[at : at + length] = data[chance.randrange(len(data)) :][:length]
    else:
        data[at : at + length] = chance.randbytes(length)
    path.write_bytes(data)
    return f"{kind} at {at} of {path.name}"


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("samples")
    made = {}
    for driver in DRIVERS:
        (folder / driver.replace(" ", "-")).mkdir()
        made[driver] = makers.honest(folder / driver.replace(" ", "-"), driver, rows=8)
    return made


@pytest.mark.timeout(3600)
def test_a_damaged_file_is_committed_or_refused_with_reasons(attack, samples, tmp_path):
    for number in range(ROUNDS):
        seed = SEED + number
        chance = random.Random(seed)
        driver = DRIVERS[seed % len(DRIVERS)]
        folder = tmp_path / str(number)
        folder.mkdir()
        parts = [folder / part.name for part in samples[driver]]
        for source, part in zip(samples[driver], parts, strict=True):
            part.write_bytes(source.read_bytes())
        how = damaged(chance.choice(parts), chance)
        told = f"{driver}, {how}: HOSTILE_SEED={seed} HOSTILE_ROUNDS=1 repeats it"
        intent = chance.choice(["ingest_vector", "ingest_vector_lossless"])
        try:
            submit(attack, driver, parts, intent, number)
        except Exception as error:
            error.add_note(told) if hasattr(error, "add_note") else print(told)
            raise


def submit(attack, driver, parts, intent, number):
    """One round; whatever is neither committed nor rejected is raised."""
    for part in parts[1:]:
        attack.user.upload(part)
    entry = {
        "path": attack.user.upload(parts[0]), "type": INPUT_FORMATS[driver].kind.value,
        "format": driver, "crs": makers.crs_of(driver),
    }  # fmt: skip
    upload = attack.user.manifest([entry], intent=intent, name=f"m{number}")
    with attack.guarded("") as run:
        try:
            done = attack.user.run(upload, run.run_id)
        except BatchRejectedError as error:
            run.outcome = "rejected"
            for problem in error.problems:
                assert all((problem.where.strip(), problem.what.strip(), problem.cure.strip()))
        else:
            run.outcome = "committed"
            assert isinstance(done, Committed)
            assert not attack.secret.is_in_asset(
                attack.user.download(done.assets[0].asset, parts[0].parent)
            )
