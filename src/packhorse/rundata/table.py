"""Merge the table of a run."""

from __future__ import annotations

from collections.abc import Iterator

from packhorse.model.space import ParameterSpace
from packhorse.model.study import Study
from packhorse.results.duplicates import duplicate_seeds
from packhorse.results.fold import Fold
from packhorse.results.table import MergeReport, merge_results
from packhorse.rundir.directory import RunDirectory


def merge_table(run: RunDirectory, space: ParameterSpace, fold: Fold, study: Study, code: str) -> MergeReport:
    """Write the table of what is finished."""
    return merge_results(space, fold, run.path, study=study, code=code)


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
