"""Why a job waits, in words that a person reads."""

from __future__ import annotations

import pytest

from packhorse.runtime.dialogue import run_dialogue
from packhorse.schedulers import scheduler
from packhorse.schedulers.scheduler import NoReply
from schedulers.captured import Case, named, told
from schedulers.reason_codes import CODES, LIMITS

SLURM = scheduler("slurm")
plain = SLURM.explain_reason
CAPTURED = sorted(
    {
        line.split("|")[4]
        for case in named(r"^squeue_.*")
        if "%F|%K|%i|%T|%r" in case.command
        for line in case.answer.stdout.splitlines()
        if line.count("|") >= 10
    }
)


@pytest.mark.parametrize("code", CODES)
def test_every_documented_code_has_plain_words(code: str) -> None:
    words = plain(code)
    assert words != code
    assert " " in words
    assert not words.endswith(".")


def test_no_code_is_listed_twice() -> None:
    assert len(set(CODES)) == len(CODES)


@pytest.mark.parametrize("reason", CAPTURED)
def test_every_captured_reason_has_plain_words(reason: str) -> None:
    assert plain(reason) != reason


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("Priority", "other jobs are before it"),
        ("AssocMaxJobsLimit", "as many of your jobs run as your account allows"),
        ("QOSMaxSubmitJobPerUserLimit", "as many of your jobs wait and run as the QOS allows"),
        ("QOSMaxCpuPerUserLimit", "the QOS gives you no more cores until running jobs end"),
        ("AssocGrpMemLimit", "your account gives no more memory until running jobs end"),
        ("AssocGrpCPUMinutesLimit", "your account has used up its cores × time"),
        ("QOSMaxWallDurationPerJobLimit", "it asks for more time than the QOS allows a job, so it will never start"),
        ("AssocMaxMemPerNode", "it asks for more memory on a node than your account allows a job, so it will never start"),
        ("MaxGRESPerAccount", "the QOS gives your account no more GPUs or the like until running jobs end"),
        ("QOSMinGRES", "it asks for less than the GPUs or the like that the QOS demands, so it will never start"),
        ("MaxJobsPerAccount", "as many jobs run as the QOS allows all its users together"),
        ("ReqNodeNotAvail, UnavailableNodes:d2", "nodes it needs are down or reserved, perhaps for maintenance: d2"),
        ("ReqNodeNotAvail, UnavailableNodes:", "nodes it needs are down or reserved, perhaps for maintenance"),
        ("ReqNodeNotAvail, May be reserved for other job", "nodes it needs are down or reserved, perhaps for maintenance"),
        ("ReqNodeNotAvail(Unavailable:d2)", "ReqNodeNotAvail(Unavailable:d2)"),
        ("JobArrayTaskLimit,Priority", "as many elements of its array run as may run at a time; other jobs are before it"),
        ("launch failed requeued held", "it could not be started and is held"),
        ("RaisedSignal:53(Real-time_signal_19)", plain("JobLaunchFailure")),
        ("RaisedSignal:9(Killed)", "it was ended by a signal (RaisedSignal:9(Killed))"),
        ("", "Slurm has not considered it yet"),
    ],
)  # fmt: skip
def test_what_is_said(reason: str, words: str) -> None:
    assert plain(reason) == words


@pytest.mark.parametrize(
    "reason", ["MoonPhase", "QOSMaxMoonPerUser", "a, b", "site said: ask Ann, or Bob", "Priority2"]
)
def test_what_is_not_known_is_passed_through(reason: str) -> None:
    assert plain(reason) == reason


def test_whose_limit_it_is_is_said() -> None:
    for code in LIMITS:
        assert ("your account" in plain(code)) == (
            code.startswith("Assoc") or (code.endswith("PerAccount") and "Jobs" not in code)
        )
        assert ("the QOS" in plain(code)) != code.startswith("Assoc")


@pytest.mark.parametrize(
    ("reason", "does"),
    [
        ("JobHeldUser", "scontrol release JOB"),
        ("launch failed requeued held", "scontrol release JOB"),
        ("JobHeldAdmin", "staff"),
        ("BadConstraints", "packhorse cancel RUN"),
        ("PartitionTimeLimit", "packhorse cancel RUN"),
        ("Priority,JobHeldUser", "scontrol release JOB"),
        ("AssocMaxWallDurationPerJobLimit", "packhorse cancel RUN"),
        ("QOSMinGRES", "packhorse cancel RUN"),
    ],
)
def test_a_wait_that_never_ends_by_itself_is_known(reason: str, does: str) -> None:
    assert does in scheduler("slurm").remedy(reason)


@pytest.mark.parametrize(
    "reason",
    [
        "",
        "Priority",
        "Resources",
        "Dependency",
        "QOSMaxCpuPerUserLimit",
        "AssocGrpCpuLimit",
        "BeginTime",
        "MoonPhase",
    ],
)
def test_a_wait_that_may_end_needs_nobody(reason: str) -> None:
    assert scheduler("slurm").remedy(reason) == ""


def test_who_says_that_it_never_starts_also_says_what_to_do() -> None:
    for code in CODES:
        assert bool(scheduler("slurm").remedy(code)) >= plain(code).endswith("never start")


@pytest.mark.parametrize(
    "case", named(r"^squeue_(held|adminheld|requeuehold|dep|depnever|priority|begin|bob_limit)$"), ids=told
)
def test_held_and_dependent_jobs_are_told_from_those_that_wait_their_turn(case: Case) -> None:
    jobs = run_dialogue(SLURM.jobs("alice"), lambda _: case.answer)
    assert not isinstance(jobs, NoReply)
    expected = {"held": "held", "adminheld": "held", "requeuehold": "held", "dep": "dependent", "depnever": "dependent"}  # fmt: skip
    kind = expected.get(case.name.removeprefix("squeue_"), "waiting")
    assert {SLURM.wait_kind(job.reason) for job in jobs if job.state == "QUEUED"} == {kind}
