"""What each wave of a run asked for and used, and what its study should ask for next time."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from packhorse.model.errors import RunError
from packhorse.model.study import Resources, Study
from packhorse.remote.open_store import open_store
from packhorse.results.efficiency import WaveRequest, WaveUse, fitting_request, wave_use
from packhorse.results.journal import read_journal
from packhorse.rundata.outcomes import frozen_study
from packhorse.rundir.directory import RunDirectory, find_run
from packhorse.rundir.submissions import Submissions


class Efficiency(Struct, frozen=True, kw_only=True):
    """The waves of a run that have begun, what the last asked for a task, and what would have fitted, if that is known."""

    run: str
    waves: tuple[WaveUse, ...]
    asked: Resources
    next: Resources | None


def efficiency(where: Path, said: str | None) -> Efficiency:
    """Return how a run used what it asked for; raise RunError where no task has ended yet."""
    run = find_run(where, said)
    open_store(run).fetch_all()
    waves = tuple(
        wave_use(wave, map(read_journal, paths), _given(run, wave, frozen_study(run)))
        for wave in run.waves()
        if (paths := run.journals(wave))
    )
    if not any(one.used.attempts for one in waves):
        raise RunError(
            f"no task of {run.path} has ended yet, so nothing is known of what it needs",
            f"packhorse status {run.path}",
        )
    asked = frozen_study(run).resources
    return Efficiency(run=str(run.path), waves=waves, asked=asked, next=fitting_request(waves, asked))


def _given(run: RunDirectory, wave: int, study: Study) -> WaveRequest:
    """Return what a wave asked for: a task's part from its work file, a job's from its submission."""
    work, submission = run.work(wave), Submissions(run).of(wave)
    return WaveRequest(
        cpus=work["cpus"],
        memory=work["memory"],
        time=work["time_limit"] or study.resources.time,
        cores=submission.cores if submission else None,
        seconds=submission.seconds if submission else None,
    )
