"""A lane: a stack of stores of its own, a proxy before each, and two warm workers.

One carries out runs, through the proxies; the other one the platform's repairs, past them. What
happens to a run there is a case's business (`cases`), and what follows from it `engine`'s.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dotenv import dotenv_values

from libs.stack import down, up
from tests.faults.proxy import CallLog, FaultProxy, pass_all
from tests.faults.stores import Stores

PROJECT = Path(__file__).parents[2]
LEASE_S = 5
_QUICK = {
    "ETL_LEASE_S": str(LEASE_S),
    "ETL_MIN_FREE_BYTES": "0",
    "MINIO_TIMEOUT_S": "5",
    "MONGODB_TIMEOUT_S": "3",
    "POSTGIS_CONNECT_TIMEOUT_S": "3",
}
"""Waits that a production site has longer; a case must not take minutes."""

Moment = Callable[[str, int], str]
"""Called with what a child is about to do, and its pid; returns an order, mostly none."""


@dataclass(frozen=True)
class Ending:
    """How a child ended: `done`, `rejected`, `failed`, `crashed`, or `killed` without a word."""

    kind: str
    message: str = ""
    findings: tuple[str, ...] = ()


class Child:
    """A run or repair that goes on; it waits at each moment until `follow` lets it go on."""

    def __init__(self, pid: int, connection: socket.socket) -> None:
        self.pid = pid
        self._connection = connection
        self._file = connection.makefile("rw")

    def follow(self, moment: Moment, timeout_s: float = 150) -> Ending:
        """Answer its questions until it has ended; kills it when that takes too long."""
        self._connection.settimeout(timeout_s)
        try:
            while line := self._file.readline():
                said = json.loads(line)
                if "end" in said:
                    return Ending(
                        said["end"], said.get("message", ""), tuple(said.get("findings", ()))
                    )
                order = "" if said["at"] == "born" else moment(said["at"], said["pid"])
                self._file.write(order + "\n")
                self._file.flush()
        except TimeoutError:
            self.kill()
            return Ending("killed", f"it had not ended after {timeout_s:g} s")
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            self._connection.close()
        return Ending("killed")

    def kill(self) -> None:
        """End it at once."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


class Worker:
    """The warm process that forks children."""

    def __init__(self, folder: Path, env_file: Path, work_dir: Path) -> None:
        self._task = {"env_file": str(env_file), "work_dir": str(work_dir)}
        self._folder = folder
        path = os.pathsep.join([str(PROJECT), str(PROJECT / "services" / "dagster")])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.worker"],
            cwd=PROJECT,
            env={**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, do: str, **task: Any) -> Child:
        """Fork a child for this task; it waits for `follow`."""
        assert self._process.stdin and self._process.stdout
        path = self._folder / f"control-{os.urandom(4).hex()}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(str(path))
            listener.listen(1)
            listener.settimeout(60)
            whole = {"points": False, "disk": False, **self._task, **task}
            line = json.dumps({"do": do, "control": str(path), **whole})
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
            pid = int(self._process.stdout.readline())
            connection, _ = listener.accept()
        path.unlink()
        return Child(pid, connection)

    def close(self) -> None:
        """End the warm process."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(timeout=20)


@dataclass
class Lane:
    """Everything that one case after the other uses."""

    folder: Path
    stores: Stores
    proxies: dict[str, FaultProxy]
    log: CallLog
    runner: Worker
    keeper: Worker
    cases_since_wipe: int = 0
    _has_own_disk: bool = False

    def free_disk(self) -> None:
        """The work folder is a folder like others again."""
        if self._has_own_disk:
            subprocess.run(["umount", str(self.stores.work_dir)], check=True)
            self._has_own_disk = False

    def limit_room(self, kilobytes: int) -> None:
        """Let the work folder be a disk of this size; needs the right to mount one."""
        self.free_disk()  # else the one that is there would stay, below the new one
        self._mount(kilobytes, "")
        self._has_own_disk = True

    def restore(self) -> None:
        """No plan any more, every way open, and room on the disk."""
        if self._has_own_disk:
            self._mount(100_000, "remount,")
        for proxy in self.proxies.values():
            proxy.plan = pass_all
            proxy.mend()
            proxy.resume()

    def _mount(self, kilobytes: int, options: str) -> None:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"{options}size={kilobytes}k", "tmpfs",
             str(self.stores.work_dir)],
            check=True,
        )  # fmt: skip


def may_mount() -> bool:
    """Whether this user may make a small disk."""
    with tempfile.TemporaryDirectory() as folder:
        made = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder],
            check=False, capture_output=True,
        )  # fmt: skip
        if made.returncode == 0:
            subprocess.run(["umount", folder], check=True)
        return made.returncode == 0


@contextmanager
def open_lane() -> Iterator[Lane]:
    """Start a stack of stores in a folder of its own, and take it away afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="etl-faults-"))
    state = folder / "stack"
    with ExitStack() as ending:
        ending.callback(lambda: subprocess.run(["rm", "-rf", str(folder)], check=False))
        ending.callback(lambda: down(state, purge=True))
        info = up(state, dagster=False, progress=lambda line: None)
        env = {name: value or "" for name, value in dotenv_values(info.env_file).items()}
        work_dir = folder / "work"
        work_dir.mkdir()
        env.update(_QUICK, ETL_WORK_DIR=str(work_dir))
        log = CallLog()
        proxies = {
            name: ending.enter_context(FaultProxy(*upstream, log=log))
            for name, upstream in _upstreams(env).items()
        }
        stores = Stores(env, work_dir)
        ending.callback(stores.close)
        straight = _write_env(folder / "straight.env", env)
        proxied = _write_env(folder / "proxied.env", {**env, **_through(proxies)})
        runner, keeper = Worker(folder, proxied, work_dir), Worker(folder, straight, work_dir)
        ending.callback(runner.close)
        ending.callback(keeper.close)
        lane = Lane(folder, stores, proxies, log, runner, keeper)
        ending.callback(lane.free_disk)
        yield lane


def _upstreams(env: dict[str, str]) -> dict[str, tuple[Any, str, int]]:
    vault_host, _, vault_port = env["MINIO_ENDPOINT"].rpartition(":")
    ledger = urlsplit(env["MONGODB_URI"])
    return {
        "vault": ("http", vault_host, int(vault_port)),
        "ledger": ("mongodb", ledger.hostname or "", ledger.port or 27017),
        "compute": ("postgresql", env["POSTGIS_HOST"], int(env["POSTGIS_PORT"])),
    }


def _through(proxies: dict[str, FaultProxy]) -> dict[str, str]:
    return {
        "MINIO_ENDPOINT": proxies["vault"].address,
        "MONGODB_URI": f"mongodb://{proxies['ledger'].address}/?directConnection=true",
        "POSTGIS_HOST": proxies["compute"].host,
        "POSTGIS_PORT": str(proxies["compute"].port),
    }


def _write_env(path: Path, env: dict[str, str]) -> Path:
    path.touch(mode=0o600)
    path.write_text("".join(f"{name}={value}\n" for name, value in env.items()))
    return path
