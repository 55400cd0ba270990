"""Merging the table of a run, at any time."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from packhorse.app.carrier import carrier_of
from packhorse.app.words import frozen_study, latest_words
from packhorse.model.space import ParameterSpace
from packhorse.model.study import Study
from packhorse.results.duplicates import duplicate_seeds
from packhorse.results.fold import Fold
from packhorse.results.table import MergeReport, merge
from packhorse.run.directory import RunDirectory


def merge_table(run: RunDirectory, space: ParameterSpace, fold: Fold, study: Study, code: str) -> MergeReport:
    """Write the table of what is finished."""
    return merge(space, fold, run.path, study=study, code=code)


class Collected(Struct, frozen=True, kw_only=True):
    """A merged table, the words it was merged by, and what its reader must know beside."""

    merge: MergeReport
    fold: Fold
    notes: tuple[str, ...]


def collect(run: RunDirectory) -> Collected:
    """Merge what a run has now, also while it works; of one that lives elsewhere what is new is brought first."""
    stayed = carrier_of(run).bring_all()
    words, study = latest_words(run), frozen_study(run)
    merged = merge_table(run, words.space, words.fold, study, words.plan.code)
    notes = (*merged.notes, *table_notes(merged, words.space, study), *([stayed] if stayed else []))
    return Collected(merge=merged, fold=words.fold, notes=notes)


def table_notes(report: MergeReport, space: ParameterSpace, study: Study) -> Iterator[str]:
    """Yield what a table's reader must know and the merge cannot say: equal outputs, no results at all."""
    if report.foreign:
        yield (
            f"{report.foreign:,} finished tasks of earlier plans are not in the study as it is now, so the table leaves"
            " them out; their records stay in the journal and count again when the study names them again"
        )
    equal = duplicate_seeds(report.table, space)
    if equal is not None:
        yield equal.message
    if report.rows and not has_results(report, space) and study.result.kind == "auto":
        yield (
            "no task gave a result, so only the records of the tasks are kept; for a result let the command print"
            " a JSON object as its last line, or name the file that it writes under result: (none says it is meant)"
        )


def has_results(report: MergeReport, space: ParameterSpace) -> bool:
    """Tell whether the table has a column beside parameters and bookkeeping."""
    given = {*space.names, "replicate", "seed"}
    return any(name not in given and not name.startswith("ph_") for name in report.table.columns)
