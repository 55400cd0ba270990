"""Jobs as rows for a person, from what real Slurms said of them."""

from __future__ import annotations

import pytest

from packhorse.cluster.job_table import ALIVE, JobRow, RunNames, describe_job, describe_state, job_rows
from packhorse.model.job import Ended, Job
from packhorse.runtime.dialogue import run_dialogue
from packhorse.schedulers import scheduler
from packhorse.schedulers.scheduler import NoReply
from schedulers.captured import VERSIONS, cases

SLURM = scheduler("slurm")
NOBODY = RunNames()


def captured(version: str) -> list[JobRow]:
    jobs = run_dialogue(SLURM.jobs("alice"), lambda _: cases(version)["squeue_all_pinned_noarray"].answer)
    assert not isinstance(jobs, NoReply)
    found = job_rows(SLURM, "testbed", jobs, [], NOBODY)
    assert {row.job for row in found} == {job.job for job in jobs if job.state != "GONE"}
    for row in found:
        ours = [job for job in jobs if job.job == row.job]
        assert sum(row.counts.values()) in (0, sum(job.elements for job in ours))
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_a_queue_has_a_row_for_each_job_and_array_what_runs_first(version: str) -> None:
    found = captured(version)
    assert len({row.job for row in found}) == len(found)
    running = [row.state == "running" for row in found]
    assert running == sorted(running, reverse=True)
    by_name = {row.name: row for row in found}
    assert by_name["held"].state == "held"
    assert by_name["dep"].state == "dependent"
    assert "scontrol release" in describe_job(by_name["held"])
    assert f"packhorse cancel testbed:{by_name['depnever'].job}" in describe_job(by_name["depnever"])
    assert "left" in describe_job(by_name["run"])
    assert "2 running" in describe_state(by_name["throttle"])
    for row in found:
        assert row.alive
        assert "RUN" not in describe_job(row)
        assert "JOB" not in describe_job(row)


def test_an_array_counts_its_elements_also_those_that_ended() -> None:
    jobs = [
        Job(job="7", state="RUNNING", word="RUNNING", element=2, elapsed=60, limit=600, node="n1"),
        Job(job="7", state="RUNNING", word="RUNNING", element=3, elapsed=90, limit=600, node="n2"),
        Job(job="7", state="QUEUED", word="PENDING", elements=6, reason="JobArrayTaskLimit", limit=600),
    ]
    ended = [Ended(job="7", element=0, how="done"), Ended(job="7", element=1, how="memory")]
    (row,) = job_rows(SLURM, "s", jobs, ended, RunNames(by_job={"7": "fits"}))
    assert row.counts == {"running": 2, "waiting": 6, "done": 1, "out of memory": 1}
    assert (row.left, row.nodes, row.run) == (540, ("n1", "n2"), "fits")
    assert describe_job(row).startswith("on n1, n2 for 1 min 30 s of 10 min; 9 min left; as many elements")


def test_a_job_that_ended_says_what_it_used_of_what_it_asked_for() -> None:
    said = Ended(
        job="9", how="failed", exit=3, cores=4, nodes=2, elapsed=100, cpu=200.0, memory=300, name="fit"
    )
    said = Ended(
        **{name: getattr(said, name) for name in said.__struct_fields__}
        | {"asked_memory": 4096, "limit": 3600, "end": "2026-11-21T23:19:30"}
    )
    (row,) = job_rows(SLURM, "s", [], [said], NOBODY)
    assert (
        describe_job(row)
        == "exit status 3; took 1 min 40 s of 1 h; used 50% of 4 cores and 300 MB of 2 GB; ended 2026-11-21 23:19:30"
    )


@pytest.mark.parametrize(
    ("ended", "state", "words"),
    [
        (Ended(job="1", how="cancelled", by="0", word="CANCELLED"), "cancelled", "by an administrator"),
        (Ended(job="1", how="cancelled", by="1001", word="CANCELLED"), "cancelled", ""),
        (Ended(job="1", how="failed", signal=11), "failed", "killed by signal 11"),
        (Ended(job="1", how="timeout", elapsed=3600, limit=3600), "timed out", "took 1 h of 1 h"),
        (Ended(job="1", how="node", node="n1"), "node failed", ""),
        (Ended(job="1", how="unknown", word="WARP"), "ended (WARP)", ""),
        (Ended(job="1", how="done", elapsed=0, cores=1, cpu=0.0), "done", "took 0 s"),
    ],
)
def test_endings_in_plain_words(ended: Ended, state: str, words: str) -> None:
    (row,) = job_rows(SLURM, "s", [], [ended], NOBODY)
    assert (describe_state(row), describe_job(row)) == (state, words)
    assert row.state not in ALIVE


def test_an_ended_array_tells_what_went_wrong_first() -> None:
    ended = [
        Ended(job="5", element=one, how="failed" if one == 3 else "done", exit=one == 3) for one in range(9)
    ]
    (row,) = job_rows(SLURM, "s", [], ended, NOBODY)
    assert describe_state(row) == "1 failed, 8 done"
    assert row.exit is None


def test_a_job_is_named_by_the_run_of_its_token() -> None:
    names = RunNames(by_id={"0a1b": "means"}, by_job={"8": "fits"})
    jobs = [
        Job(job="7", state="QUEUED", token="packhorse-0a1b-2-next"),
        Job(job="8", state="QUEUED"),
        Job(job="9", state="QUEUED", token="packhorse-0a1bc-1"),
    ]
    assert [row.run for row in job_rows(SLURM, "s", jobs, [], names)] == ["means", "fits", ""]


def test_states_that_nobody_knows_are_told_as_they_are() -> None:
    (row,) = job_rows(SLURM, "s", [Job(job="7", state="UNKNOWN", word="REVOKED")], [], NOBODY)
    assert describe_state(row) == "unknown (REVOKED)"
    (ending,) = job_rows(SLURM, "s", [Job(job="7", state="RUNNING", word="COMPLETING")], [], NOBODY)
    assert describe_state(ending) == "running (completing)"


def test_a_continuation_that_packhorse_dismissed_is_not_listed() -> None:
    ended = [
        Ended(job="7", how="done", name="means"),
        Ended(job="8", how="cancelled", name="means-next"),
        Ended(job="9", how="cancelled", name="mine-next"),
    ]
    names = RunNames(by_job={"7": "means", "8": "means"})
    assert {row.job for row in job_rows(SLURM, "s", [], ended, names)} == {"7", "9"}


def test_of_a_part_that_runs_and_has_ended_by_two_replies_the_end_counts() -> None:
    """OpenPBS soon after a cancel: the list of jobs is older than the history."""
    jobs = [Job(job="7[].s", state="RUNNING", word="R", element=number) for number in range(2)]
    ended = [Ended(job="7[].s", element=number, how="cancelled") for number in range(2)]
    (row,) = job_rows(scheduler("openpbs"), "s", jobs, ended, NOBODY)
    assert (row.state, row.counts, row.alive) == ("cancelled", {"cancelled": 2}, False)
    (row,) = job_rows(scheduler("openpbs"), "s", jobs, ended[:1], NOBODY)
    assert row.counts == {"running": 1, "cancelled": 1}
