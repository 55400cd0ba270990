"""Merge the table of a run, also while it runs."""

from __future__ import annotations

from msgspec import Struct

from packhorse.remote.open_store import open_store
from packhorse.results.fold import Fold
from packhorse.results.table import MergeReport
from packhorse.rundata.outcomes import frozen_study, latest_outcomes
from packhorse.rundata.table import merge_table, table_notes
from packhorse.rundir.directory import RunDirectory


class Collected(Struct, frozen=True, kw_only=True):
    """A merged table, the words it was merged by, and what its reader must know beside."""

    merge: MergeReport
    fold: Fold
    notes: tuple[str, ...]


def collect(run: RunDirectory) -> Collected:
    """Merge what a run has now, also while it works; of one that lives elsewhere what is new is brought first."""
    stayed = open_store(run).fetch_all()
    words, study = latest_outcomes(run), frozen_study(run)
    merged = merge_table(run, words.space, words.fold, study, words.plan.code)
    notes = (*merged.notes, *table_notes(merged, words.space, study), *([stayed] if stayed else []))
    return Collected(merge=merged, fold=words.fold, notes=notes)
