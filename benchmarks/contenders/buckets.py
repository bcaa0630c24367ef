"""What every contender's script needs around its own work: the gate, and files in buckets.

As a program: `get URI FILE` and `put FILE URI`, for shell scripts.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn
from urllib.parse import urlsplit

from minio import Minio

GATE = "ready"


def wait_at_the_gate() -> None:
    """All is imported: the clock starts now, if somebody measures."""
    if os.environ.get("BENCH_GATE"):
        print(GATE, flush=True)
        sys.stdin.readline()


def leave() -> NoReturn:
    """The job is done and the process gone: what Python tidies up at its end is nobody's work.

    In production a run is a forked process, which multiprocessing ends by `os._exit`.
    """
    sys.stdout.flush()
    os._exit(0)


@contextmanager
def local_files(source_uri: str, target_uri: str) -> Iterator[tuple[str, str]]:
    """The clock starts; a fetched source, and the path of a result that goes up; then `leave`."""
    scratch = os.environ["TMPDIR"]
    wait_at_the_gate()
    source, target = get(source_uri, f"{scratch}/source.gpkg"), f"{scratch}/target.parquet"
    yield source, target
    put(target, target_uri)
    leave()


def get(uri: str, file: str) -> str:
    """Fetch an object."""
    bucket, key = _parts(uri)
    _client().fget_object(bucket, key, file)
    return file


def put(file: str, uri: str) -> None:
    """Upload a file, in parts and several at once."""
    bucket, key = _parts(uri)
    _client().fput_object(bucket, key, file)


def _client() -> Minio:
    return Minio(
        os.environ["BENCH_ENDPOINT"],
        access_key=os.environ["AWS_ACCESS_KEY_ID"],
        secret_key=os.environ["AWS_SECRET_ACCESS_KEY"],
        region=os.environ["AWS_REGION"],
        secure=os.environ["BENCH_IS_SECURE"] == "true",
    )


def _parts(uri: str) -> tuple[str, str]:
    split = urlsplit(uri)
    return split.netloc, split.path.lstrip("/")


if __name__ == "__main__":
    verb, source, target = sys.argv[1:]
    {"get": get, "put": put}[verb](source, target)
