"""The code server starts its runs in the way that Dagster's own code lets it."""

import subprocess
import sys
from pathlib import Path

CODE = Path(__file__).parents[3] / "services" / "dagster"


def in_a_process_of_its_own(text: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", text],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={"PYTHONPATH": str(CODE), "PATH": "/usr/bin:/bin"},
    )


def test_dagsters_server_gets_its_processes_from_the_fork_server():
    done = in_a_process_of_its_own(
        "from etl_pipelines.code_server import start_runs_warm\n"
        "start_runs_warm()\n"
        "from dagster._grpc import server\n"
        "print(server.multiprocessing.get_context('spawn').get_start_method())\n"
        "from dagster._grpc.server import DagsterApiServer\n"
        "import inspect\n"
        "print(inspect.getsource(DagsterApiServer).count('multiprocessing.get_context('))\n"
    )
    assert done.stdout.split() == ["forkserver", "1"], done.stderr


def test_another_dagster_that_starts_runs_otherwise_is_refused():
    done = in_a_process_of_its_own(
        "from dagster._grpc import server\n"
        "del server.multiprocessing\n"
        "from etl_pipelines.code_server import start_runs_warm\n"
        "start_runs_warm()\n"
    )
    assert done.returncode == 1
    assert "does not start its runs by multiprocessing" in done.stderr
