"""The continuation: what it submits after a wave, why it stops, and that nothing can make it do so twice."""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from continuation.desk import Desk, ended
from packhorse.plan.waves import planned_ranges
from packhorse.rundata.outcomes import latest_outcomes
from packhorse.worker.journal import journal_line
from packhorse.worker.tasks.task import checkpoint_folder
from running.project import Project, bits, marked, until
from worker.old import oldest_python

Make = Callable[..., Desk]
SIM = "import json, random, sys\nprint(json.dumps({'x': random.Random(int(sys.argv[2])).random(), 'n2': int(sys.argv[1])}))\n"
STUDY: dict[str, Any] = {"command": "python sim.py {n} {seed}", "parameters": {"n": {"range": [50]}}}


@pytest.fixture(autouse=True)
def _script(project: Project) -> None:
    project.write(sim_py=SIM)


def pretend(
    desk: Desk, wave: int, records: list[dict[str, Any]], end: str = "done", note: str = "", **header: Any
) -> None:
    """Write the journal that a worker of a wave would have left."""
    submission = desk.kept.of(wave)
    plan = desk.run.plan(wave)
    assert submission is not None
    name = f"{wave}-{header.get('element', 0)}-0-{header.get('host', 'n1')}-1-ab"
    seconds = submission.seconds or 3600
    said = {
        "format": "packhorse-journal", "version": 1, "run": "r", "wave": wave, "element": 0, "restart": 0,
        "host": "n1", "pid": 1, "space": plan.space, "code": plan.code, "started": 1000.0,
        "deadline": 1000.0 + seconds - 30, "pack": f"{name}.pack", **header,
    }  # fmt: skip
    rows = [journal_line({"header": said}), *map(journal_line, records)]
    rows += [journal_line({"note": note})] if note else []
    (desk.path / "journal" / f"{name}.ndjson").write_bytes(
        b"".join([*rows, journal_line({"end": end, "at": 1000.0 + seconds})])
    )


def bad(outcome: str, *indices: int, **more: Any) -> list[dict[str, Any]]:
    return [{"index": index, "outcome": outcome, "begin": 1000.5, "cause": "it", **more} for index in indices]


def good(*indices: int) -> list[dict[str, Any]]:
    return [{"index": index} for index in indices]


def tasks(desk: Desk, wave: int) -> set[int]:
    return {index for a, b in planned_ranges(desk.run.plan(wave)) for index in range(a, b)}


def test_killed_waves_are_followed_until_the_table_is_whole(
    desk: Make, project: Project, tmp_path: Path
) -> None:
    project.write(
        slow_py=f"""
            import json, os, random, sys
            n, gate = int(sys.argv[1]), {str(tmp_path)!r}
            if n == 7 and not os.path.exists(gate + "/met"):
                open(gate + "/met", "w").close()
                import time; time.sleep(1000)
            print(json.dumps({{"x": random.Random(int(sys.argv[2])).random(), "n2": n}}))
            """
    )
    one = desk({**STUDY, "command": "python slow.py {n} {seed}"})
    wave = one.first_wave(elements=2, slots=1)
    workers = [one.start(wave, element) for element in range(2)]
    until((tmp_path / "met").exists)
    for worker in workers:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.communicate()
    until(lambda: not marked(one.path))
    before = {record["index"] for record in one.lines("index")}
    assert len(before) < 50
    said = one.go_on(wave)
    assert "of wave 1 did not close a journal" in said
    ((number, *submitted), (follower, *after)) = one.jobs()
    assert submitted == ["wave", f"--comment=packhorse-{one.run.about().id}-2", "base.sh", "2", "1"]
    assert after[:2] == ["after", f"--dependency={number}"]
    assert after[2:] == [
        f"--comment=packhorse-{one.run.about().id}-2-next",
        str(one.path / "waves/continue.sh"),
        "2",
    ]
    submission = one.kept.of(2)
    assert submission is not None
    assert (submission.job, submission.continuation, submission.elements) == (number, follower, 2)
    assert tasks(one, 2) == set(range(50)) - before
    one.array(2, owner=number)
    assert "no further wave is submitted: 50 of 50 tasks succeeded" in one.go_on(2)
    assert one.stopped() == {"why": "done", "text": "50 of 50 tasks succeeded", "wave": 2}
    assert len(one.lines("index")) == 50, "none ran twice"
    project.command("collect", "s")
    here = Project(tmp_path / "local").write(slow_py=(project.path / "slow.py").read_text())
    here.study(**{**STUDY, "command": "python slow.py {n} {seed}"}).run("-j2")
    assert bits(project.table()) == bits(here.table())


def test_a_study_longer_than_its_jobs_ends_by_itself(desk: Make, project: Project) -> None:
    project.write(nap_py="import sys, time\ntime.sleep(0.2)\nprint('{\"n2\": %s}' % sys.argv[1])\n")
    one = desk({"command": "python nap.py {n}", "parameters": {"n": {"range": [36]}}})
    wave = one.first_wave(elements=2, slots=1)
    one.array(wave, "--seconds", "4", "--margin", "1")
    one.go_on(wave)
    last, why = one.unattended(wave + 1)
    assert why["why"] == "done"
    assert last > 1
    project.command("collect", "s")
    assert project.rows("n2") == list(range(36))
    for number in range(1, last):
        plan = one.run.plan(number + 1)
        assert plan.before.get("OK", 0) == 36 - plan.tasks, "status adds this wave's own"


def test_the_oldest_python_decides_the_same(desk: Make, project: Project) -> None:
    one = desk(STUDY)
    wave = one.first_wave(elements=1, slots=2)
    pretend(one, wave, good(*range(0, 50, 2)) + bad("UNFINISHED", 1, begin=4000.0))
    one.python = [oldest_python()[0], "-S", "-E"]
    one.go_on(wave)
    assert tasks(one, 2) == set(range(1, 50, 2))
    assert one.run.plan(2).probe[0] == 1, "what a deadline cut off comes first"
    assert latest_outcomes(one.run).fold.counts["MISSING"] == 24
    assert one.run.plan(2).before == {"OK": 25}


# Why it stops


def test_nothing_is_submitted_after_the_user_cancelled(desk: Make) -> None:
    one = desk(STUDY)
    wave = one.first_wave()
    (one.path / "cancelled").touch()
    one.go_on(wave)
    assert one.stopped()["why"] == "cancelled"
    assert one.jobs() == []
    assert not (one.path / "waves/2").exists()


@pytest.mark.parametrize(
    ("said", "cancelled"), [("COMPLETED CANCELLED+", True), ("COMPLETED\nNODE_FAIL", False)]
)
def test_the_scheduler_knows_of_a_cancellation(desk: Make, said: str, cancelled: bool) -> None:
    one = desk(
        STUDY,
        asked={
            "argv": ["sh", "-c", f'test "$1" = 7 && echo "{said}"', "sh", "{job}"],
            "cancelled": r"\bCANCELLED",
        },
    )
    wave = one.first_wave()
    one.go_on(wave)
    assert bool(one.stopped()) == cancelled
    assert bool(one.jobs()) != cancelled


def test_a_silent_scheduler_has_not_cancelled(desk: Make) -> None:
    one = desk(
        STUDY,
        asked={
            "argv": ["sh", "-c", "echo CANCELLED; echo no connection >&2; exit 1"],
            "cancelled": r"\bCANCELLED",
        },
    )
    assert "does not tell how the wave ended (no connection)" in one.go_on(one.first_wave())
    assert one.jobs()


def test_two_waves_without_a_result_are_enough(desk: Make) -> None:
    one = desk(STUDY)
    wave = one.first_wave()
    one.go_on(wave)
    assert not one.stopped(), "one may be bad luck"
    one.go_on(2)
    assert one.stopped() == {
        "why": "idle",
        "text": "2 waves in a row had no new result; 50 tasks are left",
        "wave": 2,
    }
    assert len(one.jobs()) == 2
    wave = one.first_wave()
    (one.path / "stopped.json").unlink()
    one.go_on(wave)
    assert not one.stopped(), "who submits again begins again"


def test_caps_on_waves_and_on_core_hours(desk: Make) -> None:
    one = desk(STUDY, waves=1)
    wave = one.first_wave()
    pretend(one, wave, good(0))
    one.go_on(wave)
    assert one.stopped()["text"] == "the limit of 1 wave is reached; 49 tasks are left"
    one.said = {"core_hours": 3.0}
    one.rungs(4, 1, 3600)
    one.go_on(wave)
    submission = one.kept.of(2)
    assert submission is not None
    assert submission.elements == 2, "the first wave has used one core-hour of three"
    one.said = {"core_hours": 0.5}
    one.rungs(4, 1, 3600)
    pretend(one, 2, good(1))
    one.go_on(2)
    assert one.stopped()["why"] == "cap"
    assert one.stopped()["text"].startswith("2.0 core-hours of 0.5 are used")


def test_a_study_that_fails_from_its_start_is_not_repeated(desk: Make, project: Project) -> None:
    project.write(sim_py="import sys\nsys.exit('no such model')\n")
    one = desk(STUDY)
    wave = one.first_wave(elements=1, slots=1)
    ended(one.start(wave), code=4)
    one.go_on(wave)
    assert one.stopped()["why"] == "failing"
    assert one.stopped()["text"] == "the first 20 tasks of a worker all failed in the same way: no such model"


def test_a_function_that_cannot_be_imported_is_not_repeated(desk: Make, project: Project) -> None:
    project.write(model_py="import nothing_like_this\ndef f(n):\n    return n\n")
    one = desk({"function": "model:f", "parameters": {"n": [1, 2]}})
    wave = one.first_wave(elements=1, slots=1)
    ended(one.start(wave), code=4)
    one.go_on(wave)
    assert one.stopped()["why"] == "failing"
    assert "nothing_like_this" in one.stopped()["text"]


# What runs again, and where


def test_tasks_of_a_bad_host_run_elsewhere(desk: Make) -> None:
    one = desk(STUDY)
    wave = one.first_wave(elements=2, slots=1)
    pretend(one, wave, good(*range(20)) + bad("FAILED", 20), host="n1.cluster", element=0)
    pretend(one, wave, bad("FAILED", 30, 31, 32, 33), end="failing", host="n2.cluster", element=1)
    pretend(one, wave, bad("FAILED", 40, 41), host="n3", element=2)
    one.go_on(wave)
    assert tasks(one, 2) == set(range(21, 50)) - {40, 41}, "two failures do not make a host a bad one"
    plan, submission = one.run.plan(2), one.kept.of(2)
    assert submission is not None
    assert (plan.kind, submission.exclude) == ("retry", ("n2",))
    assert "--exclude=n2" in one.jobs()[0]
    assert plan.before == {"OK": 20, "FAILED": 3}
    assert latest_outcomes(one.run).fold.state(30) == "MISSING", "status says so, too"
    # The next wave has bad luck once more; the node of the first is still left out.
    pretend(one, 2, good(21, 22) + bad("FAILED", 30), host="n1", element=0)
    pretend(one, 2, bad("FAILED", 31, 42, 43), host="n4", element=1)
    one.go_on(2)
    assert "--exclude=n2,n4" in one.jobs()[0]
    again = tasks(one, 3)
    assert {42, 43} <= again, "they failed once"
    assert not again & {30, 31}, "they failed on two hosts"


def test_a_node_that_the_scheduler_does_not_know_is_not_left_out(desk: Make) -> None:
    one = desk(STUDY)
    wave = one.first_wave(elements=2, slots=1)
    pretend(one, wave, good(0), host="n1", element=0)
    pretend(one, wave, bad("FAILED", 1, 2, 3), host="login", element=1)
    one.mood("node", "node", "node")
    said = one.go_on(wave)
    assert said.count("trying again") == 1
    assert one.jobs()[0][1:3] == ["wave", f"--comment=packhorse-{one.run.about().id}-2"]


def test_a_bad_node_takes_nothing_where_the_scheduler_sends_elements_there_all_the_same(desk: Make) -> None:
    one = desk(STUDY)
    wave = one.first_wave(elements=1, slots=1, seconds=20)
    here = platform.node().split(".")[0]
    pretend(one, wave, good(0), host="n1", element=0)
    pretend(one, wave, bad("FAILED", 1, 2, 3), host=here, element=1)
    one.go_on(wave)
    assert one.run.work(2)["avoid"] == [here]
    begun = time.monotonic()
    said = ended(one.start(2))
    assert said == f"every task failed on {here} before; no task begins here\n"
    assert time.monotonic() - begun > 0.9, "it keeps its job for a while, a twentieth of its time"
    assert one.leases(2) == []
    (one.path / "waves/2/work.json").write_text(json.dumps({**one.run.work(2), "avoid": ["n7"]}))
    ended(one.start(2))
    assert one.leases(2), "elsewhere it works"


def test_a_wave_that_is_held_is_released_when_something_follows_it(desk: Make) -> None:
    one = desk(STUDY, release=[sys.executable, "{SPOOL}/submit.py", "{SPOOL}", "release", "{job}"])
    one.said["release"] = [word.replace("{SPOOL}", str(one.spool)) for word in one.said["release"]]
    wave = one.first_wave()
    one.go_on(wave)
    sent, after, release = one.jobs()
    assert (sent[1], after[1:3], release[1:]) == (
        "wave",
        ["after", f"--dependency={sent[0]}"],
        ["release", sent[0]],
    )
    submission = one.kept.of(2)
    assert submission is not None
    assert submission.released >= submission.submitted > 0


def test_a_continuation_that_died_before_it_released_is_finished_by_the_next(
    desk: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = desk(STUDY, release=["true", "{job}"])
    wave = one.first_wave()
    one.go_on(wave)
    one.jobs()
    path = one.path / "waves/2/submission.json"
    said = json.loads(path.read_text())
    path.write_text(json.dumps({**said, "released": 0, "continuation": ""}))
    told = one.go_on(wave, "--seconds", "4")
    assert "wave 2 is held; releasing it" in told
    assert [row[1] for row in one.jobs()] == ["after"], "and what follows it, which was missing, too"
    submission = one.kept.of(2)
    assert submission is not None
    assert submission.released > 0


def test_a_scheduler_that_is_away_does_not_bring_a_bad_node_back(desk: Make) -> None:
    one = desk(STUDY)
    wave = one.first_wave(elements=2, slots=1)
    pretend(one, wave, good(0), host="n1", element=0)
    pretend(one, wave, bad("FAILED", 1, 2, 3), host="n2", element=1)
    one.mood("refuse", "refuse", "refuse")
    assert one.go_on(wave, "--seconds", "60").count("trying again") == 3
    assert "--exclude=n2" in one.jobs()[0]


def rungs(*names: str, elements: int = 4) -> list[dict[str, Any]]:
    known: dict[str, dict[str, Any]] = {
        "base": {"memory": 264, "task_memory": 100, "seconds": 3600, "slots": 2},
        "memory": {"memory": 264, "task_memory": 200, "seconds": 3600, "slots": 1},
        "long": {"memory": 264, "task_memory": 100, "seconds": 7200, "slots": 2},
    }
    return [
        {"name": name, "script": f"{name}.sh", "elements": elements, "cores": 2, **known[name]}
        for name in names
    ]


def test_memory_has_its_own_rung_and_its_end(desk: Make) -> None:
    one = desk(STUDY, rungs=rungs("base", "memory"))
    wave = one.first_wave(elements=4, slots=2, seconds=3600)
    pretend(one, wave, good(*range(40)) + bad("MEMORY", 40, 41))
    one.go_on(wave)
    assert tasks(one, 2) == set(range(42, 50)), "the many first, on what they ask for"
    assert one.run.work(2)["memory"] == 100
    pretend(one, 2, good(*range(42, 50)))
    one.go_on(2)
    assert tasks(one, 3) == {40, 41}
    assert one.run.plan(3).kind == "retry"
    assert one.run.work(3)["memory"] == 200, "the worker keeps the new limit, too"
    submission = one.kept.of(3)
    assert submission is not None
    assert (submission.rung, submission.elements, submission.slots) == ("memory", 2, 1)
    pretend(one, 3, good(40) + bad("MEMORY", 41))
    one.go_on(3)
    assert one.stopped() == {
        "why": "done",
        "text": "49 of 50 tasks succeeded, 1 ran out of memory",
        "wave": 3,
    }


def test_a_rung_with_less_than_a_task_was_seen_to_use_is_not_tried(desk: Make) -> None:
    one = desk(STUDY, rungs=rungs("base", "memory"))
    wave = one.first_wave(elements=4, slots=2, seconds=3600)
    pretend(one, wave, good(*range(49)) + bad("MEMORY", 49, memory=447_616))
    one.go_on(wave)
    assert one.stopped()["text"] == "49 of 50 tasks succeeded, 1 ran out of memory"


def test_a_task_longer_than_its_job_gets_a_longer_one_or_is_left_out(desk: Make) -> None:
    one = desk(STUDY, rungs=rungs("base", "long"))
    wave = one.first_wave(elements=4, slots=2, seconds=3600)
    pretend(one, wave, good(*range(48)) + bad("UNFINISHED", 48) + bad("UNFINISHED", 49, begin=3000.0))
    one.go_on(wave)
    submission = one.kept.of(2)
    assert submission is not None
    assert (submission.rung, submission.seconds, tasks(one, 2)) == ("long", 7200, {48, 49})
    pretend(one, 2, good(49) + bad("UNFINISHED", 48))
    one.go_on(2)
    assert one.stopped()["why"] == "done"
    assert "1 had the whole time of a job and saved no newer checkpoint" in one.stopped()["text"]


@pytest.mark.parametrize("newer", [True, False])
def test_a_task_that_saves_goes_on_as_often_as_it_takes(desk: Make, newer: bool) -> None:
    one = desk({**STUDY, "checkpoint": True})
    wave = one.first_wave(elements=1, slots=1, seconds=3600)
    folder = Path(checkpoint_folder(str(one.path), latest_outcomes(one.run).space.key(3)))
    folder.mkdir(parents=True)
    for name, when in (("state", 1500.0 if newer else 900.0), (".task", 2000.0)):
        (folder / name).touch()
        os.utime(folder / name, (when, when))
    pretend(one, wave, good(*(set(range(50)) - {3})) + bad("UNFINISHED", 3))
    one.go_on(wave)
    assert bool(one.jobs()) == newer
    assert bool(one.stopped()) != newer


# Who goes on


def test_of_two_continuations_one_goes_on(desk: Make, tmp_path: Path) -> None:
    # The question about the wave's end holds each until the other has come so far.
    meet = f'touch {tmp_path}/met-$$; while [ "$(ls {tmp_path} | grep -c met-)" -lt 2 ]; do sleep 0.01; done'
    one = desk(STUDY, asked={"argv": ["sh", "-c", meet], "cancelled": r"\bCANCELLED"})
    wave = one.first_wave()
    argv = [*one.python, str(one.archive), "continue", str(one.path), str(wave)]
    both = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=60)[0] for process in both]
    assert sum("wave 2 is planned already and continues this run" in one for one in said) == 1, said
    assert len(one.jobs()) == 2, "a wave and what follows it"
    assert sorted(path.name for path in (one.path / "waves").iterdir() if path.is_dir()) == ["1", "2"]


def test_a_wave_that_somebody_planned_is_left_to_him(desk: Make) -> None:
    one = desk(STUDY)
    wave = one.first_wave()
    assert one.first_wave() == 2
    assert "wave 2 is planned already" in one.go_on(wave)
    assert (one.jobs(), one.stopped()) == ([], {})


def test_a_folder_without_a_plan_is_nobodys_wave(desk: Make) -> None:
    one = desk(STUDY)
    wave = one.first_wave()
    (one.path / "waves/2").mkdir()
    os.utime(one.path / "waves/2", (1e9, 1e9))
    one.go_on(wave)
    assert tasks(one, 3) == set(range(50))
    assert one.jobs()[0][-2] == "3"


def test_a_continuation_that_died_before_it_submitted_is_finished_by_the_next(
    desk: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = desk(STUDY)
    wave = one.first_wave()
    one.mood("silent")
    argv = [*one.python, str(one.archive), "continue", str(one.path), str(wave)]
    first = subprocess.Popen(argv, start_new_session=True, stdout=subprocess.PIPE)
    until(lambda: list(one.spool.glob("jobs/*")))
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    said = one.go_on(wave, "--seconds", "8")
    assert "wave 2 was planned and not submitted; submitting it" in said
    submission = one.kept.of(2)
    assert submission is not None
    assert (submission.job, submission.continuation) == ("101", "102")


def test_a_refusal_is_asked_again_and_then_told(desk: Make) -> None:
    one = desk(STUDY)
    wave = one.first_wave()
    one.mood(*["refuse"] * 9)
    said = one.go_on(wave, "--seconds", "5")
    assert "trying again in 2 s" in said
    assert one.stopped()["why"] == "refused"
    assert one.stopped()["text"].endswith("Batch job submission failed: Invalid account")
    assert not (one.path / "waves/2").exists(), "a wave that cannot start never was"
    (one.path / "stopped.json").unlink()
    one.mood("refuse")
    one.go_on(wave, "--seconds", "30")
    assert (one.stopped(), len(one.jobs())) == ({}, 2)


def test_a_refusal_for_time_is_not_asked_again(desk: Make) -> None:
    one = desk(STUDY)
    wave = one.first_wave()
    one.mood("none", "long", "long")
    said = one.go_on(wave, "--seconds", "60")
    assert "wave 2 runs, but no job continues the run after it" in said
    assert "trying again" not in said
    assert [row[1] for row in one.jobs()] == ["wave"]


def test_a_site_without_a_partition_for_continuations_has_none(desk: Make) -> None:
    one = desk(STUDY, after=[])
    one.go_on(one.first_wave())
    assert [row[1] for row in one.jobs()] == ["wave"]


def test_a_wave_that_nothing_follows_is_told(desk: Make) -> None:
    one = desk(STUDY)
    wave = one.first_wave()
    said = json.loads((one.path / "waves/continue.json").read_text())
    said["after"] = ["false"]
    (one.path / "waves/continue.json").write_text(json.dumps(said))
    assert "wave 2 runs, but no job continues the run after it" in one.go_on(wave, "--seconds", "3")
    assert one.jobs()[0][1] == "wave"


def test_the_array_that_works_on_a_wave_is_the_one_waited_for(desk: Make) -> None:
    one = desk(STUDY)
    wave = one.first_wave()
    ended(one.start(wave, 0, owner="6"))  # the first of two, whose answer was lost
    ended(one.start(wave, 0, owner="7"))
    said = one.go_on(wave)
    assert "wave 1 belongs to job 6 and not to job 7; waiting for it" in said
    ((_, *after),) = one.jobs()
    assert after[:2] == ["after", "--dependency=6"]
    assert "tasks succeeded" in one.go_on(wave), "it has ended now"


def test_a_submission_does_not_inherit_what_the_job_was_told(desk: Make) -> None:
    one = desk(STUDY)
    one.go_on(one.first_wave())
    said = json.loads(next(one.spool.glob("jobs/*")).read_text())
    assert "SLURM_JOB_ID" not in said["env"]
    assert said["env"]["LC_ALL"] == "C"


def test_a_run_of_this_machine_has_no_continuation(desk: Make) -> None:
    one = desk(STUDY)
    wave = one.first_wave()
    (one.path / f"waves/{wave}/submission.json").unlink()
    assert "was not submitted to a scheduler" in one.go_on(wave)


def test_journals_of_a_newer_version_stop_it_politely(desk: Make) -> None:
    one = desk(STUDY)
    wave = one.first_wave()
    pretend(one, wave, good(1), version=99)
    assert "version 99" in one.go_on(wave, code=1)
    assert one.jobs() == []


def test_a_moved_copy_goes_on_alone(desk: Make, tmp_path: Path) -> None:
    one = desk(STUDY)
    wave = one.first_wave()
    copy = tmp_path / "copy"
    shutil.copytree(one.path, copy)
    argv = [*one.python, str(copy / "worker.pyz"), "continue", str(copy), str(wave)]
    subprocess.run(argv, check=True, capture_output=True, timeout=60)
    assert (copy / "waves/2/plan.json").exists()
    assert not (one.path / "waves/2").exists()
