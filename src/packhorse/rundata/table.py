"""Merge the table of a run."""

from __future__ import annotations

from collections.abc import Iterator

from packhorse.model.plan import Plan
from packhorse.model.space import ParameterSpace
from packhorse.model.study import Study
from packhorse.results.duplicates import duplicate_seeds
from packhorse.results.fold import Fold
from packhorse.results.table import MergeReport, merge_results
from packhorse.rundir.directory import RunDirectory


def merge_table(
    run: RunDirectory, space: ParameterSpace, fold: Fold, study: Study, latest: Plan | None
) -> MergeReport:
    """Write the table of finished tasks; `latest` is the newest plan, whose code is the current one."""
    if latest is None:
        return merge_results(space, fold, run.path, study=study)
    return merge_results(space, fold, run.path, study=study, code=latest.code, same_code=latest.same_code)


def table_notes(report: MergeReport, space: ParameterSpace, study: Study) -> Iterator[str]:
    """Yield what the reader of a table must know beside the merge report: equal outputs, or no results at all."""
    if report.foreign:
        yield (
            f"{report.foreign:,} finished tasks of earlier plans are not in the study now, so they are not in the table;"
            " their records are kept, and return when the study contains them again"
        )
    equal = duplicate_seeds(report.table, space)
    if equal is not None:
        yield equal.message
    if report.rows and not has_results(report, space) and study.result.kind == "auto":
        yield (
            "no task returned a result; the table has the tasks' records only. To return one, print a JSON object as"
            " the last line, or name the file that the command writes: result: FILE (result: none if this is intended)"
        )


def has_results(report: MergeReport, space: ParameterSpace) -> bool:
    """Return whether the table has a column beside parameters and bookkeeping."""
    given = {*space.names, "replicate", "seed"}
    return any(name not in given and not name.startswith("ph_") for name in report.table.columns)
