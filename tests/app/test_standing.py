"""How a run stands, in words, by what real Slurms said of jobs in every state."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from packhorse.cluster.job_state import job_state, job_state_line
from packhorse.cluster.queue import Queue, QueueReply
from packhorse.model.job import Job
from packhorse.model.site import Site
from packhorse.model.submission import token_of
from packhorse.rundir.directory import RunDirectory
from packhorse.schedulers.slurm import queue as squeue
from schedulers.captured import named

CAPTURED = {
    (job.state, job.reason): job
    for case in named(r"^squeue_.*")
    if "%F|%K|%i|%T|%r" in case.command
    for job in squeue.rows(case.answer.stdout)
}
# Reasons of captured jobs that never pass, and what is said to type.
NEED = {
    "JobHeldUser": "scontrol release NUMBER",
    "job requeued in held state": "scontrol release NUMBER",
    "JobHeldAdmin": "packhorse cancel s",
    "DependencyNeverSatisfied": "packhorse cancel s",
}


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Queue:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Queue(Site(name="ant"))


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory.create(tmp_path / "runs" / "s", "s")


def jobs_of(run: RunDirectory, *jobs: Job, following: bool = False) -> QueueReply:
    """Return an answer of the scheduler in which these are jobs of wave 1."""
    token = token_of(run.about().id, 1, following=following)
    return QueueReply(1.0, tuple(replace(job, token=token) for job in jobs))


@pytest.mark.parametrize("job", CAPTURED.values(), ids=lambda job: f"{job.state} {job.reason}")
def test_every_captured_job_is_told(run: RunDirectory, queue: Queue, job: Job) -> None:
    found = job_state(run, queue, jobs_of(run, job))
    said = job_state_line(found)
    if job.state == "QUEUED":
        assert found.state == "waiting"
        assert f" waiting ({queue.dialect.explain_reason(job.reason)})" in said
        needed = NEED.get(job.reason, "").replace("NUMBER", job.job)
        assert needed in found.needs
        assert bool(found.needs) == bool(needed) == ("action required" in said)
    else:
        assert (found.state, found.needs) == ("running" if job.state == "RUNNING" else "gone", "")


def test_a_reason_that_never_passes_is_told_first(run: RunDirectory, queue: Queue) -> None:
    pair = (CAPTURED["QUEUED", "Resources"], CAPTURED["QUEUED", "JobHeldUser"])
    found = job_state(run, queue, jobs_of(run, *pair))
    assert found.reason.startswith("it is held; it is next")
    assert "scontrol release" in job_state_line(found)


def test_the_job_that_follows_is_told_when_nothing_else_is_there(run: RunDirectory, queue: Queue) -> None:
    held = jobs_of(run, CAPTURED["QUEUED", "JobHeldUser"], following=True)
    found = job_state(run, queue, held)
    assert found.state == "following"
    assert "its continuation is waiting (it is held); action required: " in job_state_line(found)


def test_a_silent_scheduler_is_no_empty_queue(run: RunDirectory, queue: Queue) -> None:
    found = job_state(run, queue, QueueReply(1.0, silent="the Slurm controller cannot be reached"))
    assert (found.state, found.alive) == ("unknown", False)
    assert "the jobs continue" in job_state_line(found)
