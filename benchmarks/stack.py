"""The suite's own stack; nothing is measured here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.user import User
from libs.settings import ENV_FILE_VARIABLE, Settings
from libs.stack import down, up
from libs.stack.identity import load
from libs.stack.paths import StackPaths

RECIPES = Path(__file__).parent / "recipes"
"""Built-in ones, and one that reprojects a raster."""


def bucket_login(settings: Settings) -> dict[str, str]:
    """The uploader's, as the environment of `contenders.buckets`."""
    vault, login = settings.vault, settings.uploader
    return {
        "BENCH_ENDPOINT": vault.endpoint,
        "BENCH_IS_SECURE": str(vault.secure).lower(),
        "AWS_REGION": vault.region,
        "AWS_ACCESS_KEY_ID": login.access_key,
        "AWS_SECRET_ACCESS_KEY": login.secret_key.get_secret_value(),
    }


@dataclass(frozen=True)
class BenchStack:
    """A running stack of stores."""

    state: Path
    settings: Settings

    @property
    def env_file(self) -> Path:
        return self.state / ".env"

    @property
    def user(self) -> User:
        return User(self.settings)

    def compute_pid(self) -> int:
        """The process of PostgreSQL's postmaster."""
        text = (load(StackPaths.of(self.state)).compute_dir / "postmaster.pid").read_text()
        return int(text.splitlines()[0])

    def compute_folder(self) -> Path:
        return load(StackPaths.of(self.state)).compute_dir

    def folders(self) -> list[Path]:
        """Where a run and PostgreSQL write what is temporary."""
        return [self.settings.etl.work_dir, self.compute_folder()]


@contextmanager
def bench_stack(state: Path, *, dagster: bool) -> Iterator[BenchStack]:
    """A stack in `state`; it and its data are gone afterwards."""
    paths = StackPaths.of(state)
    paths.make()
    own = f'ETL_AUDIT_CRON="0 0 1 1 *"\nETL_RECIPES_DIR="{RECIPES}"\n'
    (state / "own.env").write_text(own)
    up(state, dagster=dagster, progress=lambda _line: None)
    os.environ[ENV_FILE_VARIABLE] = str(state / ".env")
    try:
        yield BenchStack(state, Settings(state / ".env"))
    finally:
        down(state, purge=True)
