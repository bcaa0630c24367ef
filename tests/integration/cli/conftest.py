"""A person at a terminal, over the servers that the settings name; and somebody who does the runs.

Where Dagster answers, its sensor starts the runs. Where it does not, a thread of the test takes up
the manifests of this session, and does what the ops do.
"""

import contextlib
import io
import json
import os
import threading
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest


@dataclass
class Ended:
    code: int
    out: str
    err: str

    @property
    def document(self):
        return json.loads(self.out)


@pytest.fixture(scope="session")
def name():
    """Of this session: its project, and how its batches begin."""
    return f"cli-{uuid.uuid4().hex[:10]}"


@pytest.fixture(scope="session")
def spatial_etl(settings):
    """Runs the program's entry point; in this process, since starting Python costs most of a run.

    That it starts by itself, and how it ends then, is what the unit tests look at.
    """
    from libs.cli.main import main

    def run(*arguments, **environment):
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
        with (
            mock.patch.dict(os.environ, {**_env_file(), **environment}),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            pytest.raises(SystemExit) as ended,
        ):
            main([str(argument) for argument in arguments])
        return Ended(ended.value.code or 0, _text_of(out), _text_of(err))

    return run


def _text_of(stream):
    stream.flush()
    return stream.buffer.getvalue().decode("utf-8")


def _env_file():
    from libs.settings import ENV_FILE_VARIABLE, default_env_file

    found = default_env_file()
    return {ENV_FILE_VARIABLE: str(found.absolute())} if found else {}


@pytest.fixture(scope="session", autouse=True)
def runs(settings, name):
    """Somebody takes up the manifests of this session."""
    if _answers(settings.etl.dagster_url):
        yield
        return
    from libs.ingest import Platform

    stop = threading.Event()
    platform = Platform.connect(settings)
    worker = threading.Thread(target=_work, args=(platform, f"manifests/{name}", stop))
    worker.start()
    yield
    stop.set()
    worker.join()
    platform.close()


def _answers(url):
    try:
        with urllib.request.urlopen(f"{url}/server_info", timeout=2) as answer:
            return b"dagster_version" in answer.read()
    except (urllib.error.URLError, OSError, ValueError):
        return False


def _work(platform, prefix, stop):
    from libs.errors import InputError
    from libs.ingest import run_upload, waiting_manifests

    while not stop.wait(0.2):
        for upload in waiting_manifests(platform):
            if upload.key.startswith(prefix):
                # What it raises is recorded and answered: the program under test tells it.
                with contextlib.suppress(InputError):
                    run_upload(platform, upload, str(uuid.uuid4()))


@pytest.fixture(scope="session")
def natural_earth():
    """The countries shapefile of pyogrio's wheel."""
    import pyogrio

    folder = Path(pyogrio.__file__).parent / "tests" / "fixtures" / "naturalearth_lowres"
    return folder / "naturalearth_lowres.shp"


@pytest.fixture(scope="session")
def submit(spatial_etl, name):
    """Submits files into this session's project, in batches of this session."""

    def run(*files, batch, intent="ingest_vector", options=(), **environment):
        words = ("--project", name, "--intent", intent, "--batch-id", f"{name}-{batch}")
        return spatial_etl(
            "submit", *files, *words, "--timeout", "120", "--json", *options, **environment
        )

    return run


@pytest.fixture(scope="session")
def countries(submit, natural_earth):
    """The countries, submitted and committed: the report of it."""
    ended = submit(natural_earth, batch="countries", options=["--dataset", "countries"])
    assert ended.code == 0, ended.err
    return ended.document
