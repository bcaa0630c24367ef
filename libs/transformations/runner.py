"""In which order a step's statements are run, and what is made of the answers.

The caller brings the function that runs a statement: which server, how many connections and which
transactions are its business.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from psycopg import sql

from libs.errors import InputError
from libs.models import Frozen, GeometryChange
from libs.transformations.chaining import PlannedStep
from libs.transformations.contract import check_contract
from libs.transformations.faults import raise_for_faults
from libs.transformations.measures import change_of
from libs.transformations.one_pass import one_pass
from libs.transformations.row_wise import NOTHING_KNOWN, KnownGeometries

Execute = Callable[[sql.Composed], Sequence[Sequence[object]]]
"""Runs one or several statements in one transaction; returns the last one's rows."""

_CURE = "Repair or remove it in the source, check that the declared CRS is the data's, and submit."


class StepOutcome(Frozen):
    """What came of a step."""

    change: GeometryChange | None
    """What it changed; None: no geometry."""


def run_in_one_pass(
    plan: Sequence[PlannedStep],
    schema: str,
    columns: Sequence[str],
    execute: Execute,
    known: KnownGeometries = NOTHING_KNOWN,
) -> tuple[StepOutcome, ...] | None:
    """Run all steps in one statement; see `one_pass`. `columns` as in `run_step`.

    `known`: of the geometries in `raw_data`, so that no row is asked for it.

    None: it cannot be done so, or not with these rows: `raw_data` is as it was, there is no
    `processed`, and the steps are to be run one by one.

    Raises:
        GeometryContractError: `raw_data` has not just the one geometry column.
    """
    one = one_pass(plan, schema, columns, known)
    if one is None:
        return None
    _check_contract(plan[0], schema, execute)
    try:
        execute(one.create)
    except InputError:  # which rows, and why: the steps' own statements tell
        return None
    changes = map(change_of, execute(one.measures))
    outcomes = tuple(
        StepOutcome(change=next(changes) if rewrites else None) for rewrites in one.rewrites
    )
    execute(one.tidy)
    return outcomes


def run_step(
    planned: PlannedStep, schema: str, columns: Sequence[str], execute: Execute
) -> StepOutcome:
    """Check the contract, run the step where it is needed, and measure what it changed.

    `columns`: the columns beside the geometry to carry over, `rid` among them.

    Raises:
        GeometryContractError: the input table has not just the one geometry column.
        StepRefusedRowsError: rows cannot go through the step; they are named.
    """
    step, source, target = planned.step, planned.input_table, planned.output_table
    _check_contract(planned, schema, execute)
    _refuse(execute, step.arrival_faults_sql(schema, source))
    if not _is_needed(planned, schema, execute):
        execute(step.keep_sql(schema, source, target))
        return StepOutcome(change=None)
    _refuse(execute, step.input_faults_sql(schema, source))
    try:
        execute(step.generate_sql(schema, source, target, columns))
    except InputError as error:  # the server speaks of one row, without its number
        diagnosis = step.diagnosis_sql(schema, source)
        if diagnosis is not None:
            _refuse(execute, diagnosis, error)
        raise
    _refuse(execute, step.output_faults_sql(schema, target))
    return _measured(execute, step.measure_sql(schema, source, target))


def _check_contract(planned: PlannedStep, schema: str, execute: Execute) -> None:
    step, table = planned.step, planned.input_table
    found = execute(step.geometry_contract_sql(schema, table))
    check_contract(schema, table, step.geometry_column, found)


def _measured(execute: Execute, measure: sql.Composed | None) -> StepOutcome:
    if measure is None:
        return StepOutcome(change=None)
    [row] = execute(measure)
    return StepOutcome(change=change_of(row))


def _is_needed(planned: PlannedStep, schema: str, execute: Execute) -> bool:
    query = planned.step.needed_sql(schema, planned.input_table)
    if query is None:
        return True
    [(needed,)] = execute(query)
    return bool(needed)


def _refuse(execute: Execute, query: sql.Composed | None, cause: Exception | None = None) -> None:
    if query is None:
        return
    rows = execute(query)
    if cause is None:
        raise_for_faults(rows, _CURE)
        return
    try:
        raise_for_faults(rows, _CURE)
    except InputError as error:
        raise error from cause
