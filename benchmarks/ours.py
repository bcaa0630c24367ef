"""Our own turn in any job: a whole batch, from the vault to the lake, in a process that is warm."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.measuring import Measured, measure
from benchmarks.stack import BenchStack
from benchmarks.user import Source


def run_batch(
    stack: BenchStack, folder: Path, source: Source, target: Path, *, watch: bool = True
) -> Measured:
    """Submit the source (not measured), run the batch (measured), fetch the asset to `target`."""
    asked, answered = folder / "upload.json", folder / "asset.txt"
    asked.write_text(stack.user.submit(source).model_dump_json())
    measured = measure(
        [sys.executable, "-m", "benchmarks.contenders.ours_job", str(asked), str(answered)],
        folders=stack.folders(),
        server_pids=[stack.compute_pid()],
        has_gate=True,
        watch=watch,
    )
    bucket, key = answered.read_text().split()
    stack.user.download(bucket, key, target)
    return measured
