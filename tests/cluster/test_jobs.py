"""Jobs that a user submitted by hand, as `packhorse jobs` tells of them; and the queues of the site."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from cluster.study import Project
from cluster.testbed import Cluster

SLEEP = "#!/bin/bash\nsleep 600\n"
EAT = """#!/bin/bash
python3 -c "
import time
block = bytearray(400 << 20)
block[::4096] = b'x' * len(block[::4096])
time.sleep(60)
"
"""


class Hand:
    """A user who submits jobs by hand, in a folder of theirs."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.user = cluster, cluster.users[0] if cluster.users else "me"
        self.folder = cluster.workspace(self.user)
        self.write("sleep.sh", SLEEP)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        if not self.cluster.one_user:
            for one in (path, *(up for up in path.parents if up.is_relative_to(self.folder))):
                shutil.chown(one, self.user, self.user)
        return path

    def run(self, *argv: str, status: int = 0, host: str = "") -> str:
        """Type a command; return what it prints."""
        done = self.cluster.run(self.user, list(argv), cwd=self.folder, host=host)
        assert done.returncode == status, (argv, done.stdout, done.stderr)
        return done.stdout + (done.stderr if status else "")

    def sbatch(self, *words: str) -> str:
        """Submit a job; return its number."""
        return self.run("sbatch", "--parsable", *words).strip()

    def jobs(self, *words: str) -> dict[str, dict[str, Any]]:
        """Return the rows of `packhorse jobs` by the jobs' numbers."""
        said = json.loads(self.run("packhorse", "jobs", "testbed", "--json", *words))
        (site,) = said["sites"]
        assert not site.get("silent"), site
        return {row["job"]: row for row in site.get("rows", [])}

    def until(self, expected: dict[str, str], *words: str, seconds: float = 90) -> dict[str, dict[str, Any]]:
        """Wait until jobs are in the states that are expected; return all rows."""

        def states() -> dict[str, str]:
            rows = self.jobs(*words)
            return {job: rows[job]["state"] for job in expected if job in rows}

        try:
            self.cluster.until("jobs are in their states", lambda: states() == expected, seconds)
        except pytest.fail.Exception:
            pytest.fail(f"{states()} is not {expected}")
        return self.jobs(*words)

    def line(self, job: str, *words: str) -> str:
        """Return the line that tells a person of a job."""
        shown = self.run("packhorse", "jobs", "testbed", *words)
        return next(line for line in shown.splitlines() if line.split()[:1] == [job])


@pytest.fixture
def hand(cluster: Cluster) -> Hand:
    return Hand(cluster)


def test_a_job_of_ones_own_is_seen_in_every_state_it_can_be_in(hand: Hand, cluster: Cluster) -> None:
    runs, held = hand.sbatch("--time=20", "sleep.sh"), hand.sbatch("--hold", "sleep.sh")
    waits = hand.sbatch("--begin=now+1hour", "--job-name=at night", "sleep.sh")
    depends = hand.sbatch(f"--dependency=afterok:{runs}", "sleep.sh")
    lost = hand.sbatch("--dependency=afterok:" + hand.sbatch("--wrap=exit 3"), "sleep.sh")
    living = {runs: "running", held: "held", waits: "waiting", depends: "dependent", lost: "dependent"}
    hand.until(living)
    assert " of 20 min; " in hand.line(runs)
    assert "left" in hand.line(runs)
    assert f"it is held; action required: scontrol release {held} releases it" in hand.line(held)
    assert "at night" in hand.line(waits)
    assert "its earliest start time has not been reached" in hand.line(waits)
    assert "expected to start at 20" in hand.line(waits)
    assert "it waits for another job to end" in hand.line(depends)
    cluster.until("it is seen that it never starts", lambda: "will never start" in hand.line(lost))
    assert f"packhorse cancel testbed:{lost}" in hand.line(lost)
    assert "failed" not in hand.run("packhorse", "jobs", "testbed")  # what has ended is not asked for


def test_a_job_that_ended_says_how_and_what_it_used(hand: Hand, cluster: Cluster) -> None:
    burn = "python3 -c 'import time; end = time.process_time() + 3\nwhile time.process_time() < end: pass'"
    hand.write("fail.sh", f"#!/bin/bash\n{burn}\nexit 3\n")
    hand.write("eat.sh", EAT)
    late, gone = hand.sbatch("--time=20", "sleep.sh"), hand.sbatch("sleep.sh")
    failed = hand.sbatch("--mem=200", "fail.sh")
    done, hungry = hand.sbatch("--wrap=true"), hand.sbatch("--mem=100", "eat.sh")
    hand.until({late: "running", gone: "running"})
    cluster.ask("scontrol", "update", f"jobid={late}", "endtime=now+5seconds")
    hand.run("scancel", gone)
    # Without control groups only the accounting, if there is one, tells this from another failure.
    told = cluster.accounting or cluster.memory_limited_by != "none"
    killed = "out of memory" if told else "failed"
    rows = hand.until(
        {late: "timed out", gone: "cancelled", failed: "failed", done: "done", hungry: killed},
        "--ended",
    )
    assert not rows[gone].get("by_staff")
    if cluster.accounting:
        assert "exit status 3" in hand.line(failed, "--ended")
        cluster.until("it is accounted", lambda: hand.jobs("--ended")[failed].get("cpu_used"))
        row = hand.jobs("--ended")[failed]
        assert 0.02 < row["cpu_used"] <= 1.3
        assert row["memory_asked"] == 200
        assert "of 1 core" in hand.line(failed, "--ended")
    together = hand.jobs("--all")
    assert set(rows) <= set(together)
    assert hand.jobs() == {}


def test_an_array_is_one_row_with_its_elements_counted(hand: Hand) -> None:
    hand.write(
        "some.sh",
        "#!/bin/bash\n[ $SLURM_ARRAY_TASK_ID = 0 ] && exit 4\n[ $SLURM_ARRAY_TASK_ID -lt 3 ] || sleep 600\n",
    )
    array = hand.sbatch("--array=0-9%2", "some.sh")
    counts = {"running": 2, "waiting": 5, "failed": 1, "done": 2}
    hand.cluster.until("two run", lambda: hand.jobs("--all").get(array, {}).get("counts") == counts)
    assert "2 running, 5 waiting, 2 done, 1 failed" in hand.line(array, "--all")
    assert hand.jobs()[array]["counts"] == {"running": 2, "waiting": 5}
    hand.run("packhorse", "cancel", f"testbed:{array}_3")
    hand.until({array: "running"})
    hand.cluster.until("one is cancelled", lambda: hand.jobs("--all")[array]["counts"].get("cancelled") == 1)


def test_a_run_is_named_and_jobs_of_all_sites_are_asked_on_a_login_node(cluster: Cluster) -> None:
    project = Project(cluster, tasks=20, more='cluster: {options: ["--begin=now+1hour"]}')
    job = project.detach()["job"]
    shown = project.packhorse("jobs", "testbed").stdout
    line = next(line for line in shown.splitlines() if line.split()[0] == job)
    assert "work (run work)" in line
    assert "waiting" in line
    user = cluster.users[0] if cluster.users else "me"
    here = cluster.run(user, ["packhorse", "jobs"], host="testbed-login")
    assert "testbed: " in here.stdout, here.stderr
    assert "not queried: " not in here.stdout, "sites that were never used are not listed"


def test_a_watch_ends_when_nothing_waits_or_runs(hand: Hand) -> None:
    job = hand.sbatch("--wrap=sleep 6")
    hand.until({job: "running"})
    shown = hand.run("packhorse", "jobs", "testbed", "--watch")
    assert shown.count("testbed: ") >= 2
    assert "running" in shown
    assert shown.endswith("testbed: no jobs of yours\n")


def test_a_site_is_asked_no_more_often_than_it_allows(hand: Hand) -> None:
    rare = f"rare-{hand.folder.name}"  # an answer is kept for the next session, too
    hand.write(f"packhorse-sites/{rare}.yaml", "extends: testbed\npoll: 1 h\n")
    first = hand.sbatch("--hold", "sleep.sh")
    shown = hand.run("packhorse", "jobs", rare)
    assert f"  {first}  sleep.sh  held" in shown
    second = hand.sbatch("--hold", "sleep.sh")
    again = hand.run("packhorse", "jobs", rare)
    assert f"  {first}  sleep.sh  held" in again
    assert second not in again
    # The testbed may have been asked two seconds ago, by the test before.
    hand.cluster.until("the testbed shows it", lambda: second in hand.run("packhorse", "jobs", "testbed"))
    hand.run("packhorse", "cancel", f"{rare}:{second}")
    assert second not in hand.run("packhorse", "jobs", rare)  # who changes something sees it


def test_a_silent_scheduler_is_told_in_one_line(hand: Hand, cluster: Cluster) -> None:
    cluster.kill("slurmctld")
    hand.cluster.until(
        "nobody answers", lambda: "cannot be reached" in hand.run("packhorse", "jobs", "testbed")
    )
    (line,) = hand.run("packhorse", "jobs", "testbed").splitlines()
    assert line.startswith("testbed: the Slurm controller cannot be reached")
    said = hand.run("packhorse", "queues", "testbed", status=5)
    assert "does not answer" in said


def test_queues_say_what_is_free_and_who_may(hand: Hand, cluster: Cluster) -> None:
    before = json.loads(hand.run("packhorse", "queues", "testbed", "--json"))["queues"]
    general = next(one for one in before if one["state"]["name"] == "general")
    assert (general["state"]["cores"], general["state"]["max_time"]) == (32, 7 * 86400)
    assert general["state"]["may"] is True
    hand.sbatch("--exclusive", "--partition=debug", "--nodes=2", "sleep.sh")
    hand.cluster.until(
        "no core of debug is idle", lambda: "0 of 16" in hand.run("packhorse", "queues", "testbed")
    )
    shown = hand.run("packhorse", "queues", "testbed")
    assert "for tests, at most 2 nodes per job" in shown
    assert "a job of one core for an hour would start at once in general" in shown


def test_a_partition_of_others_is_closed_in_plain_words(hand: Hand, cluster: Cluster) -> None:
    if cluster.one_user:
        pytest.skip("everything is open to oneself")
    cluster.ask("scontrol", "update", "partitionname=gpu", "allowgroups=root")
    try:
        hand.cluster.until(
            "it is seen",
            lambda: (
                "no: open only to the group root, and you are in none of them"
                in hand.run("packhorse", "queues", "testbed")
            ),
        )
    finally:
        cluster.ask("scontrol", "update", "partitionname=gpu", "allowgroups=ALL")


def test_what_a_job_of_ones_own_prints_is_shown_and_followed(hand: Hand, cluster: Cluster) -> None:
    text = "#!/bin/bash\necho begins; echo oops >&2\nsleep 4\necho λ ends\n"
    hand.write("talk.sh", text)
    (hand.folder / "out dir").mkdir()
    if not cluster.one_user:
        hand.cluster.give(hand.user, hand.folder / "out dir")
    job = hand.sbatch("--output=out dir/%x-%j.txt", "--error=errors.txt", "--job-name=talk", "talk.sh")
    hand.until({job: "running"})
    followed = hand.run("packhorse", "logs", f"testbed:{job}", "--follow")
    assert followed == "begins\nλ ends\n"
    shown = hand.run("packhorse", "logs", f"testbed:{job}")
    assert f"== job {job}: {hand.folder}/out dir/talk-{job}.txt ==\nbegins\nλ ends\n" in shown
    assert f"== job {job}, errors: {hand.folder}/errors.txt ==\noops\n" in shown


def test_an_arrays_output_is_shown_by_elements(hand: Hand) -> None:
    hand.write("say.sh", "#!/bin/bash\necho I am $SLURM_ARRAY_TASK_ID\n")
    array = hand.sbatch("--array=3,5", "say.sh")
    hand.until({array: "done"}, "--ended")
    shown = hand.run("packhorse", "logs", f"testbed:{array}")
    assert shown.index("I am 3") < shown.index("I am 5")
    assert hand.run("packhorse", "logs", f"testbed:{array}_5") == "I am 5\n"
    said = hand.run("packhorse", "logs", f"testbed:{array}", "--follow", status=2)
    assert f"packhorse logs testbed:{array}_3 --follow" in said


def test_jobs_of_ones_own_are_cancelled_by_number_and_no_others(hand: Hand, cluster: Cluster) -> None:
    job = hand.sbatch("--job-name=mine", "sleep.sh")
    hand.until({job: "running"})
    assert hand.run("packhorse", "cancel", f"testbed:{job}") == f"cancelled job {job} of testbed (mine)\n"
    hand.until({job: "cancelled"}, "--ended")
    again = hand.run("packhorse", "cancel", f"testbed:{job}", status=5)
    assert "is not queued or running, or belongs to another user" in again
    assert "job 999999 of testbed does not exist" in hand.run(
        "packhorse", "cancel", "testbed:999999", status=5
    )
    assert "is not a job number of testbed" in hand.run("packhorse", "cancel", "testbed:a;b", status=2)
    if not cluster.one_user:
        theirs = cluster.run(cluster.users[1], ["sbatch", "--parsable", "--wrap=sleep 60"]).stdout.strip()
        said = hand.run("packhorse", "cancel", f"testbed:{theirs}", status=5)
        assert "is not queued or running, or belongs to another user" in said


def test_a_held_job_has_written_nothing(hand: Hand) -> None:
    job = hand.sbatch("--hold", "sleep.sh")
    assert "the job has not started; it will write to" in hand.run("packhorse", "logs", f"testbed:{job}")


def test_without_an_accounting_the_last_minutes_are_known(hand: Hand, cluster: Cluster) -> None:
    with cluster.changed(accounting="no"):
        failed = hand.sbatch("--wrap=exit 3")
        rows = hand.until({failed: "failed"}, "--ended")
        assert "cpu_used" not in rows[failed]
        assert " failed " in hand.line(failed, "--all")
        queues = json.loads(hand.run("packhorse", "queues", "testbed", "--json"))["queues"]
        assert {one["state"]["may"] for one in queues} == {True}
