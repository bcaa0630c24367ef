"""How stages hand values on: in memory, since a run's tables and files end with the run."""

from __future__ import annotations

from dagster import Failure, InputContext, IOManager, OutputContext, io_manager


class RunMemory(IOManager):
    """Keeps each output for the one run that made it."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], object] = {}

    def handle_output(self, context: OutputContext, obj: object) -> None:
        """Keep a stage's output."""
        self._values[(context.step_key, context.name)] = obj

    def load_input(self, context: InputContext) -> object:
        """Give it to the next stage; another run's output cannot be had."""
        output = context.upstream_output
        assert output is not None  # noqa: S101  every input here comes from a stage
        try:
            return self._values[(output.step_key, output.name)]
        except KeyError:
            raise Failure(
                "This stage needs what an earlier stage of another run had made, and that is gone "
                "with that run. Re-execute all steps, not only the failed ones."
            ) from None


@io_manager
def run_memory_io() -> RunMemory:
    """One memory for each run."""
    return RunMemory()
