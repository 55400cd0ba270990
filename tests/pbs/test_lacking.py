"""Servers that remember nothing, and a job that outlives its pbs_mom: rows of the table in docs/explanation/on-a-cluster.md."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest

from pbs.conftest import Site
from pbs.test_runs import check, run, study


@pytest.fixture
def forgetful(site: Site) -> Site:
    """Return TORQUE with keep_completed=0, and OpenPBS without history."""
    (site.folder / "forgets").touch()
    return site


def records(site: Site) -> list[int]:
    """Return the indices of all records in all journals."""
    paths = sorted((site.project.directory / "journal").glob("*.ndjson"))
    rows = (line for path in paths for line in path.read_text().splitlines() if '"index":' in line)
    return [json.loads(row[17:] if row[:1] != "{" else row)["index"] for row in rows]


def test_without_a_memory_a_killed_worker_is_followed_to_the_whole_table(forgetful: Site) -> None:
    site = forgetful
    study(site, tasks=60, seconds=0.1)
    run(site, "--detach")
    journals = site.project.directory / "journal"
    site.until(lambda: any(b'"index":' in path.read_bytes() for path in journals.glob("1-1-*.ndjson")))
    os.killpg(site.running()[1]["shell"], signal.SIGKILL)
    site.until((site.project.directory / "stopped.json").exists, 90)
    assert json.loads((site.project.directory / "stopped.json").read_text())["why"] == "done"
    assert site.tokens() == ["1", "1-next", "2", "2-next"]
    assert "s: done, 60 of 60 tasks done" in site.project.command("status", "s")
    run(site)
    check(site, 60)


def test_without_a_memory_a_lost_reply_is_found_while_the_job_waits_or_runs(forgetful: Site) -> None:
    study(forgetful, tasks=40, seconds=0.2)
    forgetful.mood({"takes": True, "stdout": "", "stderr": "qsub: End of File\n", "status": 11})
    assert "submission not confirmed (" in run(forgetful)
    check(forgetful, 40)
    assert forgetful.tokens()[:2] == ["1", "1-next"], "it was not sent again"


def test_without_a_memory_a_wave_that_is_deleted_by_hand_is_followed_by_another(forgetful: Site) -> None:
    """What was promised: only `packhorse cancel` is known there."""
    site = forgetful
    study(site, tasks=400, seconds=0.05)
    run(site, "--detach")
    site.until(lambda: len(site.running()) == 2)
    job = json.loads((site.project.directory / "waves/1/submission.json").read_text())["job"]
    subprocess.run(["qdel", job], check=True)
    site.until(lambda: "2" in site.tokens())
    assert "cancelled" in site.project.command("cancel", "s")
    site.until(lambda: not site.running())
    assert "s: cancelled" in site.project.command("status", "s")


@pytest.mark.parametrize("site", ["torque"], indirect=True)
def test_a_job_that_outlives_its_mom_does_its_tasks_and_none_twice(site: Site) -> None:
    study(site, tasks=40, seconds=0.2)
    run(site, "--detach")
    site.until(lambda: len(site.running()) == 2)
    job = json.loads((site.project.directory / "waves/1/submission.json").read_text())["job"]
    site.dead(0, job.replace("[]", "[1]"))  # its worker is alive; the server will not hear of its end
    said = run(site)
    assert "40 of 40 tasks done" in said
    check(site, 40)
    assert sorted(records(site)) == list(range(40)), "each once"
    assert site.tokens() == ["1", "1-next"]
    assert "s: done, 40 of 40 tasks done" in site.project.command("status", "s")
