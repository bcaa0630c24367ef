"""The ids of GeoJSON's features: none is invented, none is lost."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from libs.spatial_utils import vector_json_ids
from libs.spatial_utils.vector_json_ids import feature_ids

NONE = object()


def features(*ids: object, **properties: Any) -> list[dict[str, Any]]:
    made = []
    for at, value in enumerate(ids):
        point = {"type": "Point", "coordinates": [at, 2.5e1]}
        item = {"type": "Feature", "properties": {"a": 1, **properties}, "geometry": point}
        made.append(item if value is NONE else {**item, "id": value})
    return made


def written(folder: Path, driver: str, items: list[dict[str, Any]]) -> Path:
    if driver == "GeoJSONSeq":
        path = folder / "a.geojsonl"
        path.write_text("\n".join(map(json.dumps, items)))
        return path
    path = folder / "a.geojson"
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}, "id": 9}
    whole = {"type": "FeatureCollection", "id": 4, "crs": crs, "features": items, "more": {"id": 3}}
    path.write_text(json.dumps(whole, indent=1))
    return path


@pytest.mark.parametrize("driver", ["GeoJSON", "GeoJSONSeq"])
@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ((10, NONE, 12), [10, None, 12]),
        ((10, None, 12), [10, None, 12]),
        ((5, 5, 7), [5, 5, 7]),
        ((1, NONE, 3), [1, None, 3]),
        ((2**63 - 1, 2**64), [str(2**63 - 1), str(2**64)]),
        ((3, "x", NONE, "3"), ["3", "x", None, "3"]),
        (("x", NONE, "x"), ["x", None, "x"]),
        ((1, 2, 3), [1, 2, 3]),
    ],
)
def test_ids_come_out_as_they_stand(
    ids: tuple[object, ...], expected: list[object], driver: str, tmp_path: Path, read: Any
) -> None:
    got = read(written(tmp_path, driver, features(*ids)), driver)
    assert got.column("id") == expected
    assert not any("unique" in note for note in got.info.notes)


@pytest.mark.parametrize("driver", ["GeoJSON", "GeoJSONSeq"])
def test_an_attribute_called_id_is_no_features_id(driver: str, tmp_path: Path, read: Any) -> None:
    nested = {"id": 4, "text": 'a "id": 5, {"id": 6}', "inner": {"id": 7}}
    got = read(written(tmp_path, driver, features(10, NONE, 12, **nested)), driver)
    assert got.column("feature_id") == [10, None, 12]
    assert got.column("id") == [4, 4, 4]


def test_a_file_that_is_one_feature_keeps_its_id(tmp_path: Path, read: Any) -> None:
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps(features(70)[0]))
    assert read(path, "GeoJSON").column("id") == [70]


def test_ids_are_found_across_batches(tmp_path: Path, read: Any) -> None:
    ids = [NONE if at % 7 == 3 else at + 100 for at in range(40_000)]
    got = read(written(tmp_path, "GeoJSON", features(*ids)), "GeoJSON")
    assert got.column("id") == [None if value is NONE else value for value in ids]


def test_wherever_a_chunk_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(1)
    items = features(*[chance.choice([NONE, at + 9]) for at in range(60)], t='ü"id":[{\\')
    ring = [[chance.random(), chance.random() * 1e-7] for _ in range(40)]
    items[7]["geometry"] = {"coordinates": [[ring, ring]], "type": "MultiPolygon"}
    expected = [item.get("id") for item in items]
    for driver in ("GeoJSON", "GeoJSONSeq"):
        path = written(tmp_path, driver, items)
        for size in (200, 333, 1000, 4096):
            monkeypatch.setattr(vector_json_ids, "_CHUNK_BYTES", size)
            assert feature_ids(str(path)).to_pylist() == expected
    assert feature_ids(str(path)).type == pa.int64()
