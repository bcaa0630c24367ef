"""A stack's ports and passwords: chosen once, kept for its life. It starts no server."""

from __future__ import annotations

import json
import secrets
import socket
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_serializer

from libs.stack.paths import StackPaths
from libs.stack.private_files import read_or_empty, write_private

_PORTS = range(20_000, 32_000)
"""Below Linux's ephemeral ports, so that no outgoing connection sits on a chosen one."""


def _password() -> SecretStr:
    return SecretStr(secrets.token_hex(24))


class Account(BaseModel):
    """A name and its password on one of the servers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    password: SecretStr = Field(default_factory=_password)

    @field_serializer("password", when_used="json")
    def _in_clear(self, password: SecretStr) -> str:
        return password.get_secret_value()

    @property
    def clear(self) -> str:
        """The password itself; for files and environments that only the owner can read."""
        return self.password.get_secret_value()


class Ports(BaseModel):
    """TCP ports on 127.0.0.1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    vault: int
    """What everybody uses: the front, which lets the gateway see decent requests only."""
    gateway: int
    """The store behind it. In no settings file: nobody but the front and `provision` asks it."""
    ledger: int
    compute: int
    webserver: int
    monitor: int


class Identity(BaseModel):
    """What makes one stack itself; in `identity.json`, readable by its owner only."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ports: Ports
    state: Path | None = None
    """Its folder, by the name that its data was made under, links and all; None: by a release
    that did not keep it."""
    compute_dir: Path
    """PostgreSQL's data: inside the state folder, unless its user cannot get there."""
    supervisor: Account = Field(default_factory=lambda: Account(name="stack"))
    vault_admin: Account = Field(default_factory=lambda: Account(name="stack-admin"))
    vault_pipeline: Account = Field(default_factory=lambda: Account(name="pipeline"))
    vault_uploader: Account = Field(default_factory=lambda: Account(name="landing"))
    ledger_admin: Account = Field(default_factory=lambda: Account(name="stack_admin"))
    ledger_pipeline: Account = Field(default_factory=lambda: Account(name="pipeline"))
    compute_admin: Account = Field(default_factory=lambda: Account(name="stack_admin"))
    compute_pipeline: Account = Field(default_factory=lambda: Account(name="pipeline"))


def load(paths: StackPaths) -> Identity | None:
    """The identity of an existing stack; None: it has none yet."""
    text = read_or_empty(paths.identity)
    if not text:
        return None
    content = json.loads(text)
    # Stacks made before the vault had a front, or there was a watcher, know no such port.
    new = [name for name in Ports.model_fields if name not in content["ports"]]
    content["ports"] |= dict.fromkeys(new, 0)
    identity = Identity.model_validate(content)
    for name in new:
        identity = with_free_port(identity, name)
        save(paths, identity)
    return identity


def save(paths: StackPaths, identity: Identity) -> None:
    """Keep the identity."""
    write_private(paths.identity, identity.model_dump_json(indent=2))


def create(paths: StackPaths, compute_dir: Path) -> Identity:
    """New ports and passwords, kept at once."""
    names = list(Ports.model_fields)
    ports = Ports(**dict(zip(names, _free_ports(len(names)), strict=True)))
    identity = Identity(ports=ports, state=paths.state, compute_dir=compute_dir)
    save(paths, identity)
    return identity


def with_free_port(identity: Identity, server: str) -> Identity:
    """The same stack with another port for one server: a stranger holds the old one."""
    ports = identity.ports.model_copy(update={server: free_port()})
    return identity.model_copy(update={"ports": ports})


def is_free(port: int) -> bool:
    """True when a server could listen on that port of 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    return _free_ports(1)[0]


def _free_ports(count: int) -> list[int]:
    found: list[int] = []
    while len(found) < count:
        port = secrets.choice(_PORTS)
        if port not in found and is_free(port):
            found.append(port)
    return found
