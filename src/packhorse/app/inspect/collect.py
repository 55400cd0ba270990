"""Merge the table of a run, also while it runs."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from packhorse.app.inspect.killed_workers import keep_killed
from packhorse.model.json_output import JsonOutput
from packhorse.remote.last_known import fetch_or_note
from packhorse.remote.open_store import open_store
from packhorse.results.fold import Fold
from packhorse.results.table import MergeReport
from packhorse.rundata.outcomes import frozen_study, latest_outcomes
from packhorse.rundata.table import merge_table, table_notes
from packhorse.rundir.directory import RunDirectory


class Collected(Struct, frozen=True, kw_only=True):
    """A merged table, the outcomes it was merged by, and what its reader must know."""

    run: RunDirectory
    merge: MergeReport
    fold: Fold
    notes: tuple[str, ...]

    @property
    def results(self) -> str:
        """The path of the table."""
        return str(self.run.path / "results.parquet")

    def json_output(self) -> CollectedTable:
        """Return what `--json` prints."""
        rows, counts = self.merge.rows, self.fold.counts
        return CollectedTable(run=str(self.run.path), rows=rows, counts=counts, results=self.results)


class CollectedTable(JsonOutput, frozen=True, kw_only=True, tag="packhorse-collect/1"):
    """The table of a run."""

    run: Annotated[str, Meta(description="Path of the run directory.")]
    rows: Annotated[int, Meta(description="Rows of the table.")]
    counts: Annotated[dict[str, int], Meta(description="Tasks by outcome, MISSING among them.")]
    results: Annotated[str, Meta(description="Path of the table, a Parquet file; a CSV file is beside it.")]


def collect(run: RunDirectory) -> Collected:
    """Merge the outcomes that a run has now, also while it works; fetch new ones first where it runs on a site."""
    store, missing = open_store(run), []
    old = fetch_or_note(store, lambda: missing.append(store.fetch_all()))
    killed = () if old else keep_killed(run, store)
    outcomes, study = latest_outcomes(run), frozen_study(run)
    merged = merge_table(run, outcomes.space, outcomes.fold, study, outcomes.plan)
    notes = (
        *merged.notes,
        *table_notes(merged, outcomes.space, study),
        *filter(None, (*missing, old, *killed)),
    )
    return Collected(run=run, merge=merged, fold=outcomes.fold, notes=notes)
