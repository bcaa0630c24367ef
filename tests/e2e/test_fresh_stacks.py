"""The same input on fresh stacks gives the same bytes: it can be made again, anywhere."""

import hashlib
import json
import uuid
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio
from rasterio.transform import from_origin

from libs.ingest import Platform, run_upload
from libs.models import ManifestUpload
from libs.settings import Settings
from libs.stack import down, up
from libs.vault import Vault

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    path = tmp_path_factory.mktemp("scene") / "scene.tif"
    data = np.random.default_rng(3).normal(100, 20, (2, 900, 800)).astype("float32")
    with rasterio.open(
        path, "w", driver="GTiff", count=2, height=900, width=800, dtype="float32",
        crs="EPSG:32633", transform=from_origin(500_000, 5_000_000, 10, 10), nodata=-1,
    ) as out:  # fmt: skip
        out.write(data)
    return path


def hashes_on(settings: Settings, scene: Path) -> dict[str, str]:
    """Content hash by dataset, of one shapefile and one raster submitted by the landing user."""
    user = settings.uploader
    bucket, name = settings.vault.landing_bucket, f"fresh-{uuid.uuid4().hex[:8]}"
    landing = Vault.connect_as(settings.vault, user.access_key, user.secret_key)
    countries = Path(pyogrio.__file__).parent / "tests/fixtures/naturalearth_lowres"
    for path in [scene, *countries.iterdir()]:
        landing.put_file(
            bucket, f"{name}/{path.name}", path, metadata={}, content_type="application/x-data"
        )
    files = [
        ("naturalearth_lowres.shp", "vector", "ESRI Shapefile", "EPSG:4326"),
        ("scene.tif", "raster", "GTiff", "EPSG:32633"),
    ]
    manifest = {
        "batch_id": name,
        "uploader": "anyone",
        "intent": "ingest_vector",
        "files": [
            {"path": f"s3://{bucket}/{name}/{file}", "type": kind, "format": form, "crs": crs}
            for file, kind, form, crs in files
        ],
        "metadata": {"project": name, "description": ""},
    }
    key = f"manifests/{name}/m.json"
    landing.put_bytes(bucket, key, json.dumps(manifest).encode(), content_type="application/json")
    seen = landing.stat(bucket, key)
    upload = ManifestUpload(
        key=key, etag=seen.etag, last_modified=seen.last_modified, size_bytes=seen.size_bytes
    )
    platform = Platform.connect(settings)
    try:
        done = run_upload(platform, upload, str(uuid.uuid4()))
        found = {}
        for item in done.assets:
            body = platform.vault.read_bytes(
                item.asset.s3_bucket, item.asset.s3_key, etag=None, max_bytes=50_000_000
            )
            assert hashlib.sha256(body).hexdigest() == item.asset.content_hash
            found[item.asset.dataset_id.split("/")[1]] = item.asset.content_hash
        return found
    finally:
        platform.close()


def test_a_fresh_stack_gives_the_same_bytes(settings, scene, tmp_path_factory):
    state = Path("/tmp") / f"spatial-etl-fresh-{uuid.uuid4().hex[:8]}"
    info = up(state, dagster=False, progress=print)
    try:
        there = hashes_on(Settings(info.env_file), scene)
    finally:
        down(state, purge=True)
    assert set(there) == {"naturalearth_lowres", "scene"}
    assert hashes_on(settings, scene) == there
