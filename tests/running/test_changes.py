"""What counts as a change of code: only what finished tasks can have used is a question."""

from __future__ import annotations

import json
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from running.project import PACKHORSE, Project

SIM = """
    import json, sys
    import model
    scale = float(open("scale.txt").read())
    print(json.dumps({"y": model.double(int(sys.argv[1])) * scale}))
    """


def study(project: Project, *levels: int, **keys: Any) -> Project:
    return project.study(
        **{"command": "python sim.py {n}", "parameters": {"n": list(levels)}, "result": "json", **keys}
    )


def finished(project: Project, **keys: Any) -> Project:
    """Run two tasks of a project with files that they read, and files that they do not."""
    project.write(
        sim_py=SIM,
        model_py="def double(x):\n    return 2 * x\n",
        scale_txt="1.0\n",
        plot_py="print('a plot')\n",
        other_csv="a,b\n1,2\n",
        notes_txt="an idea\n",
        figure_svg="<svg/>",
        Makefile="all:\n",
    )
    study(project, 1, 2, **keys).run()
    return project


def grown(project: Project, **env: str) -> str:
    """Run one task more; return what was said."""
    said = study(project, 1, 2, 3).run(**env)
    assert project.records() == 3, said
    assert "ph_code" not in project.table().columns
    return said


def refused(project: Project) -> str:
    said = study(project, 1, 2, 3).run(code=5)
    assert "the code changed after 2 tasks finished" in said
    assert project.records() == 2
    return said


def test_a_file_that_gets_the_output_of_the_command_is_no_change(project: Project) -> None:
    project.file("sim.py", "import sys\nprint('{\"y\": %s}' % sys.argv[1])\n")
    for last, name in enumerate(("log.txt", "out.dat", "results.csv", "log.txt", "out.dat"), start=1):
        study(project, *range(1, last + 1))
        with (project.path / name).open("ab") as stream:
            argv = [PACKHORSE, "run", "study.yaml"]
            subprocess.run(argv, cwd=project.path, stdout=stream, stderr=stream, check=True, timeout=90)
    assert project.rows("y") == [1, 2, 3, 4, 5]
    assert "ph_code" not in project.table().columns


def test_the_output_of_the_command_through_a_pipe_is_no_change(project: Project) -> None:
    project.file("sim.py", "import sys\nprint('{\"y\": %s}' % sys.argv[1])\n")
    for levels in ([1, 2], [1, 2, 3]):
        study(project, *levels)
        line = f"{PACKHORSE} run study.yaml 2>&1 | tee -a run.log"
        subprocess.run(line, shell=True, cwd=project.path, check=True, timeout=90, capture_output=True)
    assert project.rows("y") == [1, 2, 3]


# Each would be named if it were a question.
UNREAD = {
    "notes.txt": "another idea\n",
    "plot.py": "print('a better plot')\n",
    "other.csv": "a,b\n3,4\n",
    "figure.svg": "<svg>1</svg>",
    "Makefile": "all: plot\n",
    "new.py": "x = 1\n",
    "new.txt": "a remark",
    "data/new.csv": "1\n",
    "fit.log": "ok",
    ".sim.py.swp": "x",
    "sim.py~": "old",
    "slurm-12.out": "done",
    "sim.Rout": ">",
}


def test_files_that_no_task_read_are_no_question(project: Project) -> None:
    finished(project)
    for name, text in UNREAD.items():
        project.file(name, text)
    grown(project)


def test_a_removed_file_and_an_archive_that_no_task_read_are_no_question(project: Project) -> None:
    finished(project)
    (project.path / "other.csv").unlink()
    with zipfile.ZipFile(project.path / "all.zip", "w") as archive:
        archive.writestr("a.txt", "a")
    grown(project)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("sim.py", SIM + "    # a remark\n", ["sim.py changed: the command names it"]),
        (
            "model.py",
            "def double(x):\n    return x + x\n",
            ["model.py changed: finished tasks read it", "-    return 2 * x", "+    return x + x"],
        ),
        ("scale.txt", "2.0\n", ["scale.txt changed: finished tasks read it", "-1.0", "+2.0"]),
    ],
)
def test_a_file_that_tasks_read_is_a_question_with_its_reason(
    project: Project, name: str, text: str, expected: list[str]
) -> None:
    finished(project)
    project.file(name, text)
    said = refused(project)
    for row in expected:
        assert row in said
    for offer in ("--keep", "--old-code", "--fresh"):
        assert offer in said


def test_a_removed_module_and_a_changed_command_are_questions(project: Project) -> None:
    finished(project)
    (project.path / "scale.txt").unlink()
    assert "scale.txt was removed: finished tasks read it" in refused(project)
    project.file("scale.txt", "1.0\n")
    study(project, 1, 2, 3, command="python -O sim.py {n}")
    assert "the command changed after 2 tasks finished" in project.run(code=5)


def test_a_file_that_a_parameter_names_is_a_question_once_a_task_has_read_it(project: Project) -> None:
    project.write(
        sim_py="import sys\nprint('{\"y\": %d}' % len(open(sys.argv[1]).read()))\n", a_png="x", b_png="xx"
    )
    keys: dict[str, Any] = {"command": "python sim.py {input}", "result": "json"}
    project.study(**keys, parameters={"input": ["a.png"]}).run()
    project.file("b.png", "xxx")
    project.study(**keys, parameters={"input": ["a.png", "b.png"]}).run()
    assert project.rows("y") == [1, 3], "new tasks get the file as it is now"
    project.file("b.png", "xxxx")
    project.study(**keys, parameters={"input": ["a.png", "b.png"]}, replicates=2)
    assert "b.png changed: finished tasks read it" in project.run(code=5)


def test_an_output_that_the_command_names_is_no_question(project: Project) -> None:
    project.write(
        sim_py="import sys\nopen(sys.argv[2], 'w').write('y\\n%s\\n' % sys.argv[1])\n", fit_csv="y\n0\n"
    )
    study(project, 1, 2, command="python sim.py {n} fit.csv", result="fit.csv").run()
    project.file("fit.csv", "y\n9\n")
    study(project, 1, 2, 3, command="python sim.py {n} fit.csv", result="fit.csv").run()
    assert project.rows("y") == [1, 2, 3]


@pytest.mark.r
def test_what_an_r_script_sources_and_reads_is_a_question(project: Project) -> None:
    project.write(
        sim_R='source("helper.R"); cat(sprintf(\'{"y": %g}\\n\', half(nrow(read.csv("x.csv")))))\n',
        helper_R="half <- function(n) n / 2\n",
        other_R="plot(1)\n",
        x_csv="a\n1\n2\n",
    )
    keys: dict[str, Any] = {"command": "Rscript sim.R", "result": "json"}
    project.study(**keys).run()
    project.file("other.R", "plot(2)\n")
    project.study(**keys, replicates=2).run()
    project.file("x.csv", "a\n1\n2\n3\n")
    project.study(**keys, replicates=3)
    assert "x.csv changed: finished tasks read it" in project.run(code=5)
    project.file("x.csv", "a\n1\n2\n")
    project.file("helper.R", "half <- function(n) n / 2.0\n")
    said = project.run(code=5)
    assert "+half <- function(n) n / 2.0" in said


@pytest.mark.parametrize(
    ("name", "asks"),
    [
        ("plot.py", True),
        ("other.csv", True),
        ("figure.svg", False),
        ("notes.txt", False),
        ("out/a.csv", False),
    ],
)
def test_where_reads_are_not_seen_the_kind_of_file_decides(project: Project, name: str, asks: bool) -> None:
    project.file("out/a.csv", "1\n")
    # Python then reads byte code from another folder in place of the sources, so that reads are not seen.
    elsewhere = {"PYTHONPYCACHEPREFIX": str(project.path.parent / "cache")}
    project.write(
        sim_py="print('{\"y\": 1}')\n", plot_py="1\n", other_csv="1\n", figure_svg="1", notes_txt="1"
    )
    study(project, 1, 2).run(**elsewhere)
    project.file(name, "changed\n")
    said = study(project, 1, 2, 3).run(code=5 if asks else 0)
    assert ("finished tasks may have read it" in said) == asks


def test_functions_are_judged_by_what_they_import(project: Project) -> None:
    project.write(
        sim_py="import model\ndef f(n):\n    import late\n    return model.y + late.y + n\n",
        model_py="y = 1\n",
        late_py="y = 2\n",
        never_py="y = 3\n",
    )
    project.study(function="sim:f", parameters={"n": [1]}).run()
    project.file("never.py", "y = 4\n")
    project.study(function="sim:f", parameters={"n": [1, 2]}).run()
    project.file("late.py", "y = 5\n")
    project.study(function="sim:f", parameters={"n": [1, 2, 3]})
    assert "late.py changed: finished tasks read it" in project.run(code=5)


def test_a_checkpoint_outlives_a_change_of_a_log(project: Project) -> None:
    project.write(
        sim_py="""
        import sys
        from packhorse import task
        saved = task.checkpoint / "saved"
        if not saved.exists():
            saved.touch()
            sys.exit("once more")
        """
    )
    project.study(command="python sim.py", checkpoint=True, result="none").run(code=7)
    project.file("run.log", "grown")
    project.command("retry", "s")
    assert project.records() == 2


# Failed tasks whose code was mended


BUG = "import sys\nn = int(sys.argv[1])\nprint('{\"y\": %d}' % (6 // (2 - n)))\n"


def test_failed_tasks_run_again_when_their_bug_is_mended(project: Project) -> None:
    project.file("sim.py", BUG)
    study(project, 2).run(code=7)
    assert "nothing is left to run, 1 failed" in project.run(code=7), "nothing has changed"
    project.file("sim.py", BUG.replace("2 - n", "5 - n"))
    assert "nothing is left to run, 1 failed" in project.run("--failed=keep", code=7)
    planned = json.loads(project.command("plan", "study.yaml", "--json"))
    assert (planned["missing"], planned["failed"]) == (1, 0)
    assert any(note.startswith("1 task that failed with other code") for note in planned["notes"])
    said = project.run()
    assert "1 task that failed with other code, environment or data will run again" in said
    assert project.rows("y") == [2]


def test_beside_finished_tasks_a_mended_bug_is_a_question(project: Project) -> None:
    project.file("sim.py", BUG)
    study(project, 1, 2).run(code=7)
    project.file("sim.py", BUG.replace("2 - n", "5 - n"))
    said = project.run(code=5)
    assert "the code changed after 1 task finished (sim.py changed)" in said
    assert "keep the 1 finished tasks, run the 1 that failed" in said
    assert "--failed=keep" in said
    assert "--old-code" not in said, "with the old code it would fail again"
    assert project.records() == 2
    project.run("--keep")
    assert project.rows("n", "y") == [(1, 6), (2, 2)]


def test_a_new_file_that_was_missing_lets_failed_tasks_run_again(project: Project) -> None:
    project.file("sim.py", "import sys\nprint('{\"y\": %s}' % open(sys.argv[1] + '.txt').read())\n")
    project.file("1.txt", "7")
    study(project, 1, 2).run(code=7)
    project.file("2.txt", "8")
    said = project.run()
    assert "1 task that failed" in said
    assert project.rows("y") == [7, 8]
    assert "ph_code" not in project.table().columns


def test_a_task_that_timed_out_runs_again_with_quicker_code(project: Project) -> None:
    project.file("sim.py", "import time\ntime.sleep(60)\n")
    study(project, 1, time_limit="1 s").run(code=7)
    project.file("sim.py", "print('{\"y\": 1}')\n")
    project.run()
    assert project.rows("y") == [1]


def test_a_changed_note_or_log_does_not_let_failed_tasks_run_again(project: Project) -> None:
    project.file("sim.py", BUG)
    project.file("notes.txt", "1")
    study(project, 1, 2).run(code=7)
    project.file("notes.txt", "2")
    project.file("run.log", "2")
    assert "nothing is left to run, 1 failed" in project.run(code=7)
    assert project.records() == 2


def test_failed_and_missing_tasks_run_together(project: Project) -> None:
    project.file("sim.py", BUG)
    study(project, 2).run(code=7)
    project.file("sim.py", BUG.replace("2 - n", "5 - n"))
    said = study(project, 2, 3).run()
    assert "2 of 2 tasks done" in said
    assert project.rows("y") == [2, 3]


def test_the_interface_of_python_keeps_failed_tasks_too(project: Project, monkeypatch: Any) -> None:
    import packhorse

    monkeypatch.chdir(project.path)
    keys: dict[str, Any] = {
        "name": "s",
        "command": "python sim.py {n}",
        "parameters": {"n": [2]},
        "result": "json",
        "folder": Path.cwd(),
    }
    project.file("sim.py", BUG)
    packhorse.Study(**keys).run(check=False, progress=False)
    project.file("sim.py", BUG.replace("2 - n", "5 - n"))
    kept = packhorse.Study(**keys).run(check=False, progress=False, failed="keep")
    assert kept.status()["failed"] == 1
    assert packhorse.Study(**keys).run(progress=False).status()["done"] == 1


def test_a_changed_key_of_the_study_is_named_as_what_it_is(project: Project) -> None:
    finished(project)
    for keys, said in [
        ({"command": "python ./sim.py {n}"}, "the command changed after 2 tasks finished"),
        ({"result": "auto"}, "the result changed after 2 tasks finished"),
    ]:
        shown = study(project, 1, 2, 3, **keys).run(code=5)
        assert said in shown
        assert "code changed" not in shown
    project.write(scale_txt="2.0\n")
    assert "the code and command changed" in study(project, 1, 2, 3, command="python ./sim.py {n}").run(
        code=5
    )
