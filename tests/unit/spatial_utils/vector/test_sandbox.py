from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from libs.spatial_utils.sandbox import ChildLimits, Ended, Outcome, spawn

LIMITS = ChildLimits(memory_bytes=2**30, cpu_s=10, wall_s=20)


def run(code: str, work_dir: Path, limits: ChildLimits = LIMITS) -> tuple[Outcome, bytes]:
    with spawn([sys.executable, "-I", "-S", "-c", code], limits=limits, work_dir=work_dir) as child:
        out = child.stdout.read()
        return child.wait(), out


def test_a_child_inherits_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINIO_SECRET_KEY", "hush")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "hush")
    outcome, out = run("import os; print(dict(os.environ))", tmp_path)
    assert outcome.ended is Ended.WELL
    assert b"hush" not in out
    assert b"'PROJ_NETWORK': 'OFF'" in out


def test_a_child_starts_in_the_work_folder_and_keeps_its_temporary_files_there(
    tmp_path: Path,
) -> None:
    _, out = run("import os; print(os.getcwd(), os.environ['TMPDIR'])", tmp_path)
    assert out.decode().split() == [str(tmp_path), str(tmp_path)]


@pytest.mark.parametrize(
    ("code", "limits", "ended"),
    [
        ("x = bytearray(2**31)", LIMITS, Ended.OUT_OF_MEMORY),
        ("while True: pass", ChildLimits(2**30, 1, 20), Ended.OUT_OF_CPU),
        ("import time; time.sleep(60)", ChildLimits(2**30, 10, 0.5), Ended.OUT_OF_TIME),
        ("import os; os.abort()", LIMITS, Ended.CRASHED),
        ("import sys; sys.exit(3)", LIMITS, Ended.FAILED),
        ("import os; os.kill(os.getpid(), 9)", LIMITS, Ended.KILLED),
        (
            "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_DFL);"
            "f = open('large', 'wb'); f.write(bytes(2**21))",
            ChildLimits(2**30, 10, 20, max_file_bytes=2**20),
            Ended.FILE_TOO_LARGE,
        ),
    ],
)
def test_the_end_of_a_child_is_told_apart(
    code: str, limits: ChildLimits, ended: Ended, tmp_path: Path
) -> None:
    assert run(code, tmp_path, limits)[0].ended is ended


def test_the_last_words_of_a_child_are_kept(tmp_path: Path) -> None:
    outcome, _ = run("import sys; sys.stderr.write('x' * 10**6 + '\\nthe end')", tmp_path)
    assert outcome.last_lines.endswith("the end")
    assert len(outcome.stderr) <= 16_384
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with spawn(["no-such-program"], limits=LIMITS, work_dir=tmp_path) as child:
        outcome = child.wait()
    assert (outcome.returncode, outcome.ended) == (127, Ended.FAILED)
    assert "no-such-program" in outcome.last_lines


def test_a_child_leaves_no_core_dump_and_has_few_files(tmp_path: Path) -> None:
    _, out = run(
        "import resource as r;"
        "print(r.getrlimit(r.RLIMIT_CORE)[0], r.getrlimit(r.RLIMIT_NOFILE)[0])",
        tmp_path,
    )
    assert out.split() == [b"0", b"256"]


def test_leaving_the_block_ends_the_child_and_what_it_started(tmp_path: Path) -> None:
    code = (
        "import subprocess, time, sys;"
        "p = subprocess.Popen(['sleep', '300'], stdout=subprocess.DEVNULL);"
        "print(p.pid, flush=True); time.sleep(300)"
    )
    with spawn([sys.executable, "-c", code], limits=LIMITS, work_dir=tmp_path) as child:
        grandchild = int(child.stdout.readline())
        pids = [child.process.pid, grandchild]
        assert all(map(_runs, pids))
    _await(lambda: not any(map(_runs, pids)))


def test_what_a_child_left_running_ends_with_it(tmp_path: Path) -> None:
    code = (
        "import subprocess; p = subprocess.Popen(['sleep', '300'], stdout=subprocess.DEVNULL);"
        "print(p.pid)"
    )
    outcome, out = run(code, tmp_path)
    assert outcome.ended is Ended.WELL
    _await(lambda: not _runs(int(out)))


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own doing on Linux only")
def test_a_child_dies_when_its_parent_is_killed(tmp_path: Path) -> None:
    code = f"""
import sys, time
from pathlib import Path
from libs.spatial_utils.sandbox import ChildLimits, spawn
limits, work_dir = ChildLimits(2**30, 10, 200), Path({str(tmp_path)!r})
child = spawn(['sleep', '300'], limits=limits, work_dir=work_dir)
print(child.process.pid, flush=True)
time.sleep(300)
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    with parent:
        pid = int(parent.stdout.readline())
        assert _runs(pid)
        os.kill(parent.pid, signal.SIGKILL)
    _await(lambda: not _runs(pid))


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _await(condition: object) -> None:
    assert callable(condition)
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
