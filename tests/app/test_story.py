"""What a run's waves brought, told: why there was another, and how jobs ended where the accounting answers."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from packhorse.cluster.queue import Queue
from packhorse.cluster.wave_history import WaveHistory, failed_job_output, wave_lines, with_job_ends
from packhorse.model.command import Answer, Command
from packhorse.model.job import Ended
from packhorse.model.site import Site
from packhorse.remote.transport import LocalTransport
from packhorse.rundir.directory import RunDirectory


def wave(number: int, **said: Any) -> WaveHistory:
    """Return a wave of 100 tasks in two jobs that ended well."""
    usual = {
        "wave": number, "tasks": 100, "jobs": 2, "at_a_time": 16, "job": f"8{number}", "rung": "base", "memory": 864,
        "seconds": 600, "left_out": (), "workers": 2, "broken": 0, "counts": {"OK": 100},
    }  # fmt: skip
    return WaveHistory(**{**usual, **said})


class Accounting:
    """A queue of the user ada with these ends of jobs in its accounting; it records the queries."""

    user = "ada"

    def __init__(self, *endings: Ended) -> None:
        self.endings = list(endings)
        self.asked: list[list[str]] = []

    def ended(self, _run_id: str, jobs: list[str]) -> list[Ended]:
        self.asked.append(jobs)
        return self.endings


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory.create(tmp_path / "runs" / "s", "s")


def test_each_wave_says_why_it_was_needed() -> None:
    rows = wave_lines(
        [
            wave(1, counts={"OK": 90, "MEMORY": 3, "UNFINISHED": 2, "MISSING": 5}),
            wave(2, tasks=3, jobs=1, rung="memory", memory=1664, counts={"OK": 3}),
            wave(3, tasks=7, jobs=1, rung="long", seconds=86400, left_out=("n3",), counts={"OK": 7}),
        ]
    )
    assert rows == [
        "wave 1: 100 tasks in 2 jobs (job 81): 90 done, 3 out of memory, 2 unfinished when their job ended,"
        " 5 not started or lost",
        "wave 2: 3 tasks in 1 job (job 82), 1664 MB for each job, since 3 tasks ran out of memory: 3 done",
        "wave 3: 7 tasks in 1 job (job 83), 1 d for each job, since some tasks need longer jobs, without n3,"
        " where every task failed: 7 done",
    ]


def test_old_waves_are_summed_up() -> None:
    rows = wave_lines([wave(number, left_out=("n3",)) for number in range(1, 13)])
    assert rows[0] == "9 earlier waves: 900 tasks done"
    assert [row.partition(":")[0] for row in rows[1:]] == ["wave 10", "wave 11", "wave 12"]
    assert "n3" not in "".join(rows)  # it was left out long before


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        (Ended(job="81", how="node"), "1 lost by a node failure"),
        (Ended(job="81", how="memory"), "1 out of memory"),
        (Ended(job="81", how="timeout"), "1 reached the time limit"),
        (Ended(job="81", how="preempted"), "1 preempted"),
        (Ended(job="81", how="requeued"), "1 requeued"),
        (Ended(job="81", how="cancelled", by="ada"), "1 cancelled by you"),
        (Ended(job="81", how="cancelled", by="bob"), "1 cancelled by bob"),
        (Ended(job="81", how="cancelled", by="0"), "1 cancelled by an administrator, or Slurm itself"),
        (Ended(job="81", how="cancelled"), "1 cancelled"),
        (Ended(job="81", how="cancelled", by="4294967294"), "1 cancelled by user 4294967294"),
        (Ended(job="81", how="unknown", word="MOONSTRUCK"), "1 ended in an unknown way"),
    ],
)
def test_how_jobs_ended_is_told(run: RunDirectory, ended: Ended, said: str) -> None:
    accounting = Accounting(ended, Ended(job="81", how="done"), Ended(job="99", how="node"))
    (row,) = wave_lines(with_job_ends([wave(1, broken=1)], run, accounting, 0))  # type: ignore[arg-type]
    assert f"; jobs: {said}" in row
    assert row.count(" 1 ") == 1  # neither what ended well nor another run's job


class OtherUsers(LocalTransport):
    """A site on which the user ada has the id 5150, and on which the user's id here, 1000, is bob."""

    user = "ada"

    def run_command(self, command: Command) -> Answer:
        """Reply as sacct and getent do."""
        if command.argv[0] == "getent":
            assert command.argv == ("getent", "passwd", "1000", "5150", "77")
            users = "bob:x:1000:100:Bob:/home/bob:/bin/sh\nada:x:5150:100::/home/ada:/bin/sh\n"
            return Answer(status=2, stdout=users, stderr="")  # getent(1): one or more keys were not found
        raise AssertionError(command)


def test_who_cancelled_a_job_is_a_user_of_the_site(
    run: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    site = Site(name="ant")
    queue = Queue(site, OtherUsers(site))
    ends = [
        Ended(job="81", element=element, how="cancelled", by=by)
        for element, by in enumerate(["1000", "5150", "0", "77", ""])
    ]

    class Dialect:
        def ended(self, jobs: list[str]) -> Generator[Command, Answer, list[Ended]]:
            assert jobs == ["81"]
            return ends
            yield

    monkeypatch.setattr(queue, "dialect", Dialect())
    for _ in range(2):  # the second time from the cached reply
        (line,) = wave_lines(with_job_ends([wave(1, broken=1)], run, queue, 0))
        assert line.partition("; jobs: ")[2].split(", 1 ") == [
            "1 cancelled by bob",
            "cancelled by you",
            "cancelled by an administrator, or Slurm itself",
            "cancelled by user 77",
            "cancelled",
        ]


def test_the_accounting_is_asked_only_for_waves_that_ended_badly(run: RunDirectory) -> None:
    accounting = Accounting()
    waves = [wave(1), wave(2, broken=1), wave(3, workers=0), wave(4, broken=2)]
    with_job_ends(waves, run, accounting, 4)  # type: ignore[arg-type]
    assert accounting.asked == [["82", "83"]]  # the fourth still runs
    with_job_ends([wave(1), wave(2)], run, accounting, 0)  # type: ignore[arg-type]
    assert len(accounting.asked) == 1
    with_job_ends([wave(1), wave(2, broken=2, stopped=1)], run, accounting, 2)  # type: ignore[arg-type]
    assert accounting.asked[1:] == [["82"]]  # it runs, and one of its workers was told to end


def test_what_a_job_said_is_told_only_where_none_began(run: RunDirectory) -> None:
    log = run.path / "logs" / "job-2-0.out"
    log.parent.mkdir(exist_ok=True)
    log.write_text("noise\nmodule: command not found\npackhorse: the job ended\n")
    assert failed_job_output(run, [wave(1), wave(2, workers=0)]).endswith(
        "module: command not found / packhorse: the job ended"
    )
    assert failed_job_output(run, [wave(1), wave(2)]) == ""
    assert failed_job_output(run, []) == ""
