"""What each wave of a run requested and used, and what its study should request next time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from packhorse.model.errors import RunError
from packhorse.model.json_output import JsonOutput
from packhorse.model.study import Resources, Study
from packhorse.remote.last_known import fetch_or_note
from packhorse.remote.open_store import open_store
from packhorse.remote.run_store import RunStore
from packhorse.results.efficiency import JobMemory, Used, WaveRequest, WaveUse, fitting_request, wave_use
from packhorse.results.journal import read_journal
from packhorse.rundata.outcomes import frozen_study
from packhorse.rundir.directory import RunDirectory, find_run
from packhorse.rundir.submissions import Submissions


class Efficiency(Struct, frozen=True, kw_only=True):
    """The waves of a run that have begun, what the last requested for a task, and what would have been enough.

    `next` is None where that is not known.
    """

    run: str
    waves: tuple[WaveUse, ...]
    asked: Resources
    next: Resources | None

    def json_output(self) -> EfficiencyReport:
        """Return what `--json` prints."""
        return EfficiencyReport(
            run=self.run,
            waves=tuple(
                WaveEfficiency(
                    **msgspec.structs.asdict(wave), cpu_share=wave.cpu_share, busy_share=wave.busy_share
                )
                for wave in self.waves
            ),
            asked=msgspec.structs.asdict(self.asked),
            next=None if self.next is None else msgspec.structs.asdict(self.next),
        )


class WaveEfficiency(Struct, frozen=True, kw_only=True):
    """One wave. Times in seconds, memory in MiB unless a key says KiB."""

    wave: Annotated[int, Meta(description="The number of the wave, from 1.")]
    given: Annotated[WaveRequest, Meta(description="What it requested: for each task, and for each job.")]
    used: Annotated[Used, Meta(description="What its attempts used.")]
    workers: Annotated[int, Meta(description="Workers that have started.")]
    held: Annotated[float, Meta(description="Core-seconds that the workers held.")]
    longest: Annotated[float, Meta(description="Seconds of the longest worker.")]
    open: Annotated[int, Meta(description="Workers whose end is not recorded.")]
    counted: Annotated[int | None, Meta(description="Largest memory of a task by the scheduler's count.")]
    killed: Annotated[
        int | None, Meta(description="Memory of a task in a job that was killed for its memory; null: none.")
    ]
    cpu_share: Annotated[float | None, Meta(description="CPU time over the time held, 0 to 1.")]
    busy_share: Annotated[float | None, Meta(description="Time with a task over the time held, 0 to 1.")]


class EfficiencyReport(JsonOutput, frozen=True, kw_only=True, tag="packhorse-efficiency/1"):
    """What a run requested and used."""

    run: Annotated[str, Meta(description="Path of the run directory.")]
    waves: Annotated[tuple[WaveEfficiency, ...], Meta(description="The waves that have begun.")]
    asked: Annotated[dict[str, Any], Meta(description="`resources` of the study: MiB, seconds.")]
    next: Annotated[
        dict[str, Any] | None, Meta(description="`resources` that would have been enough; null: not known.")
    ]


def efficiency(where: Path, name: str | None) -> Efficiency:
    """Return what a run requested and used; raise RunError where no task has ended yet."""
    run = find_run(where, name)
    store = open_store(run)
    note = fetch_or_note(store, store.fetch_all)
    if not note:
        _keep_accounting(store)
    waves = tuple(
        wave_use(wave, map(read_journal, paths), _given(run, wave, frozen_study(run)), _jobs(run, wave))
        for wave in run.waves()
        if (paths := run.journals(wave))
    )
    if not any(wave.used.attempts for wave in waves):
        raise RunError(
            f"no task of {run.path} has ended yet, so its needs are not known",
            f"packhorse status {run.argument}",
        )
    asked = frozen_study(run).resources
    return Efficiency(run=str(run.path), waves=waves, asked=asked, next=fitting_request(waves, asked))


def _keep_accounting(store: RunStore) -> None:
    """Ask the scheduler what it counted for the jobs of a run on a site."""
    cluster = Submissions(store.run).cluster()
    if cluster is not None:
        # Start-up: a run on this machine needs no code about sites.
        from packhorse.cluster.queue import Queue
        from packhorse.cluster.wave_history import keep_accounting

        with store.open():
            keep_accounting(store.run, Queue(cluster.site, store.transport))


def _jobs(run: RunDirectory, wave: int) -> list[JobMemory]:
    """Return what the scheduler counted for the jobs of a wave, for each task that ran at a time."""
    submissions = Submissions(run)
    submission = submissions.of(wave)
    if submission is None:
        return []
    slots = submission.slots
    return [
        JobMemory(
            used=None if job.memory is None else -(-job.memory // slots),
            limit=None if submission.memory is None else submission.memory // slots,
            killed=job.how == "memory",
        )
        for job in submissions.accounting(wave)
    ]


def _given(run: RunDirectory, wave: int, study: Study) -> WaveRequest:
    """Return what a wave requested: for a task by its work file, for a job by its submission."""
    work, submission = run.work(wave), Submissions(run).of(wave)
    return WaveRequest(
        cpus=work["cpus"],
        memory=work["memory"],
        time=work["time_limit"] or study.resources.time,
        cores=submission.cores if submission else None,
        seconds=submission.seconds if submission else None,
    )
