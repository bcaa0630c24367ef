"""Makes each server's data folder, once. A folder whose making was interrupted is made anew.

Users and passwords that a server must have before it is first reached are set here; everything
that a running server can be asked for is `provision`'s business.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from libs.stack import postgres_config
from libs.stack.errors import PreparationError
from libs.stack.identity import Identity
from libs.stack.ledger_users import create_users
from libs.stack.owner import give_to_postgres, run_as_postgres
from libs.stack.paths import StackPaths
from libs.stack.programs import POSTGRES_BIN, dagster_environment, vault_metadata, venv_program

_DONE = ".made"


def prepare(paths: StackPaths, identity: Identity, *, dagster: bool) -> None:
    """Make what is not there yet, at the same time; raises `PreparationError`."""
    jobs: list[tuple[Path, Callable[[], None]]] = [
        (identity.compute_dir, lambda: _init_postgres(identity)),
        (paths.vault, lambda: _format_vault(paths)),
        (paths.ledger, lambda: create_users(paths, identity)),
    ]
    if dagster:
        jobs.append((paths.dagster_storage, lambda: _init_dagster(paths)))
    with ThreadPoolExecutor(len(jobs)) as pool:
        for waiting in [pool.submit(_make_once, folder, make) for folder, make in jobs]:
            waiting.result()
    postgres_config.write(identity)
    # A gateway of an earlier release kept a second copy there of all that was read.
    shutil.rmtree(paths.vault / "cache", ignore_errors=True)


def _make_once(folder: Path, make: Callable[[], None]) -> None:
    if (folder / _DONE).exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    make()
    (folder / _DONE).touch(mode=0o600)


def _init_postgres(identity: Identity) -> None:
    folder = identity.compute_dir
    give_to_postgres(folder)
    password_file = folder.with_name(f"{folder.name}.password")
    password_file.unlink(missing_ok=True)
    handle = os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(handle, f"{identity.compute_admin.clear}\n".encode())
        give_to_postgres(password_file)
        done = run_as_postgres(_initdb(identity, password_file), cwd=folder.parent)
    finally:
        os.close(handle)
        password_file.unlink(missing_ok=True)
    if done.returncode:
        raise PreparationError("compute", "initdb", done.stderr or done.stdout)


def _initdb(identity: Identity, password_file: Path) -> list[str]:
    return [
        str(POSTGRES_BIN / "initdb"), "-D", str(identity.compute_dir), "--no-sync",
        "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8",
        f"--username={identity.compute_admin.name}", f"--pwfile={password_file}",
    ]  # fmt: skip


def _init_dagster(paths: StackPaths) -> None:
    """SQLite files made by one process: several at once spoil each other's tables."""
    _run("dagster", [venv_program("dagster"), "instance", "migrate"], dagster_environment(paths))


def _format_vault(paths: StackPaths) -> None:
    command = [
        venv_program("juicefs"), "--no-agent", "--no-color", "format", "--storage", "file",
        "--bucket", f"{paths.vault / 'blocks'}/", "--trash-days", "0",
        vault_metadata(paths), "vault",
    ]  # fmt: skip
    _run("vault", command, {})


def _run(server: str, command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise PreparationError(server, command[0], done.stderr or done.stdout)
