"""Waves that were queued beforehand, where jobs may not submit jobs: their first element plans what the last one left."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from continuation.desk import Desk, ended
from packhorse.rundata.outcomes import latest_outcomes
from packhorse.worker.waves import next_wave
from packhorse.worker.waves.preplanned import QueuedWave, plan_queued_wave

Make = Callable[..., Desk]
STUDY: dict[str, Any] = {"command": "echo {n}", "parameters": {"n": {"range": [50]}}}
WITHOUT_LIMIT = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


def element(desk: Desk, number: int, **process: Any) -> subprocess.Popen[str]:
    """Start an element of an array that was queued behind the first wave."""
    return desk.start(2, number, "--follows", 1, owner="8", **process)


def check(desk: Desk) -> None:
    """All that the first wave left, which is everything, was planned once and done."""
    assert latest_outcomes(desk.run).fold.counts["OK"] == 50
    assert [plan.wave for plan in desk.run.plans()] == [1, 2]
    submission = desk.kept.of(2)
    assert submission is not None
    assert (submission.job, submission.elements) == ("8", 2)


def test_one_element_plans_for_all(desk: Make) -> None:
    one = desk(STUDY)
    one.first_wave()
    for process in [element(one, number) for number in range(2)]:
        ended(process)
    check(one)
    assert not plan_queued_wave(str(one.path), 2, "9", 2), "the wave behind it has nothing to do"
    assert one.stopped()["why"] == "done"


def test_a_disk_that_refuses_is_waited_for(desk: Make) -> None:
    """The disk refuses what the first element writes: no file of its may have a byte."""
    one = desk(STUDY)
    one.first_wave()
    first = element(
        one, 0, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    )
    assert first.stdout is not None
    assert "cannot use the run directory now" in first.stdout.readline()
    second = element(one, 1)  # the first has made the wave's folder, so this one waits for it
    resource.prlimit(first.pid, resource.RLIMIT_FSIZE, WITHOUT_LIMIT)
    for process in (first, second):
        ended(process)
    check(one)
    assert not one.stopped()


def test_a_disk_that_refuses_to_the_end_leaves_it_to_the_next_wave(
    desk: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("No space left on device")

    one = desk(STUDY)
    one.first_wave()
    with monkeypatch.context() as patch:
        patch.setattr(next_wave, "write_json", full)
        assert not QueuedWave(str(one.path), 1, 2, seconds=1.0).plan("8", 2)
    assert not (one.path / "waves/2").exists()
    assert not one.stopped()
    assert plan_queued_wave(str(one.path), 2, "9", 2)
    assert one.run.plan(3).tasks == 50
