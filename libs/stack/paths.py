"""Where everything of one embedded stack lies. Makes its folders, but no file in them."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from libs.stack.errors import ForeignFolderError, StackError

PROJECT = Path(__file__).resolve().parents[2]
"""The checkout: `services/` and `configs/` are read from it."""

_UNIX_SOCKET_LIMIT = 90
"""Bytes of a socket's path; the kernel takes 107, and supervisor appends its pid for a moment."""
_UNWRITABLE = frozenset("\"'%;#\\\n\r")
"""Characters that supervisor's configuration file cannot carry in a path."""


@dataclass(frozen=True)
class StackPaths:
    """The files of the stack whose state folder is `state` (absolute)."""

    state: Path

    @classmethod
    def of(cls, state: Path) -> StackPaths:
        """The paths of a state folder, wherever the caller stands; raises `StackError`."""
        absolute = Path(os.path.abspath(state))  # noqa: PTH100  symbolic links stay as they were named
        for path in (absolute, PROJECT):
            bad = sorted(_UNWRITABLE & set(str(path)))
            if bad:
                raise StackError(
                    f"{path} has {' '.join(map(repr, bad))} in it, which the stack's configuration "
                    "files cannot carry. Move the project or choose another state folder."
                )
        return cls(absolute)

    @property
    def marker(self) -> Path:
        """Says that the folder is ours: only such a folder is ever deleted."""
        return self.state / ".spatial-etl-stack"

    @property
    def lock(self) -> Path:
        return self.state / "lock"

    @property
    def identity(self) -> Path:
        """Ports and passwords."""
        return self.state / "identity.json"

    @property
    def env_file(self) -> Path:
        """The settings file for everything that uses the stack."""
        return self.state / ".env"

    @property
    def own_settings(self) -> Path:
        """What a person wants set otherwise; never written by us."""
        return self.state / "own.env"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def supervisor_config(self) -> Path:
        return self.state / "supervisord.conf"

    @property
    def supervisor_pid(self) -> Path:
        return self.state / "supervisord.pid"

    @property
    def provisioned(self) -> Path:
        """A stamp: what the servers were last provisioned with."""
        return self.state / "provisioned"

    @property
    def vault(self) -> Path:
        return self.state / "vault"

    @property
    def vault_metadata(self) -> Path:
        """JuiceFS's own database."""
        return self.vault / "meta.db"

    @property
    def ledger(self) -> Path:
        return self.state / "ledger"

    @property
    def compute(self) -> Path:
        return self.state / "compute"

    @property
    def dagster_home(self) -> Path:
        return self.state / "dagster"

    @property
    def dagster_storage(self) -> Path:
        """Dagster's own records of runs, events and ticks."""
        return self.dagster_home / "storage"

    @property
    def work(self) -> Path:
        """Scratch space of runs."""
        return self.state / "work"

    def log(self, program: str) -> Path:
        """What a program of the stack writes on its standard output and error."""
        return self.logs / f"{program}.log"

    def socket(self, name: str) -> Path:
        """A unix socket; in the temporary folder when the state folder's own name is too long."""
        inside = self.state / f"{name}.sock"
        if len(os.fsencode(inside)) <= _UNIX_SOCKET_LIMIT:
            return inside
        return Path(tempfile.gettempdir()) / f"spatial-etl-{self.digest}-{name}.sock"

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that name this state folder on this machine."""
        return hashlib.sha256(os.fsencode(self.state)).hexdigest()[:12]

    @property
    def is_ours(self) -> bool:
        """True when `make` has made the folder."""
        return self.marker.is_file()

    def make(self) -> None:
        """Make the folder, readable by its owner only; raises `ForeignFolderError`."""
        if not self.is_ours and self.state.exists() and any(self.state.iterdir()):
            raise ForeignFolderError(self.state)
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.marker.touch(mode=0o600)
        for folder in (self.logs, self.work, self.dagster_home):
            folder.mkdir(mode=0o700, exist_ok=True)
