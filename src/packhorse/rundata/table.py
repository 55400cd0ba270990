"""Merge the table of a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from packhorse.model.plan import Plan
from packhorse.model.space import ParameterSpace
from packhorse.model.study import Study
from packhorse.results.duplicates import duplicate_seeds
from packhorse.results.fold import Fold
from packhorse.results.payload import Readers
from packhorse.results.table import MergeReport, merge_results
from packhorse.rundata.near_miss import near_miss
from packhorse.rundata.task_log import log_of
from packhorse.rundata.unreadable import keep_unreadable
from packhorse.rundir.directory import RunDirectory
from packhorse.runtime.pickles import is_private, read_pickle
from packhorse.runtime.r_files import read_r_files
from packhorse.text.amounts import counted
from packhorse.worker.results.cells import NUMBERS

SHOWN = 5  # tasks in one sentence
STACK_HINT = "to join them in one file: packhorse collect RUN --stack"


def merge_table(
    run: RunDirectory, space: ParameterSpace, fold: Fold, study: Study, latest: Plan | None
) -> MergeReport:
    """Write the table of finished tasks, and what could not be read.

    `fold` has outcomes as the workers judged them; `latest` is the newest plan, whose code is the current one.
    """
    merged = merge_results(space, fold, run.path, study=study, latest=latest, readers=own_readers(run))
    keep_unreadable(run, merged)
    return merged


def own_readers(run: RunDirectory) -> Readers:
    """Return the readers of R files, and of pickles if the newest wave was run with --trust-pickle."""
    waves = run.waves()
    trusted = (
        bool(waves) and run.work(waves[-1]).get("result", {}).get("trust_pickle") and is_private(run.path)
    )
    return Readers(r=read_r_files, pickle=read_pickle if trusted else None)


def table_notes(
    report: MergeReport, space: ParameterSpace, study: Study, run: RunDirectory, fold: Fold
) -> Iterator[str]:
    """Yield what the reader of a table must know beside the merge report: equal outputs, or no results at all."""
    if report.foreign:
        yield (
            f"{report.foreign:,} finished tasks of earlier plans are not in the study now, so they are not in the table;"
            " their records are kept, and return when the study contains them again"
        )
    yield from _left_out(report, space)
    equal = duplicate_seeds(report.table, space)
    if equal is not None:
        yield equal.message
    if report.rows and not has_results(report, space) and study.result.kind == "auto":
        yield (
            "no task returned a result; the table has the tasks' records only. To return one, print a JSON object as"
            " the last line, or name the file that the command writes: result: FILE (result: none if this is intended)"
        )
        first = next((indices[0] for _, indices, _ in fold.winners("OK") if indices), None)
        yield from _near_miss(run, fold, first)
    elif report.without:
        yield from _near_miss(run, fold, report.without[0])


def _near_miss(run: RunDirectory, fold: Fold, index: int | None) -> Iterator[str]:
    """Yield why what a task printed is not its result, where it is nearly one."""
    clause = near_miss(log_of(run, fold, index)) if index is not None else ""
    if clause:
        yield f"task {index} {clause}"


def _left_out(report: MergeReport, space: ParameterSpace) -> Iterator[str]:
    """Yield a sentence on the tasks that are done and have no row, and on what is not in the table as it was written."""
    if report.without:
        yield (
            f"{counted(len(report.without), 'task')} returned no result, while others did, and "
            f"{_are(report.without)} not in the table: {named_tasks(report.without, space)}"
        )
    if report.empty:
        yield (
            f"the result of {counted(len(report.empty), 'task')} has no rows (a header alone, or an empty list), so "
            f"{_are(report.empty)} not in the table: {named_tasks(report.empty, space)}"
        )
    for (column, word), count in report.missing_texts.items():
        meaning = "as that number" if word in NUMBERS else "as missing"
        yield f"column {column}: {counted(count, 'cell')} with {word} among numbers read {meaning}"
    if report.arrays:
        names = ", ".join(f"{name} ({counted(count, 'task')})" for name, count in report.arrays.items())
        yield f"arrays are not in the table: {names}; {STACK_HINT}"


def named_tasks(indices: Sequence[int], space: ParameterSpace) -> str:
    """Return tasks by number and parameters, at most five of them."""
    shown = [
        f"{index} ({', '.join(f'{name}={value}' for name, value in space.texts(index).items())})"
        if space.names
        else str(index)
        for index in indices[:SHOWN]
    ]
    more = f" and {len(indices) - SHOWN:,} more" if len(indices) > SHOWN else ""
    return ("task " if len(indices) == 1 else "tasks ") + ", ".join(shown) + more


def _are(indices: Sequence[int]) -> str:
    return "is" if len(indices) == 1 else "are"


def has_results(report: MergeReport, space: ParameterSpace) -> bool:
    """Return whether the table has a column beside parameters and bookkeeping."""
    given = {*space.names, "replicate", "seed"}
    return any(name not in given and not name.startswith("ph_") for name in report.table.columns)
