"""What is said when a run on a site stops before it is done, and what to type then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from packhorse.cluster.next_step import JobCause, job_cause, next_step, retry_hint, why_stopped
from packhorse.cluster.wave_history import WaveHistory
from packhorse.model.site import Site
from packhorse.model.submission import ClusterRun, StopRecord, Submission
from packhorse.rundir.directory import RunDirectory
from packhorse.rundir.submissions import Submissions


def a_run(folder: Path, **chosen: str) -> RunDirectory:
    """Return a run of study.yaml that was on the site ant."""
    run = RunDirectory.create(folder / "runs" / "s", "s", str(folder / "study.yaml"))
    Submissions(run).save_cluster(ClusterRun(site=Site(name="ant"), user="ada", chosen={**chosen}))
    return run


@pytest.mark.parametrize(
    ("why", "text", "said", "typed"),
    [
        ("idle", "2 waves", "the last waves had no new result: 2 waves", "correct the cause, then packhorse run study.yaml --site ant"),
        ("cap", "9.5 core-hours are used", "a limit that was set", "--site ant --max-core-hours MORE"),
        ("cap", "100 waves were allowed", "a limit", "packhorse run study.yaml --site ant continues"),
        ("refused", "no such partition", "no further job: no such", "packhorse plan study.yaml --site ant shows"),
        ("cancelled", "", "cancelled", "packhorse run study.yaml --site ant runs what is missing"),
        ("failing", "no numpy", "the first tasks, spread over the parameter space, all failed: no numpy", "--fresh"),
    ],
)  # fmt: skip
def test_each_end_has_its_sentence_and_its_command(
    tmp_path: Path, why: str, text: str, said: str, typed: str
) -> None:
    stopped = StopRecord(why=why, text=text)  # type: ignore[arg-type]
    assert said in why_stopped(stopped.why, stopped.text)
    assert typed in next_step(a_run(tmp_path), why, {"OK": 1}, text)


def test_a_run_that_is_done_has_nothing_to_say(tmp_path: Path) -> None:
    assert why_stopped("done", "20 of 20 tasks ended well") == ""
    assert next_step(a_run(tmp_path), "done", {"OK": 20}) == ""


def test_failed_tasks_are_offered_more_of_what_they_lacked(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    assert retry_hint(run, {"OK": 9, "FAILED": 1}) == "packhorse retry s runs them again"
    assert (
        retry_hint(run, {"MEMORY": 1, "TIMEOUT": 2})
        == "packhorse retry s --memory 2x --time 2x runs them again"
    )
    assert retry_hint(run, {"OK": 9, "MISSING": 1}) == ""


def test_the_site_is_called_as_the_user_called_it(tmp_path: Path) -> None:
    assert "--site ./my.yaml runs" in next_step(a_run(tmp_path, site="./my.yaml"), "lost", {})


MEMORY_WORDS = ("exceeded job memory limit",)


def a_wave(run: RunDirectory, number: int, **said: Any) -> WaveHistory:
    """Return a wave of two jobs, each of which ran two tasks at a time, and none of which had a result."""
    usual = {"tasks": 9, "jobs": 2, "at_a_time": 4, "job": f"8{number}", "rung": "base", "memory": 264}
    usual |= {"seconds": 600, "left_out": (), "workers": 2, "broken": 2, "counts": {"MISSING": 9}, **said}
    run.claim_wave()
    submission = Submission(wave=number, site="ant", token="t", elements=2, slots=2, cores=2, memory=264)
    Submissions(run).keep(submission)
    return WaveHistory(wave=number, **usual)


def test_a_known_cause_of_empty_waves_has_its_amount_and_its_key(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    waves = [a_wave(run, 1, ended={"out of memory": 2}), a_wave(run, 2, ended={"out of memory": 2})]
    cause = job_cause(run, waves, MEMORY_WORDS)
    said = why_stopped("idle", "2 waves in a row had no new result; 9 tasks are left", cause)
    assert said == (
        "stopped: the last waves had no new result: their jobs were killed for memory: each had 264 MB"
        " for 2 tasks at a time"
    )
    assert next_step(run, "idle", {}, "", cause).splitlines() == [
        "ask for more for each task in the study:",
        "  resources:",
        "    memory: 272 MB",
        "then: packhorse run study.yaml --site ant",
    ]


def test_a_cause_is_found_where_the_accounting_is_silent_and_never_made_up(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    wave = a_wave(run, 1, workers=0)
    assert job_cause(run, [wave], MEMORY_WORDS) == JobCause()
    (run.path / "logs").mkdir(exist_ok=True)
    (run.path / "logs" / "job-1-0.out").write_text("slurmstepd: error: Exceeded job memory limit\n")
    assert "killed for memory" in job_cause(run, [wave], MEMORY_WORDS).text
    (run.path / "logs" / "job-1-0.out").write_text("cannot load module R\n")
    assert job_cause(run, [wave], MEMORY_WORDS).text.endswith("output of one job: cannot load module R")
    late = replace(wave, ended={"reached the time limit": 2})
    assert "job_time: 20 min" in job_cause(run, [late], MEMORY_WORDS).remedy
    good = replace(wave, counts={"OK": 1}, ended={"out of memory": 1})
    assert job_cause(run, [good], MEMORY_WORDS) == JobCause()
