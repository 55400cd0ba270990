"""A script of one's own, sent by `packhorse submit` on a login node of the real Slurm, and what is known of it then."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cluster.test_jobs import Hand
from cluster.testbed import Cluster

FIT = """#!/bin/bash
#SBATCH --time=10
#SBATCH --output=logs/deep/%x-%j.txt
echo "got $1 and $2"
cat data.txt
"""


@pytest.fixture
def hand(cluster: Cluster) -> Hand:
    found = Hand(cluster)
    found.write("fit.sh", FIT)
    found.write("data.txt", "some data\n")
    return found


def submit(hand: Hand, *words: str) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(hand.run("packhorse", "submit", "--site", "testbed", "--json", *words))
    return said


def state(hand: Hand, run: str) -> str:
    return str(json.loads(hand.run("packhorse", "status", run, "--json"))["state"])


def until(hand: Hand, run: str, expected: str) -> None:
    """Wait until a run is in a state; a failure shows what is said of it instead."""
    try:
        hand.cluster.until(f"{run} is {expected}", lambda: state(hand, run) == expected)
    except pytest.fail.Exception as failure:
        pytest.fail(f"{failure}\n{hand.run('packhorse', 'status', run, '--json')}")


def test_a_script_is_sent_once_and_known_like_any_run(hand: Hand, cluster: Cluster) -> None:
    shown = hand.run("packhorse", "submit", "fit.sh", "--site", "testbed", "--", "one", "it's two")
    assert "it works in " + str(hand.folder) in shown
    assert "state: packhorse status fit-1" in shown
    until(hand, "fit-1", "done")
    assert hand.run("packhorse", "logs", "fit-1") == "got one and it's two\nsome data\n"
    assert "fit-1: done, fit.sh on testbed\n" in hand.run("packhorse", "runs")
    about = json.loads((hand.folder / "runs/fit-1/job.json").read_text())
    assert (hand.folder / f"logs/deep/fit.sh-{about['job']}.txt").read_text().startswith("got one")
    assert about["output"].endswith(f"logs/deep/fit.sh-{about['job']}.txt")
    assert about["end"]["state"] == "done"
    assert (hand.folder / "runs/fit-1/fit.sh").read_text() == FIT
    assert "run fit-1" in hand.line(about["job"], "--ended")
    comment = cluster.ask("squeue", "--noheader", "--states=all", "--format=%k", f"--jobs={about['job']}")
    assert comment.strip() == about["token"]


def test_its_end_is_remembered_when_the_scheduler_has_forgotten(hand: Hand, cluster: Cluster) -> None:
    hand.write("bad.sh", "#!/bin/bash\nexit 5\n")
    submit(hand, "bad.sh")
    until(hand, "bad-1", "failed")
    told = "exit status 5" if cluster.accounting else "failed"
    cluster.until("it is accounted", lambda: told in hand.run("packhorse", "status", "bad-1"))
    cluster.kill("slurmctld")
    assert state(hand, "bad-1") == "failed"
    assert told in hand.run("packhorse", "status", "bad-1")


def test_it_is_cancelled_and_removed_by_its_name(hand: Hand, cluster: Cluster) -> None:
    said = submit(hand, "sleep.sh", "--name", "long sleep")
    assert said["run"].endswith("runs/long-sleep-1")
    until(hand, "long-sleep-1", "running")
    assert "long sleep" in hand.line(said["job"])
    refused = hand.run("packhorse", "rm", "long-sleep-1", "--yes", status=5)
    assert "packhorse cancel long-sleep-1" in refused
    assert f"cancelled job {said['job']}" in hand.run("packhorse", "cancel", "long-sleep-1")
    until(hand, "long-sleep-1", "cancelled")
    hand.run("packhorse", "rm", "long-sleep-1", "--yes")
    assert "no run here yet" in hand.run("packhorse", "runs")


def test_an_answer_that_got_lost_is_found_by_its_mark(hand: Hand, cluster: Cluster) -> None:
    said = submit(hand, "sleep.sh")
    file = hand.folder / "runs/sleep-1/job.json"
    about = json.loads(file.read_text())
    hand.write("runs/sleep-1/job.json", json.dumps({**about, "job": "", "submitted": 0.0, "output": ""}))
    until(hand, "sleep-1", "running")
    assert json.loads(file.read_text())["job"] == said["job"]


def test_an_array_is_a_run_of_its_elements(hand: Hand, cluster: Cluster) -> None:
    hand.write(
        "grid.sh",
        "#!/bin/bash\n#SBATCH --array=1-4\necho element $SLURM_ARRAY_TASK_ID\n[ $SLURM_ARRAY_TASK_ID != 3 ]\n",
    )
    submit(hand, "grid.sh")
    until(hand, "grid-1", "failed")
    assert "1 failed, 3 done" in hand.run("packhorse", "status", "grid-1")
    shown = hand.run("packhorse", "logs", "grid-1")
    assert [f"element {one}\n" in shown for one in range(1, 5)] == [True] * 4


def test_output_is_found_when_the_scheduler_has_forgotten_the_script(hand: Hand, cluster: Cluster) -> None:
    if not cluster.accounting:
        pytest.skip("the cluster has no accounting")
    array = "#!/bin/bash\n#SBATCH --array=2-6:2 --output=out/part-%A-%03a.txt\necho element $SLURM_ARRAY_TASK_ID\n"
    hand.write("grid.sh", array)
    hand.write("one.sh", "#!/bin/bash\n#SBATCH -o mine-%j.txt\necho from the script\nsleep 3\n")
    submit(hand, "grid.sh")
    job = submit(hand, "one.sh")["job"]
    by_hand = cluster.run(hand.user, ["sbatch", "--parsable", "one.sh"], cwd=hand.folder).stdout.strip()
    cluster.until("all have ended", lambda: {state(hand, "grid-1"), state(hand, "one-1")} == {"done"})
    cluster.until("so has the other", (hand.folder / f"mine-{by_hand}.txt").exists)
    cluster.until(
        "it is accounted",
        lambda: (
            cluster.ask("sacct", "-nXP", f"-j{by_hand}", "-oState,WorkDir") == f"COMPLETED|{hand.folder}\n"
        ),
    )
    cluster.kill("slurmctld")  # what it knows of a job's script, it forgets minutes after the job's end
    assert hand.run("packhorse", "logs", "grid-1", "--task", "4") == "element 4\n"
    for name in (f"testbed:{job}", f"testbed:{by_hand}"):
        assert hand.run("packhorse", "logs", name) == "from the script\n", name


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("#!/bin/bash\r\nhostname\r\n", "bad.sh:1: the script has Windows (CRLF) line endings"),
        ("hostname\n", "make #!/bin/bash its first line"),
        ("#!/bin/bash\n# caf\udce9\n", "bad.sh:2: not UTF-8 text"),
        ("#!/bin/bash\n#SBATCH -p debug -t 5:00:00\nhostname\n", "the job asks for 5 h; debug allows 4 h"),
        ("#!/bin/bash\n#SBATCH --gres=gpu:a100:1\nhostname\n", "in the head of bad.sh: "),
        ("#!/bin/bash\n#SBATCH -c 99\nhostname\n", "the job asks for 99 cores on each node; nodes of general have 8"),
        ("#!/bin/bash\n#SBATCH -p nosuch\nhostname\n", "testbed has no partition nosuch"),
        ("#!/bin/bash\n#SBATCH --array=0-10001\nhostname\n", "the array has an element 10001; the maximum at testbed is 10000"),
        ("#!/bin/bash\n#SBATCH --frobnicate\nhostname\n", "testbed refuses the job: Slurm does not understand an option"),
    ],
)  # fmt: skip
def test_what_cannot_run_is_refused_and_leaves_nothing(hand: Hand, text: str, complaint: str) -> None:
    (hand.write("bad.sh", "")).write_bytes(text.encode("utf-8", "surrogateescape"))
    done = hand.cluster.run(
        hand.user, ["packhorse", "submit", "bad.sh", "--site", "testbed"], cwd=hand.folder
    )
    assert done.returncode != 0
    assert complaint in done.stderr
    assert not list(hand.folder.glob("runs/*/*"))


def test_a_script_may_name_several_partitions(hand: Hand) -> None:
    hand.write("two.sh", "#!/bin/bash\n#SBATCH -p debug,general -t 1:00:00 --hold\nhostname\n")
    assert submit(hand, "two.sh")["job"]


def test_options_overrule_the_head(hand: Hand, cluster: Cluster) -> None:
    hand.write("long.sh", "#!/bin/bash\n#SBATCH --time=30-00 --partition=general --mem=90G\nsleep 600\n")
    refused = hand.run("packhorse", "submit", "--site", "testbed", "long.sh", status=5)
    assert "asks for 30 d" in refused
    said = submit(hand, "long.sh", "--partition", "debug", "--time", "5 min", "--memory", "100 MB")
    asked = cluster.ask("scontrol", "show", "job", said["job"])
    assert "Partition=debug" in asked
    assert "TimeLimit=00:05:00" in asked
    assert "MinMemoryNode=100M" in asked
    hand.run("packhorse", "cancel", said["name"])
    assert "--time: The time '5' has no unit" in hand.run(
        "packhorse", "submit", "--site", "testbed", "long.sh", "--time", "5", status=3
    )


def test_lines_that_are_passed_over_are_told(hand: Hand) -> None:
    hand.write("late.sh", "#!/bin/bash\nhostname\n#SBATCH --time=5\n")
    done = hand.cluster.run(
        hand.user, ["packhorse", "submit", "late.sh", "--site", "testbed"], cwd=hand.folder
    )
    assert "late.sh: line 3: #SBATCH after the first command is a comment; move it up" in done.stderr
    assert done.returncode == 0


def test_commands_for_studies_say_what_such_a_run_is(hand: Hand) -> None:
    submit(hand, "sleep.sh")
    for word in ("collect", "explain", "provenance", "retry", "rerun"):
        done = hand.cluster.run(hand.user, ["packhorse", word, "sleep-1"], cwd=hand.folder)
        assert done.returncode == 5, (word, done.stdout, done.stderr)
        assert "sleep-1 is a script job, not a study" in done.stderr
        assert "packhorse status sleep-1" in done.stderr


def test_lines_of_pbs_are_honoured_and_a_path_that_sbatch_does_not_expand_is_refused(
    hand: Hand, cluster: Cluster
) -> None:
    hand.write("pbs.sh", "#!/bin/bash\n#PBS -N mine\n#PBS -l walltime=0:07:00\nhostname\n")
    job = submit(hand, "pbs.sh")["job"]
    asked = cluster.ask("squeue", "--noheader", "--states=all", "--format=%j %l", f"--jobs={job}")
    assert asked.split() == ["mine", "7:00"], "as the note says that submit prints (test_heads)"
    hand.write("lost.sh", "#!/bin/bash\n#SBATCH --output=$HOME/logs/%j.out\nhostname\n")
    said = hand.run("packhorse", "submit", "--site", "testbed", "lost.sh", status=2)
    assert "lost.sh: line 2: sbatch does not expand '$HOME/logs/%j.out'" in said
