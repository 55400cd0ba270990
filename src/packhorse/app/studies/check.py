"""Check the results of a study, a run, or a table from elsewhere."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct

from packhorse import check
from packhorse.app.inspect.summary import columns_of
from packhorse.app.runs.rerun import rerun
from packhorse.app.studies.combining_script import check_combined
from packhorse.check.finding import Finding, Verdict, worst
from packhorse.model.errors import RunError, UsageError
from packhorse.model.json_output import JsonOutput
from packhorse.model.space import ParameterSpace
from packhorse.model.study import Expectation, Study, Summary
from packhorse.project.reporter import Reporter
from packhorse.project.source import from_file
from packhorse.rundata.outcomes import frozen_study, latest_outcomes
from packhorse.rundir.directory import RunDirectory, find_run
from packhorse.text.amounts import counted

if TYPE_CHECKING:
    import polars as pl

TABLES = (".csv", ".parquet")
SHARE = 0.01  # of the tasks that run again
MOST_AGAIN = 100  # tasks


class Golden(Struct, frozen=True, kw_only=True):
    """A table that the results must equal, and the tolerances of its numbers."""

    path: Path
    update: bool = False
    rtol: float = 0.0
    atol: float = 0.0
    ulp: int = 0


class CheckOptions(Struct, frozen=True, kw_only=True):
    """What to check beside what the study says. `columns` and `expect` replace or add to those of the study."""

    columns: dict[str, Any] = {}
    by: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    expect: tuple[Expectation, ...] = ()
    again: bool = False
    golden: Golden | None = None


class CheckReport(JsonOutput, frozen=True, kw_only=True, tag="packhorse-check/1"):
    """What the checks found."""

    target: Annotated[str, Meta(description="Path of the run directory, or of the table.")]
    verdict: Annotated[
        Verdict, Meta(description="fail if a check failed, else could not tell if one could not.")
    ]
    passed: Annotated[int, Meta(description="Checks that passed.")]
    failed: Annotated[int, Meta(description="Checks that failed.")]
    undecided: Annotated[int, Meta(description="Checks that could not tell.")]
    findings: Annotated[tuple[Finding, ...], Meta(description="Every check.")]


class Target(Struct, frozen=True, kw_only=True):
    """A table to check; of a run also its directory, its space, and its study with the newest expectations."""

    path: Path
    run: RunDirectory | None = None
    space: ParameterSpace | None = None
    study: Study | None = None

    @property
    def by(self) -> list[str] | None:
        """The parameters with several levels, which define a cell; None for a table from elsewhere."""
        if self.space is None:
            return None
        axes = self.space.arithmetic.axes
        return [name for axis in axes if axis.count > 1 and not axis.resample for name in axis.names]


def check_results(where: Path, name: str | None, options: CheckOptions, reporter: Reporter) -> CheckReport:
    """Check a study file, a run (by path or name; None means the newest) or a table (CSV, Parquet).

    Every table is checked for missing tasks and values, seeds, outliers and parameters without effect; then the
    expectations of the study and of `options` are. With `again`, one per cent of the tasks of a run
    runs again, with one worker and with all. Raises UsageError, RunError, StudyError.
    """
    target = find_target(where, name)
    whole = check.read_table(target.path)
    frame = check.matching(whole, options.where)
    findings = list(_table_findings(frame, target, options))
    for expectation in (*(target.study.expect if target.study else ()), *options.expect):
        findings.append(_expectation(frame, expectation, target, options))
    if target.run and target.study and target.study.combine and not options.where:
        findings.append(check_combined(target.run, target.study.combine, whole))
    if options.golden:
        findings.append(_golden(whole, options.golden, target))
    if options.again:
        findings += _again(target, where, options.where, reporter)
    verdicts = [finding.verdict for finding in findings]
    return CheckReport(
        target=str(target.run.path if target.run else target.path),
        verdict=worst(findings),
        passed=verdicts.count(Verdict.PASS),
        failed=verdicts.count(Verdict.FAIL),
        undecided=verdicts.count(Verdict.UNDECIDED),
        findings=tuple(findings),
    )


def find_target(where: Path, name: str | None) -> Target:
    """Return the table of a study file, a table file or a run. Raise UsageError or RunError where there is none."""
    if name is not None and Path(name).suffix in TABLES:
        return Target(path=Path(name))
    newest: Study | None = None
    if name is not None and Path(name).suffix in (".yaml", ".yml"):
        source = from_file(name)
        newest = source.study
        run = RunDirectory(source.folder / "runs" / newest.name)
        if not run.exists:
            raise RunError(f"the study {newest.name} has no run yet", f"packhorse run {shlex.quote(name)}")
    else:
        run = find_run(where, name)
    table = run.path / "results.parquet"
    if not table.exists():
        raise RunError(f"{run.path} has no table yet", f"packhorse collect {run.argument}")
    plan = run.latest()
    if plan is None:
        raise run.no_wave_error()
    return Target(path=table, run=run, space=run.space(plan.space), study=newest or frozen_study(run))


def _table_findings(frame: pl.DataFrame, target: Target, options: CheckOptions) -> Iterator[Finding]:
    by = list(options.by) or target.by
    groups = check.factors_of(frame) if by is None else by
    summary = target.study.summary if target.study and target.study.summary else Summary()
    method = options.columns.get("method") or summary.method
    inside = [*groups, *([method] if method and method not in groups else [])]
    if target.run and target.space and not options.where:
        yield _all_tasks(target.run, frame["ph_index"].n_unique())
    elif target.space:
        yield check.complete(frame, groups, replicates=target.space.replicates)
    yield check.finite(frame, inside, converged=options.columns.get("converged") or summary.converged)
    several = bool(frame.select(groups).is_duplicated().any()) if groups else frame.height > 1
    if "seed" in frame.columns and frame["seed"].null_count() < frame.height:
        yield check.seeds_differ(frame, groups)
        if several:
            yield check.seed_used(frame, inside)
    if several:
        yield check.outliers(frame, inside)
    common = target.study is not None and target.study.seeding == "common"
    yield from check.parameters_used(frame, groups, paired=common)


def _all_tasks(run: RunDirectory, in_table: int) -> Finding:
    """Compare the tasks of a run that have a result with all tasks of its newest plan.

    Journals of a run on a site may not be here, and a task may have a result without rows: the larger count is right.
    """
    outcomes = latest_outcomes(run)
    total = outcomes.plan.total
    done = max(in_table, sum(end - first for first, end in outcomes.fold.ranges("OK")))
    counts = {
        kind: sum(end - first for first, end in outcomes.fold.ranges(kind))
        for kind in ("FAILED", "TIMEOUT", "MEMORY")
    }
    others = [f"{count:,} {kind}" for kind, count in counts.items() if count]
    others += (
        [f"{total - done - sum(counts.values()):,} without an outcome"]
        if total > done + sum(counts.values())
        else []
    )
    return Finding(
        check="expected tasks",
        compared="tasks with a result with all tasks of the study",
        verdict=Verdict.PASS if done == total else Verdict.FAIL,
        sentence=f"{done:,} of {counted(total, 'task')} have a result"
        + "".join(f"; {one}" for one in others),
        statistic=float(total - done),
        threshold=0.0,
        source="no threshold: one is too many",
    )


def _expectation(frame: pl.DataFrame, wanted: Expectation, target: Target, options: CheckOptions) -> Finding:
    columns = columns_of(target.study.summary if target.study else None, options.columns)
    return check.expect(
        frame,
        wanted.that,
        columns=columns if columns.estimate else None,
        where=wanted.where,
        by=wanted.by or options.by or target.by,
        expected=target.space.replicates if target.space and not (wanted.by or options.by) else None,
        margin=wanted.margin,
        rtol=wanted.rtol,
        atol=wanted.atol,
        ulp=wanted.ulp,
    )


def _golden(frame: pl.DataFrame, golden: Golden, target: Target) -> Finding:
    plain = frame.select([name for name in frame.columns if not name.startswith("ph_")])
    keys = (
        [*(target.by or []), *(name for name in ("replicate",) if name in frame.columns)]
        if target.space
        else []
    )
    return check.same_as_reference(
        plain,
        golden.path,
        keys=keys if keys and not plain.select(keys).is_duplicated().any() else [],
        update=golden.update,
        rtol=golden.rtol,
        atol=golden.atol,
        ulp=golden.ulp,
    )


def _again(target: Target, where: Path, conditions: Sequence[str], reporter: Reporter) -> Iterator[Finding]:
    """Run a random one per cent of the tasks again, with one worker and with one for each core."""
    if target.run is None or target.space is None:
        raise UsageError(
            f"{target.path} is a table, and only tasks of a run can run again", "packhorse check RUN --again"
        )
    sample = min(MOST_AGAIN, max(1, math.ceil(SHARE * target.space.size)))
    for jobs, called in ((1, "one worker"), (None, "all workers")):
        found = rerun(where, str(target.run.path), sample, conditions, jobs, reporter)
        sentence = f"{found.same} of {counted(found.tasks, 'task')} had the same result again"
        if found.differences:
            first = found.differences[0]
            sentence += f"; task {first.index}, {first.column}: first {first.first}, now {first.second}"
        wrong = found.differing + found.failed
        yield Finding(
            check=f"same bits with {called}",
            compared="results of a random 1 % of the tasks with those of a second time",
            verdict=Verdict.FAIL if wrong else Verdict.PASS,
            sentence=sentence,
            statistic=float(wrong),
            threshold=0.0,
            source="bitwise equality",
        )
