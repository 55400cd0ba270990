"""What is said when a run on a site stops before it is done, and what to type then."""

from __future__ import annotations

from pathlib import Path

import pytest

from packhorse.cluster.next_step import next_step, retry_hint, why_stopped
from packhorse.model.site import Site
from packhorse.model.submission import ClusterRun, StopRecord
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
