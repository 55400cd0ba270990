"""Workers as a batch system treats them: several on one wave, ended by time or by signals, started again."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from continuation.desk import Desk, ended
from packhorse.plan.waves import planned_ranges
from running.project import Project, bits, marked, until
from worker.old import oldest_python

Make = Callable[..., Desk]
SIM = "import json, random, sys\nprint(json.dumps({'x': random.Random(int(sys.argv[2])).random(), 'n2': int(sys.argv[1])}))\n"
MODEL = "import random\ndef f(n, seed):\n    return {'x': random.Random(seed).random(), 'n2': n, 'd': random.random()}\n"
SLOW = """
    import sys, time
    from pathlib import Path
    folder, n = Path(sys.argv[1]), int(sys.argv[2])
    (folder / f"begun-{n}").touch()
    while n >= int((folder / "free").read_text()):
        time.sleep(0.01)
    print('{"n2": %d}' % n)
"""
KINDS: dict[str, dict[str, Any]] = {
    "command": {"command": "python sim.py {n} {seed}"},
    "function": {"function": "model:f"},
}


def gate(project: Project, tmp_path: Path, free: int) -> Path:
    """Make tasks wait that are told so: task n ends when n is below what the file `free` says."""
    folder = tmp_path / "gate"
    folder.mkdir()
    (folder / "free").write_text(str(free))
    project.write(slow_py=SLOW)
    return folder


def gated(folder: Path, tasks: int) -> dict[str, Any]:
    return {"command": f"python slow.py {folder} {{n}}", "parameters": {"n": {"range": [tasks]}}}


def waiting(folder: Path) -> int:
    """Return how many tasks of number 20 and beyond have begun."""
    return sum(int(path.name.partition("-")[2]) >= 20 for path in folder.glob("begun-*"))


def held(desk: Desk, wave: int) -> int:
    """Return how many positions are claimed and not given back, where none was taken again."""
    leases = desk.leases(wave)
    claimed = sum(lease["stop"] - lease["start"] for lease in leases)
    return claimed - sum(b - a for lease in leases for a, b in lease.get("back", []))


@pytest.mark.parametrize("kind", KINDS)
def test_several_workers_give_the_table_of_a_local_run(
    desk: Make, project: Project, tmp_path: Path, kind: str
) -> None:
    project.write(sim_py=SIM, model_py=MODEL)
    study = {
        **KINDS[kind],
        "parameters": {"n": {"range": [60]}},
        "replicates": 3 if kind == "function" else 1,
    }
    one = desk(study)
    wave = one.first_wave(elements=3, slots=2)
    said = one.array(wave)
    assert any('"OK"' in row for row in said)
    project.command("collect", "s")
    here = Project(tmp_path / "local").write(sim_py=SIM, model_py=MODEL).study(**study)
    here.run("-j2")
    assert bits(project.table()) == bits(here.table())
    ends = one.lines("end")
    assert {end["end"] for end in ends} == {"done"}
    assert list(one.scratch().iterdir()) == []


def test_an_old_and_a_new_python_work_on_one_wave_and_go_on(desk: Make, project: Project) -> None:
    project.write(sim_py=SIM)
    one = desk({**KINDS["command"], "parameters": {"n": {"range": [40]}}})
    wave = one.first_wave(elements=2, slots=1)
    new = one.start(wave, 0)
    one.python = [oldest_python()[0], "-S", "-E"]
    old = one.start(wave, 1)
    assert ended(new) != ""
    ended(old)
    one.go_on(wave)
    assert one.stopped()["why"] == "done"
    assert one.stopped()["text"] == "40 of 40 tasks succeeded"


def test_at_the_deadline_tasks_are_unfinished_or_somebody_elses(
    desk: Make, project: Project, tmp_path: Path
) -> None:
    folder = gate(project, tmp_path, free=0)
    one = desk(gated(folder, 40))
    wave = one.first_wave(elements=2, slots=2, seconds=10)
    # The first holds tasks that wait until its deadline; nobody else is there to take what it gives back.
    first = one.start(wave, 0, "--margin", "1")
    ended(first)
    records = one.lines("index")
    assert [record["outcome"] for record in records] == ["UNFINISHED", "UNFINISHED"]
    assert all(
        record["wall"] > 1 and record["cause"] == "its job reached its time limit" for record in records
    )
    assert one.lines("end")[-1]["end"] == "deadline"
    # Those who come later have all the rest, what was given back among it.
    (folder / "free").write_text("100")
    ended(one.start(wave, 1, "--seconds", "0"))
    done = [record["index"] for record in one.lines("index")]
    assert sorted(done) == list(range(40)), "each task has one record"
    project.command("collect", "s")
    assert len(project.rows("n2")) == 38


def test_what_is_given_back_is_run_by_a_worker_that_has_time(
    desk: Make, project: Project, tmp_path: Path
) -> None:
    folder = gate(project, tmp_path, free=10)
    one = desk(gated(folder, 30))
    wave = one.first_wave(elements=1, slots=1, seconds=9)
    short = one.start(wave, 0, "--margin", "2")  # one element claims all, and meets a task that waits
    ended(short)
    given = [lease for lease in one.leases(wave) if "back" in lease]  # several where the machine is slow
    assert given
    assert all(back["start"] == back["stop"] for back in given)
    (folder / "free").write_text("100")
    ended(one.start(wave, 1, "--seconds", "0"))
    leases = one.leases(wave)
    assert [leases[lease["took"]] for lease in leases if "took" in lease] == given
    assert sorted(record["index"] for record in one.lines("index")) == list(range(30))


def test_a_function_at_the_deadline_is_unfinished(desk: Make, project: Project) -> None:
    project.write(
        model_py="import time\ndef f(n):\n    time.sleep(1000 if n == 1 else 0)\n    return n\n",
    )
    one = desk({"function": "model:f", "parameters": {"n": [0, 1, 2, 3]}})
    wave = one.first_wave(elements=1, slots=1, seconds=9)
    ended(one.start(wave, 0, "--margin", "1"))
    found = {record["index"]: record.get("outcome", "OK") for record in one.lines("index")}
    assert found == {0: "OK", 1: "UNFINISHED"}
    assert [lease["back"] for lease in one.leases(wave) if "back" in lease] == [[[2, 4]]]


def test_nothing_begins_that_would_not_end(desk: Make, project: Project) -> None:
    project.write(nap_py="import time\ntime.sleep(0.8)\nprint(1)\n")
    one = desk({"command": "python nap.py {n}", "parameters": {"n": {"range": [30]}}, "result": "none"})
    wave = one.first_wave(elements=1, slots=1, seconds=9)
    ended(one.start(wave, 0, "--margin", "1"))
    records = one.lines("index")
    assert 1 <= len(records) < 11
    assert all("outcome" not in record for record in records), "none was cut off"
    assert held(one, wave) == len(records), "what it did not begin is free for others"
    assert one.lines("end")[-1]["end"] == "deadline"


def test_tasks_know_the_deadline_and_only_what_is_theirs(desk: Make, project: Project) -> None:
    project.write(
        look_py="""
            import json, os, tempfile, time
            from packhorse import task
            names = [n for n in os.environ if n.startswith(("SLURM", "PBS", "PMI", "OMPI"))]
            scratch = os.environ["PACKHORSE_SCRATCH"]
            print(json.dumps({"left": task.seconds_left(), "names": len(names), "threads": os.environ["OMP_NUM_THREADS"],
                              "inside": tempfile.gettempdir() == scratch}))
            """
    )
    one = desk({"command": "python look.py", "resources": {"cpus": 1}})
    wave = one.first_wave(elements=1, slots=1, seconds=100)
    one.array(wave)
    project.command("collect", "s")
    ((left, names, threads, inside),) = project.rows("left", "names", "threads", "inside")
    assert 60 < left <= 80, "a margin of a fifth, since the job is short"
    assert (names, str(threads), inside) == (0, "1", True)
    header = one.lines("header")[0]["header"]
    assert abs(header["deadline"] - header["started"] - 80) < 20


# Not every scheduler tells a job that it was started before.
@pytest.mark.parametrize("told", [("--restart", "1"), ()])
def test_an_element_started_again_takes_up_its_own_and_nobody_elses(
    desk: Make, project: Project, tmp_path: Path, told: tuple[str, ...]
) -> None:
    folder = gate(project, tmp_path, free=20)
    one = desk(gated(folder, 60))
    wave = one.first_wave(elements=2, slots=1)
    lost = [one.start(wave, 0)]
    until(lambda: one.lines("index") and waiting(folder) == 1)
    lost.append(one.start(wave, 1))
    until(lambda: waiting(folder) == 2)
    for worker in lost:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.communicate()
    until(lambda: not marked(one.path))
    (folder / "free").write_text("100")
    before = {record["index"] for record in one.lines("index")}
    ended(one.start(wave, 0, *told))
    done = {record["index"] for record in one.lines("index")}
    assert len(one.lines("index")) == len(done), "nothing ran twice"
    theirs = [
        p
        for lease in one.leases(wave)
        if lease["by"].startswith(f"{wave}-1-")
        for p in range(lease["start"], lease["stop"])
    ]
    assert 0 < 60 - len(done) <= len(theirs)
    assert before < done
    ended(one.start(wave, 1, *told))
    assert {record["index"] for record in one.lines("index")} == set(range(60))


def test_tasks_of_a_killed_worker_end_whenever_it_is_killed(
    desk: Make, project: Project, tmp_path: Path
) -> None:
    # A shell begins sooner than the record of the task before it is sent.
    project.write(slow_sh='test "$2" -lt 9 || { : > "$1/begun"; sleep 1000; }\n')
    command = f"sh slow.sh {tmp_path} {{n}}"
    one = desk({"command": command, "parameters": {"n": {"range": [10]}}, "result": "none"})
    wave = one.first_wave(elements=1, slots=1)
    for _ in range(10):
        worker = one.start(wave, 0)
        until((tmp_path / "begun").exists)
        os.killpg(worker.pid, signal.SIGKILL)
        worker.communicate()
        until(lambda: not marked(one.path))
        for path in [tmp_path / "begun", *(one.path / f"waves/{wave}/leases").glob("*.json")]:
            path.unlink()


def test_another_array_of_the_wave_leaves_it_alone(desk: Make, project: Project) -> None:
    project.write(sim_py=SIM)
    one = desk({**KINDS["command"], "parameters": {"n": {"range": [4]}}})
    wave = one.first_wave(elements=1, slots=1)
    ended(one.start(wave, 0, owner="7"))
    files = sorted(path.name for path in one.path.rglob("*"))
    said = ended(one.start(wave, 0, owner="8"))
    assert said == "wave 1 belongs to job 7; job 8 runs no task\n"
    said = ended(one.start(wave, 1, owner="7"))
    assert json.loads(said)["end"] == "done", "too late, and quiet about it"
    assert sorted(path.name for path in one.path.rglob("*")) == files, "neither left a file"
    assert len(one.lines("index")) == 4


@pytest.mark.parametrize("kind", ["command", "function"])
def test_a_cancelled_job_writes_first_and_ends_within_three_seconds(
    desk: Make, project: Project, tmp_path: Path, kind: str
) -> None:
    folder = tmp_path / "gate"
    folder.mkdir()
    # The task does not listen to SIGTERM, as R and many a library do not.
    project.write(
        stubborn_py="""
            import signal, sys, time
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            if int(sys.argv[2]) == 1:
                open(sys.argv[1] + "/begun", "w").close()
                time.sleep(1000)
            """,
        model_py=f"""
            import signal, time
            def f(n):
                if n == 1:
                    open({str(folder)!r} + "/begun", "w").close()
                    time.sleep(1000)
                return n
            """,
    )
    work = {"command": f"python stubborn.py {folder} {{n}}"} if kind == "command" else {"function": "model:f"}
    one = desk(
        {**work, "parameters": {"n": [0, 1, 2]}, "result": "none"}
        if kind == "command"
        else {**work, "parameters": {"n": [0, 1, 2]}}
    )
    wave = one.first_wave(elements=1, slots=1)
    worker = one.start(wave, 0)
    until((folder / "begun").exists)
    begun = time.monotonic()
    worker.send_signal(signal.SIGTERM)
    ended(worker)
    assert time.monotonic() - begun < 3, "KillWait of a Slurm can be 3 s"
    assert [record["index"] for record in one.lines("index")] == [0], "an interruption is not an outcome"
    assert one.lines("end")[-1]["end"] == "stopped"
    assert marked(one.path) == []
    assert list(one.scratch().iterdir()) == []


def test_a_worker_whose_tasks_all_fail_ends_and_leaves_the_rest_to_others(
    desk: Make, project: Project
) -> None:
    project.write(bad_py="import sys\nsys.exit('no GPU here')\n")
    one = desk({"command": "python bad.py {n}", "parameters": {"n": {"range": [100]}}})
    wave = one.first_wave(elements=2, slots=1)
    ended(one.start(wave, 0), code=4)
    assert one.lines("end")[-1]["end"] == "failing"
    assert (
        one.lines("note")[-1]["note"]
        == "the first 20 tasks of a worker all failed in the same way: no GPU here"
    )
    done = len(one.lines("index"))
    assert 20 <= done < 40
    assert held(one, wave) == done


def test_fewer_slots_than_asked_are_said(desk: Make, project: Project) -> None:
    project.write(sim_py=SIM)
    one = desk({**KINDS["command"], "parameters": {"n": {"range": [4]}}})
    wave = one.first_wave(elements=1, slots=999)
    ended(one.start(wave, 0, "--slots", "999"))
    have = len(os.sched_getaffinity(0))
    (note,) = [said["note"] for said in one.lines("note")]
    assert note.startswith(f"a job runs {have} tasks at a time and not 999") or "MiB" in note
    assert one.lines("header")[0]["header"]["slots"] <= have


def test_a_full_scratch_folder_is_refused_with_a_sentence(
    desk: Make, project: Project, tmp_path: Path
) -> None:
    project.write(sim_py=SIM)
    one = desk({**KINDS["command"], "parameters": {"n": {"range": [4]}}})
    wave = one.first_wave(elements=1, slots=1)
    folder = tmp_path / "full"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder], check=False).returncode:
        pytest.skip("a small disk can be mounted by root only")
    try:
        said = ended(one.start(wave, 0, "--scratch", folder), code=4)
    finally:
        subprocess.run(["umount", folder], check=True)
    events = [json.loads(row) for row in said.splitlines()]
    assert any("has no space for working copies" in event.get("error", "") for event in events)
    assert any("No space left on device" in note["note"] for note in one.lines("note"))
    assert one.leases(wave) == [], "it has claimed nothing"


def test_a_checkpoint_of_another_code_is_not_picked_up(desk: Make, project: Project) -> None:
    project.write(
        save_py="""
            import os, sys
            path = os.path.join(os.environ["PACKHORSE_CHECKPOINT"], "state")
            old = open(path).read() if os.path.exists(path) else ""
            open(path, "w").write(old + "1")
            sys.exit("first" if not old else 0)
            """
    )
    study: dict[str, Any] = {"command": "python save.py", "checkpoint": True, "result": "none"}
    one = desk(study)
    wave = one.first_wave(elements=1, slots=1)
    one.array(wave)
    (folder,) = (one.path / "checkpoints").iterdir()
    assert (folder / "state").read_text() == "1"
    work = one.run.work(wave)
    for code in ("another", work["code"]):  # and back: what the other left is not ours either
        (one.run.work_path(wave)).write_text(json.dumps({**work, "code": code}))
        for lease in (one.path / f"waves/{wave}/leases").glob("*.json"):
            lease.unlink()
        one.array(wave)
        assert (folder / "state").read_text() == "1"
    for lease in (one.path / f"waves/{wave}/leases").glob("*.json"):
        lease.unlink()
    one.array(wave)
    assert not folder.exists(), "with the same code it went on, and ended well"


# Jobs that a scheduler does not end, or starts again too late


def test_a_worker_that_its_scheduler_cannot_end_looks_for_the_cancellation(
    desk: Make, project: Project, tmp_path: Path
) -> None:
    folder = gate(project, tmp_path, 2)
    one = desk(gated(folder, 30))
    wave = one.first_wave(elements=1, slots=1)
    worker = one.start(wave)
    until((folder / "begun-2").exists)
    (one.path / "cancelled").touch()
    assert "the run was cancelled; this worker ends" in ended(worker)
    assert len(list(folder.glob("begun-*"))) <= 4, "no task began after it"
    assert {"end": "stopped"}.items() <= one.lines("end")[0].items()


def test_an_element_that_starts_again_after_its_wave_was_replaced_begins_nothing(
    desk: Make, project: Project, tmp_path: Path
) -> None:
    """A TORQUE node that comes back starts its jobs again: pbs_mom -r."""
    folder = gate(project, tmp_path, 2)
    one = desk(gated(folder, 12))
    wave = one.first_wave(elements=1, slots=1)
    worker = one.start(wave)
    until(lambda: one.lines("index") and (folder / "begun-2").exists())
    os.killpg(worker.pid, signal.SIGKILL)
    worker.communicate()
    (folder / "free").write_text("100")
    one.go_on(wave)
    assert "a later wave has the tasks of wave 1; no task begins" in ended(one.start(wave))
    submission = one.kept.of(2)
    assert submission is not None
    one.array(2, owner=submission.job)
    assert "12 of 12 tasks succeeded" in one.go_on(2)
    records = [record["index"] for record in one.lines("index")]
    assert sorted(records) == list(range(12)), "each once"


# Memory without control groups


@pytest.mark.parametrize("kind", ["command", "function"])
def test_a_task_that_runs_into_the_limit_of_a_process_gets_more_memory(
    desk: Make, project: Project, kind: str
) -> None:
    """TORQUE without control groups sets RLIMIT_DATA: nothing is killed, and allocations fail."""
    hungry = "bytearray(1 << 30)\n"
    project.write(
        big_py=f"import sys\nx = {hungry}print(1)\n",
        model_py=f"def f(n):\n    x = {hungry}    return n\n",
    )
    kinds = {"command": {"command": "python big.py {n}"}, "function": {"function": "model:f"}}
    base = {"script": "base.sh", "elements": 1, "slots": 1, "cores": 1, "seconds": 3600}
    one = desk(
        {**kinds[kind], "parameters": {"n": {"range": [60]}}},
        rungs=[
            {**base, "name": "base", "memory": 500, "task_memory": 436},
            {**base, "name": "memory", "memory": 936, "task_memory": 872},
        ],
    )
    wave = one.first_wave(elements=1, slots=1, memory=500)

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (500 << 20, 500 << 20))

    ended(one.start(wave, preexec_fn=limited), 4)  # the first tasks all failed in the same way
    records = one.lines("index")
    assert {record["outcome"] for record in records} == {"MEMORY"}
    assert records[0]["cause"] == "MemoryError (each process may have 500 MiB)"
    one.go_on(wave)
    assert not one.stopped(), "all that failed is that there was too little memory"
    submission = one.kept.of(2)
    assert submission is not None
    assert (submission.rung, submission.memory) == ("memory", 936)
    assert sum(b - a for a, b in planned_ranges(one.run.plan(2))) == 60
