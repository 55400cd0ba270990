"""Runs that are stopped, continued, grown and changed: results are bit for bit those of an undisturbed run."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from packhorse.model.errors import Stopped
from running.project import Project, bits, marked, until, workers

SIM = """
    import json, random, sys
    n, sd, seed = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    draw = random.Random(seed)
    print(json.dumps({"mean": sum(draw.gauss(0, sd) for _ in range(n)) / n, "first": draw.random()}))
    """
MODEL = """
    def f(n, sd, rng):
        x = rng.normal(0, sd, n)
        return {"mean": x.mean(), "first": rng.random()}
    """
KINDS = {
    "script": {"command": "python sim.py {n} {sd} {seed}"},
    "function": {"function": "model:f"},
}
GRID = {"n": [3, 5, 8], "sd": [0.5, 2]}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> dict[str, Any]:
    return KINDS[request.param]


def grid(path: Path, kind: dict[str, Any], parameters: dict[str, Any], **keys: Any) -> Project:
    project = Project(path).write(sim_py=SIM, model_py=MODEL)
    return project.study(**kind, parameters=parameters, **{"replicates": 3, **keys})


def by_key(project: Project, *names: str) -> dict[tuple[Any, ...], tuple[str, ...]]:
    """Return results by parameters and replicate, since growth moves a task's index."""
    table = project.table()
    keys = table.select(*names, "replicate").rows()
    values = [(a.hex(), b.hex(), c) for a, b, c in table.select("mean", "first", "seed").rows()]
    return dict(zip(keys, values, strict=True))


def test_one_slot_two_slots_and_pieces_give_the_same_bits(tmp_path: Path, kind: dict[str, Any]) -> None:
    one = grid(tmp_path / "one", kind, GRID)
    one.run("-j1")
    two = grid(tmp_path / "two", kind, GRID)
    two.run("-j2")
    assert bits(one.table()) == bits(two.table())
    assert one.rows("ph_index") == list(range(18))


def test_a_grown_run_runs_only_what_is_new_and_equals_one_made_whole(
    tmp_path: Path, kind: dict[str, Any]
) -> None:
    whole = grid(tmp_path / "whole", kind, {"n": [2, 3, 5, 8], "sd": [0.5, 2]}, replicates=5)
    whole.run("-j2")
    grown = grid(tmp_path / "grown", kind, {"n": [3, 8], "sd": [0.5, 2]}, replicates=2)
    grown.run("-j2")
    assert grown.records() == 8
    grid(grown.path, kind, {"n": [3, 8], "sd": [0.5, 2]}, replicates=5).run("-j1")
    assert grown.records() == 20
    grid(grown.path, kind, {"n": [2, 3, 5, 8], "sd": [0.5, 2]}, replicates=5).run("-j2")
    assert grown.records() == 40
    assert bits(grown.table()) == bits(whole.table())


def test_levels_in_another_order_run_nothing_and_keep_their_results(
    tmp_path: Path, kind: dict[str, Any]
) -> None:
    project = grid(tmp_path / "project", kind, GRID)
    project.run("-j2")
    before = by_key(project, "n", "sd")
    said = grid(project.path, kind, {"sd": [2.0, 0.5], "n": [8, 5, 3]}).run()
    assert "nothing is left to run" in said
    assert project.records() == 18
    assert by_key(project, "n", "sd") == before
    assert project.rows("n")[:3] == [8, 8, 8]


def test_a_level_taken_away_and_given_back_runs_nothing(tmp_path: Path, kind: dict[str, Any]) -> None:
    project = grid(tmp_path / "project", kind, GRID)
    project.run("-j2")
    before = bits(project.table())
    grid(project.path, kind, {"n": [3], "sd": [0.5, 2]}).run()
    assert len(project.table()) == 6
    grid(project.path, kind, GRID).run()
    assert project.records() == 18
    assert bits(project.table()) == before


def test_a_new_parameter_with_the_value_that_finished_tasks_had(tmp_path: Path) -> None:
    project = grid(tmp_path / "project", KINDS["script"], {"n": [3, 5]})
    project.study(command="python sim.py {n} 0.5 {seed}", parameters={"n": [3, 5]}, replicates=2).run()
    first = project.table().select("mean", "first", "seed").rows()
    keys = {"command": "python sim.py {n} {sd} {seed}", "replicates": 2, "defaults": {"sd": 0.5}}
    project.study(**keys, parameters={"n": [3, 5], "sd": [0.5, 2]}).run("--keep")
    table = project.table()
    assert project.records() == 8
    assert table.filter(table["sd"] == 0.5).select("mean", "first", "seed").rows() == first


def changed(project: Project) -> str:
    """Change the code after some tasks have finished, and add tasks; return the refusal."""
    project.study(command="python sim.py {n}", parameters={"n": [1, 2]}, result="json")
    project.file("sim.py", 'import sys\nprint(\'{"y": "old %s"}\' % sys.argv[1])\n')
    project.run()
    project.study(command="python sim.py {n}", parameters={"n": [1, 2, 3]}, result="json")
    project.file("sim.py", 'import sys\nprint(\'{"y": "new %s"}\' % sys.argv[1])\n')
    return project.run(code=5)


@pytest.mark.parametrize(
    ("offer", "expected"),
    [
        ("--keep", ["old 1", "old 2", "new 3"]),
        ("--old-code", ["old 1", "old 2", "old 3"]),
        ("--fresh", ["new 1", "new 2", "new 3"]),
    ],
)
def test_changed_code_stops_with_three_offers_that_work(
    project: Project, offer: str, expected: list[str]
) -> None:
    said = changed(project)
    assert "the code changed after 2 tasks finished" in said
    (line,) = [row for row in said.splitlines() if offer in row]
    words = line.split()
    assert words[:2] == ["packhorse", "run"]
    project.command(*words[1 : words.index(offer) + 1])
    assert project.rows("y") == expected
    assert ("ph_code" in project.table().columns) == (offer == "--keep")
    assert "nothing is left to run" in project.run(code=None), "and then the question is settled"


def test_a_changed_note_beside_the_code_changes_nothing(project: Project) -> None:
    project.write(sim_py="print('{\"y\": 1}')\n").study(command="python sim.py", result="json").run()
    project.write(notes_md="an idea\n")
    project.study(command="python sim.py", result="json", replicates=2).run()
    assert project.records() == 2


def test_changed_data_and_a_changed_environment_stop_too(project: Project) -> None:
    project.write(sim_py="print('{\"y\": %s}' % open('x.txt').read().strip())\n", x_txt="1\n")
    keys: dict[str, Any] = {"command": "python sim.py", "data": ["x.txt"], "result": "json"}
    project.study(**keys).run()
    project.write(x_txt="2\n").study(**keys, replicates=2)
    said = project.run(code=5)
    assert "the data changed after 1 task" in said
    project.run("--keep")
    assert project.rows("y") == [1, 2]
    project.study(**keys, replicates=3, environment={"python": sys.base_prefix + "/bin/python3"})
    assert "the environment changed after" in project.run(code=5)


def test_a_changed_seed_is_not_mixed(project: Project) -> None:
    keys: dict[str, Any] = {"command": "echo '{{\"y\": {seed}}}'", "result": "json"}
    project.study(**keys, seed=1).run()
    project.study(**keys, seed=2, replicates=2)
    assert "seed" in project.run(code=5)
    project.run("--fresh")
    assert project.rows("y") == project.rows("seed")


def test_failed_tasks_wait_for_retry(project: Project) -> None:
    flag = project.path.parent / "flag"
    project.write(
        sim_py=f"import os, sys\nif sys.argv[1] != '1' and not os.path.exists({str(flag)!r}):\n    sys.exit('no flag')\nprint('{{\"y\": 1}}')\n"
    )
    project.study(command="python sim.py {n}", parameters={"n": [1, 2, 3]}, result="json").run(code=7)
    flag.touch()
    assert "2 failed" in project.run(code=7)
    project.command("retry", "s", "--where", "n=2", code=7)
    assert project.rows("n") == [1, 2]
    project.command("retry", "s")
    assert project.rows("n") == [1, 2, 3]
    assert project.records() == 5
    assert "no failed task" in project.command("retry", "s", code=5)


def slow(project: Project, seconds: float = 0.3, **keys: Any) -> Project:
    project.write(
        sim_py=f"import json, sys, time\ntime.sleep({seconds})\nprint(json.dumps({{'y': int(sys.argv[1])}}))\n"
    )
    return project.study(**{"command": "python sim.py {n}", "parameters": {"n": {"range": [12]}}, **keys})


def finished(project: Project, number: int) -> bool:
    return project.records() >= number


def test_ctrl_c_in_a_terminal_keeps_what_is_finished(project: Project) -> None:
    slow(project)
    ours, theirs = pty.openpty()
    process = project.start("run", "study.yaml", "-j2", stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    until(lambda: finished(project, 3))
    os.killpg(process.pid, signal.SIGINT)  # what the terminal's driver does at Ctrl-C
    said = b""
    while process.poll() is None or said[-1:] != b"\n":
        try:
            said += os.read(ours, 1 << 16)
        except OSError:  # EIO: the other end is closed
            break
    assert process.wait(30) == Stopped.exit_code == 130
    assert b"run the same command again to continue" in said
    assert b"Traceback" not in said
    assert marked(project.directory) == []
    done = len(project.table())
    assert 3 <= done < 12
    assert f"next: packhorse run {project.path}/study.yaml\n" in project.command("status")
    started = project.records()
    project.run()
    assert project.rows("y") == list(range(12))
    assert project.records() == started + 12 - done, "what was finished did not run again"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_polite_end_keeps_what_is_finished(project: Project, number: signal.Signals) -> None:
    process = slow(project).start("run", "study.yaml", "-j2")
    until(lambda: finished(project, 2))
    process.send_signal(number)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 130, said
    assert len(project.table()) >= 2
    assert marked(project.directory) == workers(project.directory) == []


def test_killed_and_resumed_gives_the_same_bits(tmp_path: Path, kind: dict[str, Any]) -> None:
    parameters = {"n": [20_000, 30_000, 40_000], "sd": [0.5, 2]}
    whole = grid(tmp_path / "whole", kind, parameters, replicates=6)
    whole.run("-j2")
    project = grid(tmp_path / "killed", kind, parameters, replicates=6)
    process = project.start("run", "study.yaml", "-j2")
    until(lambda: finished(project, 3))
    process.kill()
    process.communicate()
    project.run("-j1")
    assert bits(project.table()) == bits(whole.table())


def test_a_second_run_is_refused_and_says_how_to_look_and_to_stop(project: Project) -> None:
    process = slow(project, 1).start("run", "study.yaml", "-j2")
    until(lambda: marked(project.directory) if (project.directory / "run.json").exists() else [])
    said = project.run(code=5)
    assert f"another `packhorse run` is using {project.directory}" in said
    assert f"(process {process.pid})" in said
    assert "packhorse status" in said
    assert "packhorse cancel" in said
    project.command("collect", "s", code=None)
    assert "running" in project.command("status", "s")
    until(lambda: finished(project, 2))
    project.command("collect", "s", code=None)
    assert len(project.table()) >= 2
    assert set(project.rows("y")) <= set(range(12))
    project.command("cancel", "s")
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 130, out
    assert marked(project.directory) == workers(project.directory) == []


def test_rerun_compares_and_finds_what_differs(project: Project) -> None:
    project.write(
        sim_py="import json, os, sys\nprint(json.dumps({'y': 0.1 * int(sys.argv[1]), 'z': os.getpid() if sys.argv[1] == '2' else 0}))\n"
    )
    project.study(command="python sim.py {n}", parameters={"n": [1, 2, 3, 4]}).run()
    before = bits(project.table())
    said = project.command("rerun", "s", "--sample", "20", "--where", "n=1,3,4")
    assert "3 of 3 finished tasks had the same result again" in said
    said = project.command("rerun", "s", "--sample", "20", code=7)
    assert "3 of 4" in said
    assert "task 1, z" in said
    assert bits(project.table()) == before, "a rerun changes nothing in the run"


def test_a_run_directory_that_was_moved_goes_on(project: Project) -> None:
    keys: dict[str, Any] = {"command": "python sim.py {n}", "result": "json"}
    project.write(sim_py="import sys\nprint('{\"y\": %s}' % sys.argv[1])\n")
    project.study(**keys, parameters={"n": [1, 2]}).run()
    moved = project.path.parent / "elsewhere"
    shutil.move(project.directory, moved)
    project.study(**keys, parameters={"n": [1, 2, 3]}).run("--run", moved)
    assert not project.directory.exists()
    said = json.loads(project.command("status", moved, "--json"))
    assert (said["done"], said["tasks"]) == (3, 3)
    project.command("rerun", moved)


def test_the_project_itself_may_move(project: Project) -> None:
    project.write(sim_py="import sys\nprint('{\"y\": %s}' % sys.argv[1])\n")
    project.study(command="python sim.py {n}", parameters={"n": [1, 2]}, result="json").run()
    there = Project(project.path.rename(project.path.parent / "moved"))
    there.study(command="python sim.py {n}", parameters={"n": [1, 2, 3]}, result="json").run()
    assert there.rows("y") == [1, 2, 3]
    assert there.records() == 3


HOSTILE = [
    "it's", 'say "x"', "$(touch bad)", "`touch bad`", "a\nb", "\n", "-n", "--help", "", " ", "nan", "inf", "-inf",
    "NaN", "null", "~", "yes", "1e3", "0x10", "007", "a;b", "a|b", "*", "?", "[a]", "{n}", "{{", "%s", "%%", "\\",
    "\\n", "a\\", "λ→ü", "🐎", "\t", "\r\n", "!!", "#no", "a: b", "- a", "&a", "x" * 5000,
]  # fmt: skip
READ = """
    import json, os, sys
    path = sys.argv[2]
    with open(path, encoding="utf-8") as stream:
        params = json.load(stream)
    from packhorse import task
    print(json.dumps({
        "argv": sys.argv[1], "env": os.environ["PACKHORSE_PARAM_word"], "file": params["word"],
        "all": json.loads(os.environ["PACKHORSE_TASK"])["params"]["word"], "task": task.params["word"],
    }))
    """


def test_hostile_values_arrive_unchanged_by_every_way(project: Project) -> None:
    project.write(read_py=READ)
    project.study(
        command="python read.py {word} {params.json}", parameters={"word": HOSTILE}, result="json"
    ).run()
    for way in ("word", "argv", "env", "file", "all", "task"):
        assert project.rows(way) == HOSTILE, way
    assert not list(project.path.rglob("bad"))


def test_hostile_values_arrive_unchanged_through_a_shell(project: Project) -> None:
    project.write(read_py="import json, sys\nprint(json.dumps({'argv': sys.argv[1], 'n': len(sys.argv)}))\n")
    project.study(
        command="python read.py {word} && true", shell=True, parameters={"word": HOSTILE}, result="json"
    ).run()
    assert project.rows("argv") == HOSTILE
    assert set(project.rows("n")) == {2}


def test_hostile_values_arrive_unchanged_at_a_function(project: Project) -> None:
    project.write(model_py="def f(word):\n    return {'back': word}\n")
    project.study(function="model:f", parameters={"word": HOSTILE}).run()
    assert project.rows("back") == HOSTILE == project.rows("word")


@pytest.mark.parametrize("kind", ["command", "function"])
def test_hostile_names_of_project_and_run_directory(weird_path: Path, kind: str) -> None:
    project = Project(weird_path)
    project.write(
        sim_py="import json, sys\nfrom model import f\nprint(json.dumps(f(sys.argv[1])))\n",
        model_py="def f(n):\n    return {'y': int(n), 'x': open('x.txt').read()}\n",
        x_txt="data",
    )
    keys = {"function": "model:f"} if kind == "function" else {"command": "python sim.py {n}"}
    project.study(**keys, parameters={"n": [1, 2, 3]}, data=["x.txt"], artifacts=["*.none"]).run("-j2")
    assert project.rows("y", "x") == [(1, "data"), (2, "data"), (3, "data")]
    elsewhere = weird_path.parent / "-r 'un\" $(x)\n"
    project.run("--run", str(elsewhere), "-j2")
    assert len(list(elsewhere.glob("results.parquet"))) == 1
    project.command("rerun", "s")
    project.command("status", elsewhere)


def test_artifacts_that_a_killed_task_left_halfway_are_removed(project: Project) -> None:
    project.write(sim_py='open("kept.txt", "w").write("x")\n')
    project.study(
        command="python sim.py {i}", parameters={"i": [1, 2]}, result="none", artifacts=["kept.txt"]
    )
    project.run()
    (project.directory / "artifacts" / "0.4242").mkdir()
    project.study(
        command="python sim.py {i}", parameters={"i": [1, 2, 3]}, result="none", artifacts=["kept.txt"]
    )
    project.run()
    assert sorted(one.name for one in (project.directory / "artifacts").iterdir()) == ["0", "1", "2"]


def test_files_of_tasks_stay_theirs_when_the_study_grows_in_its_midst(project: Project) -> None:
    """Indices shift: without folders of their own, new tasks would replace files, and lose the state, of others."""
    project.write(
        sim_py="""
            import os, pathlib, sys
            n = sys.argv[1]
            state = pathlib.Path(os.environ["PACKHORSE_CHECKPOINT"], "state")
            pathlib.Path("kept.txt").write_text(n + (state.read_text() if state.exists() else ""))
            state.write_text(" again")
            assert n != "5" or pathlib.Path("kept.txt").read_text() == "5 again"
            print(n)
            """
    )

    def kept(*levels: int, code: int = 0) -> dict[int, str]:
        keys = {"checkpoint": True, "artifacts": ["kept.txt"], "parameters": {"n": levels}}
        project.study(command="python sim.py {n}", **keys).run("-j1", code=code)
        rows = project.rows("n", "ph_artifacts")
        return {n: (project.directory / folder / "kept.txt").read_text() for n, folder in rows}

    assert kept(2, 5, code=7) == {2: "2"}
    assert (project.directory / "artifacts/1/kept.txt").read_text() == "5"
    assert json.loads(project.command("explain", "--json", "--task", "1"))["folder"] == "artifacts/1"
    assert kept(1, 2, 5, code=7) == {1: "1", 2: "2"}, "a failed task waits for retry"
    assert (project.directory / "artifacts/1/kept.txt").read_text() == "5"
    project.command("retry")
    assert kept(1, 2, 5) == {1: "1", 2: "2", 5: "5 again"}
    assert json.loads(project.command("explain", "--json", "--task", "1"))["folder"] == "artifacts/0"
    assert kept(1, 2, 5, 8) == {1: "1", 2: "2", 5: "5 again", 8: "8"}, "no index shifts"


def test_a_study_without_a_name_is_retried_and_continued_by_its_run(project: Project) -> None:
    """The default name of study.yaml is that of its folder, however its path is typed."""
    project.file("study.yaml", "command: [python, -c, 'import sys; sys.exit(1)']\n")
    assert "1 failed" in project.run(code=7)
    run = project.path / "runs" / project.path.name
    assert run.is_dir()
    for words in (
        ("retry", run.name),
        ("run", str(run), "--fresh"),
        ("run", f"../{run.name}/study.yaml", "--fresh"),
    ):
        assert "the task has no result" in project.command(*words, code=7)
