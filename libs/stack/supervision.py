"""Talks with supervisor: writes its configuration, starts it, asks it, stops it.

What the programs are and whether they answer is not its business.
"""

from __future__ import annotations

import base64
import http.client
import os
import shlex
import socket
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter

from libs.stack.errors import ServerFailedError
from libs.stack.identity import Account
from libs.stack.logs import excerpt
from libs.stack.paths import StackPaths
from libs.stack.private_files import read_or_empty, write_private
from libs.stack.programs import STACK_VARIABLE, Program

_PASSED_ON = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH")
"""What of our own environment the servers get; nothing else, so that no stray secret does."""
_START_TIMEOUT_S = 20.0
_ALREADY_STARTED, _NOT_RUNNING = 60, 70
"""Its codes (`supervisor.xmlrpc.Faults`); importing them would load the whole of it."""


class ProcessInfo(BaseModel):
    """What supervisor says of a program."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    statename: str
    """STOPPED, STARTING, RUNNING, BACKOFF, STOPPING, EXITED, FATAL or UNKNOWN."""
    pid: int
    spawnerr: str
    description: str


_INFOS = TypeAdapter(list[ProcessInfo])
_GROUP_CHANGES = TypeAdapter(list[tuple[list[str], list[str], list[str]]])


class Supervisor:
    """A running supervisor, over its unix socket."""

    def __init__(self, paths: StackPaths, account: Account) -> None:
        self._paths = paths
        self._account = account

    def _call(self, method: str, *arguments: str | bool) -> object:
        transport = _UnixTransport(self._paths.socket("supervisor"), self._account)
        with xmlrpc.client.ServerProxy("http://localhost/RPC2", transport=transport) as proxy:
            answer: object = getattr(proxy.supervisor, method)(*arguments)
            return answer

    @property
    def answers(self) -> bool:
        """True when it is up and ours."""
        try:
            return self._call("getState") is not None
        except (OSError, http.client.HTTPException, xmlrpc.client.Error):
            return False

    @property
    def pid(self) -> int:
        """Its own process id."""
        return TypeAdapter(int).validate_python(self._call("getPID"))

    def processes(self) -> dict[str, ProcessInfo]:
        """Every program it knows, by name."""
        infos = _INFOS.validate_python(self._call("getAllProcessInfo"))
        return {info.name: info for info in infos}

    def start(self, name: str) -> None:
        """Start a program unless it runs already; does not wait for it."""
        if not self.is_running(name):
            self._call_unless(_ALREADY_STARTED, "startProcess", name)

    def is_running(self, name: str) -> bool:
        """True when it runs or is being started."""
        info = self.processes().get(name)
        return info is not None and info.statename in ("RUNNING", "STARTING")

    def stop(self, name: str) -> None:
        """Ask a program to stop unless it has; does not wait for it."""
        if self.processes()[name].statename in ("RUNNING", "STARTING", "BACKOFF"):
            self._call_unless(_NOT_RUNNING, "stopProcess", name)

    def _call_unless(self, done: int, method: str, name: str) -> None:
        """Supervisor starts again what ended: it may have done by itself what it is asked for."""
        try:
            self._call(method, name, False)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode != done:
                raise

    def reload(self) -> None:
        """Take in a changed configuration; programs whose entry changed are stopped."""
        changes = self._call("reloadConfig")
        added, changed, removed = _GROUP_CHANGES.validate_python(changes)[0]
        for group in (*changed, *removed):
            self._call("stopProcessGroup", group)
            self._call("removeProcessGroup", group)
        for group in (*added, *changed):
            self._call("addProcessGroup", group)

    def shut_down(self) -> None:
        """Ask it to stop what still runs, and to end."""
        self._call("shutdown")


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=60)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: Path, account: Account) -> None:
        token = base64.b64encode(f"{account.name}:{account.clear}".encode()).decode()
        super().__init__(headers=[("Authorization", f"Basic {token}")])
        self._path = path

    def make_connection(self, host: object) -> http.client.HTTPConnection:
        connection = _UnixConnection(self._path)
        self._connection = ("localhost", connection)  # where `close` looks for it
        return connection


def is_config_current(paths: StackPaths, account: Account, programs: Sequence[Program]) -> bool:
    """True when supervisor's configuration is the one that this code would write."""
    return read_or_empty(paths.supervisor_config) == _render(paths, account, programs)


def write_config(paths: StackPaths, account: Account, programs: Sequence[Program]) -> bool:
    """Write supervisor's configuration; True when it differs from the one that was there."""
    if is_config_current(paths, account, programs):
        return False
    write_private(paths.supervisor_config, _render(paths, account, programs))
    return True


def launch(paths: StackPaths, account: Account) -> Supervisor:
    """Start supervisor in the background and wait until it answers; no program runs yet."""
    command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(paths.supervisor_config)]
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    environment[STACK_VARIABLE] = str(paths.state)
    with paths.log("supervisor-start").open("w") as log:
        subprocess.run(
            command, env=environment, cwd=paths.state, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, check=False,
        )  # fmt: skip
    supervisor = Supervisor(paths, account)
    deadline = time.monotonic() + _START_TIMEOUT_S
    while not supervisor.answers:
        if time.monotonic() > deadline:
            log_file = paths.log("supervisor-start")
            raise ServerFailedError("supervisor", "did not start", log_file, excerpt(log_file))
        time.sleep(0.05)
    return supervisor


def _render(paths: StackPaths, account: Account, programs: Sequence[Program]) -> str:
    socket_path = str(paths.socket("supervisor"))
    sections = {
        "unix_http_server": {
            "file": socket_path,
            "chmod": "0700",
            "username": account.name,
            "password": account.clear,
        },
        "supervisord": {
            "logfile": str(paths.log("supervisor")),
            "logfile_maxbytes": "1MB",
            "logfile_backups": "1",
            "pidfile": str(paths.supervisor_pid),
            "umask": "077",
            "directory": str(paths.state),
            **({"user": "root"} if os.geteuid() == 0 else {}),
        },
        "rpcinterface:supervisor": {
            "supervisor.rpcinterface_factory": ("supervisor.rpcinterface:make_main_rpcinterface")
        },
        **{f"program:{program.name}": _entry(paths, program) for program in programs},
    }
    return "\n".join(
        f"[{title}]\n" + "".join(f"{key} = {value}\n" for key, value in section.items())
        for title, section in sections.items()
    )


def _entry(paths: StackPaths, program: Program) -> dict[str, str]:
    environment = {**program.environment, STACK_VARIABLE: str(paths.state)}
    entry = {
        "command": shlex.join(program.command),
        "environment": ",".join(f'{key}="{_escaped(v)}"' for key, v in environment.items()),
        "directory": str(program.folder),
        "priority": str(program.start_order),
        "autostart": "false",
        "autorestart": "true",
        "startsecs": "1",
        "startretries": "10",
        "stopsignal": program.stop_signal,
        "stopwaitsecs": str(program.stop_wait_s),
        "stopasgroup": str(program.stop_as_group).lower(),
        "killasgroup": "true",
        "redirect_stderr": "true",
        "stdout_logfile": str(paths.log(program.name)),
        "stdout_logfile_maxbytes": "10MB",
        "stdout_logfile_backups": "1",
    }
    return {**entry, "user": program.user} if program.user else entry


def _escaped(value: str) -> str:
    return value.replace("%", "%%")
