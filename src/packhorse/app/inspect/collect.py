"""Merge the table of a run, also while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from packhorse.app.inspect.killed_workers import keep_killed
from packhorse.model.json_output import JsonOutput
from packhorse.model.study import Study
from packhorse.remote.last_known import fetch_or_note
from packhorse.remote.open_store import open_store
from packhorse.results.fold import Fold
from packhorse.results.stack import Stack, stack_results, write_stack
from packhorse.results.table import MergeReport
from packhorse.rundata.outcomes import frozen_study, latest_outcomes
from packhorse.rundata.table import STACK_HINT, merge_table, own_readers, table_notes
from packhorse.rundir.directory import RunDirectory
from packhorse.runtime.r_files import RArray, write_r_arrays


class Collected(Struct, frozen=True, kw_only=True):
    """A merged table, the outcomes it was merged by, and what its reader must know."""

    run: RunDirectory
    merge: MergeReport
    fold: Fold
    notes: tuple[str, ...]
    stack: str = ""  # path of the stacked arrays

    @property
    def results(self) -> str:
        """The path of the table."""
        return str(self.run.path / "results.parquet")

    def json_output(self) -> CollectedTable:
        """Return what `--json` prints."""
        rows, counts = self.merge.rows, self.fold.counts
        return CollectedTable(
            run=str(self.run.path), rows=rows, counts=counts, results=self.results, stack=self.stack
        )


class CollectedTable(JsonOutput, frozen=True, kw_only=True, tag="packhorse-collect/1"):
    """The table of a run."""

    run: Annotated[str, Meta(description="Path of the run directory.")]
    rows: Annotated[int, Meta(description="Rows of the table.")]
    counts: Annotated[dict[str, int], Meta(description="Tasks by outcome, MISSING among them.")]
    results: Annotated[str, Meta(description="Path of the table, a Parquet file; a CSV file is beside it.")]
    stack: Annotated[str, Meta(description="With --stack: path of the stacked arrays, a NetCDF file.")] = ""


def collect(run: RunDirectory, *, stacked: bool = False) -> Collected:
    """Merge the outcomes that a run has now, also while it works; fetch new ones first where it runs on a site.

    `stacked` also writes results.nc, with the parameters as dimensions. Raises UsageError where there is nothing to stack.
    """
    store = open_store(run)
    fetched: list[str] = []

    def fetch() -> None:
        with store.open():  # one session for both
            fetched.append(store.fetch_all())
            fetched.extend(keep_killed(run, store))

    old = fetch_or_note(store, fetch)
    outcomes, study = latest_outcomes(run, merged=False), frozen_study(run)
    merged = merge_table(run, outcomes.space, outcomes.fold, study, outcomes.plan)
    notes = (
        *merged.notes,
        *table_notes(merged, outcomes.space, study, run, outcomes.fold),
        *filter(None, (*fetched, old)),
    )
    path = ""
    if stacked:
        stack = stack_results(outcomes.space, outcomes.fold, study.result, own_readers(run))
        path = str(run.path / "results.nc")
        write_stack(stack, Path(path))
        notes = (
            *(note for note in notes if not note.endswith(STACK_HINT)),
            *stack.notes(),
            *_stack_for_r(run, study, stack),
        )
    return Collected(run=run, merge=merged, fold=outcomes.fold, notes=notes, stack=path)


def _stack_for_r(run: RunDirectory, study: Study, stack: Stack) -> Iterator[str]:
    """Also write the stack as results.rds for a study in R; yield a sentence on it."""
    if not any("Rscript" in word or word.endswith((".R", ".r")) for word in (*study.command, study.shell)):
        return
    path = run.path / "results.rds"
    arrays = {
        name: RArray(values.ravel(order="F").astype("<f8").tobytes(), dims)
        for name, (values, dims) in stack.labelled().items()
    }
    failed = write_r_arrays(arrays, path)
    yield (
        f"no results.rds: {failed}" if failed else f"for R, readRDS('{path}') has the arrays as a named list"
    )


def stack_run(run: RunDirectory) -> Stack:
    """Return the results of a run as a dataset, with the parameters as dimensions."""
    outcomes, study = latest_outcomes(run, merged=False), frozen_study(run)
    return stack_results(outcomes.space, outcomes.fold, study.result, own_readers(run))
