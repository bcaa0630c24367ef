"""A process that submits batches and runs them, one after the other, until its input is closed.

    python busy.py ENV_FILE NAME [FAULT_POINT]

Each batch has two files, of two datasets of its project NAME. Prints a line for each committed
batch: its fingerprint. With a fault point it stops there in its first run, and says so before.
"""

import json
import os
import sys
import threading
import time
import uuid
from pathlib import Path

import geopandas
import shapely

from libs.faultpoints import Point, step_in
from libs.ingest import Platform, run_upload
from libs.models import ManifestUpload
from libs.settings import Settings


def say(word):
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


def submit(platform, name, number):
    """Upload two files and a manifest; which is what a sensor would see of it."""
    files = []
    for dataset in ("one", "two"):
        path = Path(os.environ["TMPDIR"]) / f"{name}-{dataset}.gpkg"
        path.unlink(missing_ok=True)
        frame = geopandas.GeoDataFrame(
            {"n": [number, len(dataset)]},
            geometry=[shapely.Point(1, 2), shapely.Point(number % 80, 4)],
            crs="EPSG:4326",
        )
        frame.to_file(path, driver="GPKG")
        key = f"{name}/{number}/{dataset}.gpkg"
        platform.vault.put_file(platform.landing_bucket, key, path, metadata={}, content_type="a/b")
        files.append(
            {
                "path": f"s3://{platform.landing_bucket}/{key}",
                "type": "vector",
                "format": "GPKG",
                "crs": "EPSG:4326",
            }
        )
    body = {
        "batch_id": f"{name}-{number}",
        "uploader": "ana",
        "intent": "ingest_vector",
        "files": files,
        "metadata": {"project": name, "description": "while a backup is taken"},
    }
    # In a folder of its own below manifests/, where no sensor looks.
    key = f"manifests/{name}/{number}.json"
    platform.vault.put_bytes(platform.landing_bucket, key, json.dumps(body).encode())
    seen = platform.vault.stat(platform.landing_bucket, key)
    return ManifestUpload(
        key=key, etag=seen.etag, last_modified=seen.last_modified, size_bytes=seen.size_bytes
    )


def stop_at(point):
    def hook(reached):
        if reached is point:
            say(f"at {point.value}")
            time.sleep(3600)

    step_in(hook)


def main():
    env_file, name, *points = sys.argv[1:]
    platform = Platform.connect(Settings(Path(env_file)))
    if points:
        stop_at(Point(points[0]))
    closed = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), closed.set()), daemon=True).start()
    number = 0
    while not closed.is_set():
        number += 1
        upload = submit(platform, name, number)
        done = run_upload(platform, upload, str(uuid.uuid4()))
        say(done.batch.id)


if __name__ == "__main__":
    main()
