"""PostgreSQL's own configuration file, from services/postgis/postgresql.conf and this machine."""

from __future__ import annotations

import shutil
from pathlib import Path

from libs.stack.identity import Identity
from libs.stack.owner import give_to_postgres
from libs.stack.paths import PROJECT
from libs.stack.private_files import write_private

SHARED = PROJECT / "services" / "postgis" / "postgresql.conf"
"""The settings of every deployment: embedded, Docker Compose, Kubernetes."""
_ENOUGH_SHARED_MEMORY = 2**30


def write(identity: Identity) -> None:
    """Write `postgresql.conf` into the data folder; a running server reads it at its next start."""
    path = identity.compute_dir / "postgresql.conf"
    write_private(path, render(identity.ports.compute))
    give_to_postgres(path)


def render(port: int) -> str:
    """The file's text: the shared settings, then what holds for this stack only."""
    own = {
        "listen_addresses": "'127.0.0.1'",
        "port": str(port),
        "unix_socket_directories": "''",
        "dynamic_shared_memory_type": _shared_memory_type(Path("/dev/shm")),  # noqa: S108
    }
    lines = "".join(f"{name} = {value}\n" for name, value in own.items())
    return f"{SHARED.read_text(encoding='utf-8')}\n{lines}"


def _shared_memory_type(folder: Path) -> str:
    """`mmap`, in the data folder, where a container's /dev/shm is too small for parallel sorts."""
    try:
        return "posix" if shutil.disk_usage(folder).total >= _ENOUGH_SHARED_MEMORY else "mmap"
    except FileNotFoundError:
        return "mmap"
