"""What `run` says at its end, and the exit code that goes with it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from packhorse.cli.output import duration, frame_lines, number, tasks
from packhorse.execution.run_model import Outcome
from packhorse.model.errors import PackhorseError, RunError, Stopped, TableError, TasksFailed, UsageError

# Why nothing more is submitted at a site, and what the command then leaves with.
SITE_ENDS: dict[str, type[PackhorseError]] = {
    "idle": TasksFailed,
    "failing": TasksFailed,
    "cap": RunError,
    "refused": RunError,
    "cancelled": Stopped,
}
SHOWN = 5  # causes, clashes and the like that are shown before "and so on"


def closing_lines(outcome: Outcome) -> list[str]:
    """Return the sentences at the end of a run."""
    if outcome.report.kept is not None and outcome.done:
        return _script_lines(outcome)
    rows = [f"{number(outcome.done)} of {tasks(outcome.tasks)} done"]
    if 0 < outcome.ran < outcome.done + outcome.failed:
        rows[0] += f", {number(outcome.ran)} of them now,"
    # Where nothing was left to run, the seconds are those of looking.
    rows[0] += f" in {duration(outcome.seconds)}" if outcome.report.end else ": nothing is left to run"
    if outcome.failed:
        rows[0] += f", {number(outcome.failed)} failed"
    if outcome.missing:
        rows[0] += f", {number(outcome.missing)} missing"
    rows.extend(causes(outcome))
    rows.extend(f"note: {one}" for one in outcome.report.absent)
    rows.extend(merge_lines(outcome.report.merge, outcome.report.notes))
    rows.extend(_uncommitted(outcome))
    rows.extend(_summary(outcome))
    if outcome.results:
        rows.append(f"table: {outcome.results} (and .csv beside it)")
    return rows


def _script_lines(outcome: Outcome) -> list[str]:
    """Return what a script that was run once brought home."""
    rows = [f"done in {duration(outcome.seconds)}"]
    kept = outcome.report.kept
    if kept:
        folder = Path(outcome.run) / "artifacts" / "0"
        names = [str(path.relative_to(folder)) for path in kept]
        more = f" and {number(len(names) - SHOWN)} more" if len(names) > SHOWN else ""
        rows.append(f"it wrote {', '.join(names[:SHOWN])}{more}: {folder}")
    else:
        rows.append("it wrote no files")
    rows.extend(_uncommitted(outcome))
    if outcome.report.given:
        rows.append(f"table: {outcome.results} (and .csv beside it)")
    rows.append(f"run: {outcome.run} (packhorse provenance {shlex.quote(outcome.run)} tells what made it)")
    return rows


def causes(outcome: Outcome) -> list[str]:
    """Return why tasks failed, the commonest cause first."""
    from packhorse.rundata.failures import failure_lines

    return failure_lines(outcome.report.fold, outcome.run) if outcome.failed else []


def merge_lines(merge: Any, notes: Iterable[str]) -> list[str]:
    """Return what the reader of the table must know."""
    rows = [f"note: {one}" for one in notes]
    for clash in merge.clashes[:SHOWN]:
        kinds = ", ".join(f"{n} {kind}" for kind, n in clash.kinds.items())
        tasks = ", ".join(map(str, clash.tasks))
        rows.append(f"note: column {clash.column} holds {kinds}; it is kept as JSON text (see tasks {tasks})")
    for old, new in merge.renamed.items():
        rows.append(f"note: the result {old} is the column {new}, since {old} is taken")
    if merge.unreadable:
        index, why = next(iter(merge.unreadable.items()))
        rows.append(f"note: {len(merge.unreadable)} result(s) could not be read, such as task {index}: {why}")
    if merge.differing:
        shown = ", ".join(map(str, merge.differing[:SHOWN]))
        rows.append(f"note: {len(merge.differing)} task(s) ran twice with differing results, such as {shown}")
    if merge.bad:
        rows.append(f"note: {merge.bad} damaged journal line(s) were skipped; their tasks run again")
    return rows


def _uncommitted(outcome: Outcome) -> list[str]:
    """Return what of the code no commit has; where there is no git, the snapshot alone names the code."""
    git = outcome.report.git
    return [f"code: {git['summary']}"] if git.get("dirty") else []


def _summary(outcome: Outcome) -> list[str]:
    """Return the table that the study asks for under summary:."""
    from packhorse.app.inspect.summary import summarise_run

    if not outcome.report.summary or not outcome.results:
        return []
    run = Path(outcome.run)
    try:
        return frame_lines(summarise_run(run, str(run), (), (), (), ()))
    except UsageError as error:
        return [f"note: no summary: {error.message}; {error.hint}"]


def judge(outcome: Outcome) -> None:
    """Leave with the exit code that the outcome deserves."""
    if outcome.stopped:
        _judge_site(outcome)
        _judge_end(outcome)
    if outcome.failed or outcome.missing:
        run, without = shlex.quote(outcome.run), outcome.failed + outcome.missing
        hint = f"packhorse status {run}; {_retry(outcome)}"
        said = f"{number(without)} of {number(outcome.tasks)} tasks have no result"
        raise TasksFailed(said if outcome.tasks > 1 else "the task has no result", hint)
    if outcome.report.merge.clashes:
        names = ", ".join(clash.column for clash in outcome.report.merge.clashes)
        raise TableError(
            f"the table is written, but types clash in: {names}", f"look at {outcome.run}/results.csv"
        )


def _judge_end(outcome: Outcome) -> None:
    """Leave a run that stopped before it was done."""
    end = outcome.report.end
    if outcome.stopped == "stopped":
        raise Stopped("stopped; the same command continues where it was")
    if outcome.stopped == "failing":
        cause = end.cause or "no message"
        message = f"stopped: the first 20 tasks, spread over the space, all failed with: {cause}"
        raise TasksFailed(
            message, f"packhorse logs {outcome.run} --failed; mend it, then run again with --fresh"
        )
    if outcome.stopped == "broken":
        raise TasksFailed(f"{end.cause}\n{end.traceback}".rstrip(), "mend it and run again")
    if outcome.stopped == "full":
        raise RunError("the disk stayed full for 15 minutes", "make space and type the same command again")
    raise RunError(end.cause or outcome.stopped, "type the same command again")


def _judge_site(outcome: Outcome) -> None:
    """Leave a run on a site that stopped before it was done; nothing where the run is this machine's."""
    from packhorse.cluster.next_step import next_step, why_stopped
    from packhorse.model.submission import Stopped as Reason
    from packhorse.rundir.directory import RunDirectory
    from packhorse.rundir.submissions import Submissions

    run = RunDirectory(Path(outcome.run))
    end = outcome.report.end
    if end.how not in SITE_ENDS or Submissions(run).cluster() is None:
        return
    said = why_stopped(Reason(why=end.how, text=end.cause))
    raise SITE_ENDS[end.how](said, next_step(run, end.how, outcome.report.fold.counts, end.cause))


def _retry(outcome: Outcome) -> str:
    """Return the command that runs failed tasks again, with more of what they had too little of."""
    counts = outcome.report.fold.counts
    more = " --memory 2x" if counts.get("MEMORY") else ""
    return f"packhorse retry {shlex.quote(outcome.run)}{more}"
