"""What a user reads at the end of a run, and the error that a program gets."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path

from packhorse.execution.run_model import Outcome
from packhorse.model.errors import PackhorseError, RunError, Stopped, TableError, TasksFailed, UsageError
from packhorse.results.table import MergeReport
from packhorse.rundata.failures import failure_lines
from packhorse.rundata.progress import EndReason, WaveEnd
from packhorse.rundir.directory import RunDirectory
from packhorse.rundir.submissions import Submissions
from packhorse.text.amounts import counted, elapsed, retry_command

# Why nothing more is submitted on a site, and the error that the command then raises.
SITE_ERRORS: dict[EndReason, type[PackhorseError]] = {
    EndReason.IDLE: TasksFailed,
    EndReason.FAILING: TasksFailed,
    EndReason.CAP: RunError,
    EndReason.REFUSED: RunError,
    EndReason.CANCELLED: Stopped,
}
SHOWN = 5  # causes, clashes and file names in one message


def outcome_lines(outcome: Outcome) -> list[str]:
    """Return the lines that close a run: counts, causes, notes, where the table is."""
    report = outcome.report
    if report.kept is not None and outcome.done:
        return _script_lines(outcome, report.kept)
    lines = [f"{outcome.done:,} of {counted(outcome.tasks, 'task')} done"]
    if 0 < outcome.ran < outcome.done + outcome.failed:
        lines[0] += f", {outcome.ran:,} of them now,"
    # Where nothing was left to run, the seconds are those of reading.
    lines[0] += f" in {elapsed(outcome.seconds)}" if report.end else ": nothing is left to run"
    if outcome.failed:
        lines[0] += f", {outcome.failed:,} failed"
    if outcome.missing:
        lines[0] += f", {outcome.missing:,} missing"
    if outcome.failed:
        lines.extend(failure_lines(report.fold, outcome.run))
    lines.extend(f"note: {sentence}" for sentence in report.missing_inputs)
    lines.extend(merge_lines(report.merge, report.notes))
    lines.extend(_uncommitted(outcome))
    lines.extend(_summary_lines(outcome))
    if outcome.results:
        lines.append(f"table: {outcome.results} (and .csv beside it)")
    return lines


def _script_lines(outcome: Outcome, files: tuple[Path, ...]) -> list[str]:
    """Return the closing lines of a script that was run once."""
    lines = [f"done in {elapsed(outcome.seconds)}"]
    if files:
        folder = Path(outcome.run) / "artifacts" / "0"
        names = [str(path.relative_to(folder)) for path in files]
        more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
        lines.append(f"files written: {', '.join(names[:SHOWN])}{more} (in {folder})")
    else:
        lines.append("files written: none")
    lines.extend(_uncommitted(outcome))
    if outcome.report.has_results:
        lines.append(f"table: {outcome.results} (and .csv beside it)")
    lines.append(f"run: {outcome.run} (provenance: packhorse provenance {shlex.quote(outcome.run)})")
    return lines


def merge_lines(merge: MergeReport, notes: Iterable[str]) -> list[str]:
    """Return what the reader of a table must know."""
    lines = [f"note: {sentence}" for sentence in notes]
    for clash in merge.clashes[:SHOWN]:
        kinds = ", ".join(f"{number} {kind}" for kind, number in clash.kinds.items())
        tasks = ", ".join(map(str, clash.tasks))
        lines.append(
            f"note: column {clash.column} holds {kinds}; it is kept as JSON text (see tasks {tasks})"
        )
    for old, new in merge.renamed.items():
        lines.append(f"note: the result {old} is in the column {new}, since {old} is another column")
    if merge.unreadable:
        index, (why, _, _) = next(iter(merge.unreadable.items()))
        lines.append(
            f"note: {counted(len(merge.unreadable), 'result')} could not be read, such as task {index}: {why}"
        )
    if merge.partial:
        shown = ", ".join(map(str, merge.partial[:SHOWN]))
        lines.append(
            f"note: the table has partial results of {counted(len(merge.partial), 'task')} that did not end by"
            f" themselves, such as {shown}: ph_partial is true"
        )
    if merge.differing:
        shown = ", ".join(map(str, merge.differing[:SHOWN]))
        lines.append(
            f"note: {counted(len(merge.differing), 'task')} ran twice with different results, such as {shown}"
        )
    if merge.bad:
        lines.append(
            f"note: {counted(merge.bad, 'damaged journal line')} skipped; the tasks of skipped lines run again"
        )
    return lines


def _uncommitted(outcome: Outcome) -> list[str]:
    """Return which code is in no commit; without git, the snapshot alone identifies the code."""
    git = outcome.report.git
    return [f"code: {git['summary']}"] if git.get("dirty") else []


def _summary_lines(outcome: Outcome) -> list[str]:
    """Return the table that the study asks for under `summary:`."""
    if not outcome.report.summary or not outcome.results:
        return []
    # Statistics load polars, which a run without a summary does not need for its closing lines.
    from packhorse.app.inspect.summary import summarise_run

    run = Path(outcome.run)
    try:
        return summarise_run(run, str(run), (), (), (), ()).lines()
    except UsageError as error:
        return [f"note: no summary: {error.message}; {error.hint}"]


def raise_for_outcome(outcome: Outcome) -> None:
    """Raise the error that an outcome deserves; return where every task has a result and types agree.

    Raises Stopped, TasksFailed, TableError or RunError.
    """
    end = outcome.report.end
    if end is not None and outcome.stopped is not None:
        _raise_for_site(outcome, end)
        _raise_for_end(outcome, end)
    run = shlex.quote(outcome.run)
    if outcome.failed or outcome.missing:
        retry = retry_command(run, outcome.report.fold.counts) or f"packhorse retry {run}"
        text = f"{outcome.failed + outcome.missing:,} of {counted(outcome.tasks, 'task')} have no result"
        raise TasksFailed(
            text if outcome.tasks > 1 else "the task has no result", f"packhorse status {run}; {retry}"
        )
    if outcome.report.merge.clashes:
        names = ", ".join(clash.column for clash in outcome.report.merge.clashes)
        raise TableError(
            f"the table is written, but values have different types in: {names}",
            f"look at {outcome.run}/results.csv",
        )


def _raise_for_end(outcome: Outcome, end: WaveEnd) -> None:
    """Raise the error of a run that stopped before it was done."""
    match end.how:
        case EndReason.STOPPED:
            raise Stopped("stopped; run the same command again to continue")
        case EndReason.FAILING:
            raise TasksFailed(
                f"stopped: the first 20 tasks, spread over the parameter space, all failed: {end.cause or 'no message'}",
                f"packhorse logs {shlex.quote(outcome.run)} --failed; correct the code, then run the same command again",
            )
        case EndReason.BROKEN:
            raise TasksFailed(f"{end.cause}\n{end.traceback}".rstrip(), "correct the code and run again")
        case EndReason.FULL:
            raise RunError("the disk stayed full for 15 minutes", "free space and run the same command again")
        case _:
            raise RunError(end.cause or str(end.how), "run the same command again")


def _raise_for_site(outcome: Outcome, end: WaveEnd) -> None:
    """Raise the error of a run on a site that stopped before it was done; return for a run on this machine."""
    run = RunDirectory(Path(outcome.run))
    if end.how not in SITE_ERRORS or Submissions(run).cluster() is None:
        return
    # Only a run on a site needs the code of schedulers.
    from packhorse.cluster.next_step import NO_CAUSE, end_cause, next_step, why_stopped

    cause = end_cause(run) if end.how is EndReason.IDLE else NO_CAUSE
    hint = next_step(run, end.how, outcome.report.fold.counts, end.cause, cause)
    raise SITE_ERRORS[end.how](why_stopped(end.how, end.cause, cause), hint)
