"""Several machines on one: a head and workers as processes, each with its own folder; one broker.

The stores are those of a stack that has no Dagster of its own.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pymongo
import redis
from dotenv import dotenv_values
from minio import Minio
from psycopg import sql

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
INSTANCE = ROOT / "services/dagster/workers/dagster.yaml"
REDIS = "/usr/bin/redis-check-rdb"
"""Debian's redis-tools has the server under this name; called `redis-server`, it is one."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, seconds, condition):
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until, f"after {seconds} s still not: {what}"
        time.sleep(0.2)
    return found


def family(pid: int) -> list[int]:
    """A process and all that it has started, whatever their groups and sessions."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
        children.setdefault(parent, []).append(int(stat.parent.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


@dataclass
class Machine:
    """One machine's folder, settings and processes."""

    name: str
    folder: Path
    environment: dict[str, str]
    processes: list[subprocess.Popen] = field(default_factory=list)

    def start(self, *argv: str) -> subprocess.Popen:
        # Dagster takes SIGTERM as it takes SIGINT, which is ignored below a shell's background job.
        command = ["env", "--default-signal=INT", *argv]
        with (self.folder / f"{Path(argv[0]).name}.log").open("ab") as log:
            process = subprocess.Popen(
                command, env=self.environment, cwd=self.folder, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self.processes.append(process)
        return process

    @property
    def hold(self) -> Path:
        return self.folder / "hold"

    def held(self) -> int:
        """How many runs wait here now."""
        return len(list(self.folder.glob("hold.*")))

    def run_folders(self) -> list[str]:
        return [path.name for path in (self.folder / "work").glob("run-*")]

    def kill(self) -> None:
        """Nothing of it goes on: as when the power fails."""
        for process in self.processes:
            for pid in reversed(family(process.pid)):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            process.wait()
        self.processes.clear()
        for sign in self.folder.glob("hold.*"):
            sign.unlink()


class Site:
    """The head, its workers, and what a test asks from outside."""

    def __init__(self, state: Path, folder: Path) -> None:
        self.folder = folder
        self.env = {k: v for k, v in dotenv_values(state / ".env").items() if v is not None}
        self.identity = json.loads((state / "identity.json").read_text())
        self.name = f"m{uuid.uuid4().hex[:8]}"
        self.machines: list[Machine] = []
        self.broker_port, self.code_port, self.page_port = free_port(), free_port(), free_port()
        self.broker_password = secrets.token_hex(12)
        self.storage = self._database(f"dagster_{self.name}")
        self.mongo = pymongo.MongoClient(
            self.env["MONGODB_URI"], username=self.env["MONGODB_USERNAME"],
            password=self.env["MONGODB_PASSWORD"], authSource=self.env["MONGODB_AUTH_SOURCE"],
        )  # fmt: skip

    # --- Building it

    def _admin(self, database: str = "postgres") -> psycopg.Connection:
        admin = self.identity["compute_admin"]
        return psycopg.connect(
            host="127.0.0.1", port=int(self.env["POSTGIS_PORT"]), user=admin["name"],
            password=admin["password"], dbname=database, autocommit=True,
        )  # fmt: skip

    def _database(self, name: str) -> dict[str, str]:
        password, role = secrets.token_hex(12), sql.Identifier(name)
        with self._admin() as connection:
            connection.execute(
                sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal(password))
            )
            connection.execute(sql.SQL("CREATE DATABASE {0} OWNER {0}").format(role))
        return {
            "DAGSTER_POSTGRES_HOST": "127.0.0.1",
            "DAGSTER_POSTGRES_PORT": self.env["POSTGIS_PORT"],
            "DAGSTER_POSTGRES_DATABASE": name,
            "DAGSTER_POSTGRES_USER": name,
            "DAGSTER_POSTGRES_PASSWORD": password,
        }

    def compute_of(self, name: str) -> str:
        """A PostGIS for one machine alone: a database that no other one knows."""
        from libs.admin_settings import ComputeAdminLogin
        from libs.compute.admin import provision
        from libs.settings import ComputeSettings

        admin, database = self.identity["compute_admin"], f"compute_{name}_{self.name}"
        provision(
            ComputeAdminLogin(user=admin["name"], password=admin["password"]),
            ComputeSettings(
                host="127.0.0.1", port=int(self.env["POSTGIS_PORT"]), database=database,
                user=self.env["POSTGIS_USER"], password=self.env["POSTGIS_PASSWORD"],
            ),
        )  # fmt: skip
        return database

    def machine(self, name: str, **environment: str) -> Machine:
        folder = self.folder / name
        (folder / "home").mkdir(parents=True)
        text = INSTANCE.read_text().replace("/tmp/dagster", str(folder / "artifacts"))
        (folder / "home/dagster.yaml").write_text(text)
        shutil.copy(ROOT / "services/dagster/workspace.yaml", folder / "home")
        known = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("ETL_", "SPATIAL_ETL_"))},
            **self.env,
            **self.storage,
            "DAGSTER_HOME": str(folder / "home"),
            "DAGSTER_DISABLE_TELEMETRY": "yes",
            "DAGSTER_BROKER_HOST": "127.0.0.1",
            "DAGSTER_BROKER_PORT": str(self.broker_port),
            "DAGSTER_BROKER_PASSWORD": self.broker_password,
            "DAGSTER_CODE_HOST": "127.0.0.1",
            "DAGSTER_CODE_PORT": str(self.code_port),
            "HOST": "127.0.0.1",
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "PYTHONPATH": f"{ROOT / 'tests/e2e/held'}:{ROOT / 'services/dagster'}:{ROOT}",
            "TEST_HOLD": str(folder / "hold"),
            "ETL_WORK_DIR": str(folder / "work"),
            "ETL_WORKER_NAME": name,
            "ETL_LEASE_S": "8",
            "ETL_RETRY_WAIT_S": "1",
            "ETL_AUDIT_CRON": "0 0 1 1 *",
            "ETL_SENSOR_INTERVAL_S": "1",
        }
        machine = Machine(name, folder, {**known, **environment})
        self.machines.append(machine)
        return machine

    def start_broker(self) -> Machine:
        broker = self.machine("broker")
        programs = broker.folder / "bin"
        programs.mkdir(exist_ok=True)
        if not (programs / "redis-server").exists():
            (programs / "redis-server").symlink_to(REDIS)
        broker.environment |= {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "BROKER_ADDRESS": "127.0.0.1",
            "BROKER_PORT": str(self.broker_port),
            "BROKER_FOLDER": str(broker.folder),
        }
        self.again(broker)
        return broker

    def again(self, broker: Machine) -> None:
        broker.start(str(ROOT / "services/broker/start.sh"))
        wait_for("the broker answers", 20, self._broker_answers)

    def broker(self, database: int = 0) -> redis.Redis:
        return redis.Redis(
            port=self.broker_port, password=self.broker_password, db=database, socket_timeout=5
        )

    def _broker_answers(self) -> bool:
        try:
            return bool(self.broker().ping())
        except redis.RedisError:
            return False

    def start_head(self, *, page: bool) -> Machine:
        head = self.machine("head")
        subprocess.run(
            [BIN / "dagster", "instance", "migrate"], env=head.environment, check=True,
            capture_output=True, timeout=180,
        )  # fmt: skip
        workspace = ("--workspace", str(head.folder / "home/workspace.yaml"))
        with_broker = head.environment
        head.environment = {  # the code server has no business with the broker
            name: value for name, value in with_broker.items() if "BROKER" not in name
        }
        head.start(str(ROOT / "services/dagster/start-code.sh"))
        head.environment = with_broker
        if page:
            head.start(str(BIN / "dagster-webserver"), "--port", str(self.page_port), *workspace)
        head.start(str(BIN / "dagster-daemon"), "run", *workspace)
        return head

    def new_worker(self, name: str, slots: int = 2, **environment: str) -> Machine:
        """A machine with a PostGIS of its own that takes runs."""
        machine = self.machine(name, POSTGIS_DATABASE=self.compute_of(name), **environment)
        self.start_worker(machine, slots)
        return machine

    def start_worker(self, machine: Machine, slots: int = 2) -> None:
        machine.environment["ETL_WORKER_SLOTS"] = str(slots)
        machine.start(str(ROOT / "services/dagster/start-worker.sh"))

    def stop(self) -> None:
        for machine in self.machines:
            machine.hold.unlink(missing_ok=True)
            machine.kill()
        self.mongo.close()
        names = [self.storage["DAGSTER_POSTGRES_DATABASE"]]
        with self._admin() as connection:
            names += [
                name
                for (name,) in connection.execute(
                    "SELECT datname FROM pg_database WHERE datname LIKE %s",
                    [f"compute_%_{self.name}"],
                )
            ]
            for name in names:
                connection.execute(
                    sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
                )
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(names[0])))

    # --- What a user does

    def s3(self) -> Minio:
        return Minio(
            self.env["MINIO_ENDPOINT"], access_key=self.env["MINIO_ACCESS_KEY"],
            secret_key=self.env["MINIO_SECRET_KEY"], secure=False,
        )  # fmt: skip

    def submit(self, name: str) -> str:
        """One small batch; its manifest's name is its own."""
        import io

        square = [[[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]]
        shape = {"type": "Polygon", "coordinates": square}
        feature = {"type": "Feature", "properties": {"name": name}, "geometry": shape}
        data = {"type": "FeatureCollection", "features": [feature]}
        key, batch = f"{self.name}/{name}.geojson", f"{self.name}-{name}"
        manifest = {
            "batch_id": batch, "uploader": "ana@example.org", "intent": "ingest_vector",
            "files": [{"path": f"s3://landing-zone/{key}", "type": "vector", "format": "GeoJSON",
                       "crs": "EPSG:4326"}],
            "metadata": {"project": self.name, "description": ""},
        }  # fmt: skip
        for where, what in ((key, data), (f"manifests/{batch}.json", manifest)):
            body = json.dumps(what).encode()
            self.s3().put_object("landing-zone", where, io.BytesIO(body), len(body))
        return batch

    # --- What is seen from outside

    def ledger(self) -> pymongo.database.Database:
        return self.mongo[self.env["MONGODB_DATABASE"]]

    def batches(self) -> dict[str, dict]:
        found = self.ledger()["batches"].find({"batch_id": {"$regex": f"^{self.name}-"}})
        return {it["batch_id"]: it for it in found}

    def committed(self, *names: str) -> bool:
        """Whether they are, and the runs that did it know; a run's end is a write of its own."""
        batches = self.batches()
        return all(
            batches.get(name, {}).get("state") == "committed"
            and self.runs_of(name)[-1]["state"] == "committed"
            for name in names
        )

    def runs_of(self, name: str) -> list[dict]:
        batch = self.batches().get(name)
        found = self.ledger()["runs"].find({"batch": batch["_id"]} if batch else {"_id": None})
        return sorted(found, key=lambda run: run["started_at"])

    def assets_of(self, name: str) -> list[dict]:
        return list(self.ledger()["assets"].find({"batch": self.batches()[name]["_id"]}))

    def schemas(self, machine: Machine) -> list[str]:
        with self._admin(machine.environment["POSTGIS_DATABASE"]) as connection:
            rows = connection.execute(
                "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'proc\\_%'"
            )
            return [name for (name,) in rows]
