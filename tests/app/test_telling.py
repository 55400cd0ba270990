"""What the command says at the end of a run, and what it does about it."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., subprocess.CompletedProcess[str]]

SIM = "import json, sys\nprint(json.dumps({'x': float(sys.argv[1]) / 7}))\n"


def study(folder: Path, text: str, **files: str) -> None:
    """Write a study and the files beside it; `__` in a name stands for the dot."""
    (folder / "study.yaml").write_text(text)
    for name, content in files.items():
        path = folder / name.replace("__", ".").replace("SLASH", "/")
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


def committed(folder: Path) -> None:
    git(folder, "init")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "all")


def table(folder: Path, run: str) -> list[dict[str, str]]:
    with (folder / "runs" / run / "results.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_what_no_commit_has_is_said(tmp_path: Path, packhorse: Command) -> None:
    study(tmp_path, "name: s\ncommand: python sim.py {n}\nparameters: {n: [1, 2]}\n", sim__py=SIM)
    committed(tmp_path)
    assert "uncommitted" not in packhorse("run").stdout
    (tmp_path / "sim.py").write_text(SIM + "# more\n")
    (tmp_path / "new.py").write_text("")
    said = packhorse("run", "--fresh").stdout
    assert "uncommitted: 1 changed (sim.py) and 1 untracked (new.py)" in said


def test_equal_outputs_of_different_seeds_are_told_by_run_and_collect(
    tmp_path: Path, packhorse: Command
) -> None:
    study(
        tmp_path,
        "name: s\ncommand: python sim.py {n}\nparameters: {n: [1]}\nreplicates: 3\n",
        sim__py=SIM.replace("/ 7", "* 3.14159265358979"),
    )
    for command in ("run", "collect"):
        said = packhorse(command).stdout
        assert said.count("3 of 3 tasks have different seeds but identical output in x") == 1


def test_a_run_without_results_says_how_to_get_them(tmp_path: Path, packhorse: Command) -> None:
    study(tmp_path, "name: s\ncommand: echo hello {n}\nparameters: {n: [1, 2]}\n")
    assert packhorse("run").stdout.count("no task returned a result") == 1
    study(tmp_path, "name: t\ncommand: echo hello {n}\nparameters: {n: [1, 2]}\nresult: none\n")
    assert "no task returned a result" not in packhorse("run").stdout
    study(tmp_path, "name: u\ncommand: python sim.py {n}\nparameters: {n: [1, 2]}\n", sim__py=SIM)
    assert "no task returned a result" not in packhorse("run").stdout


def test_the_summary_of_the_study_ends_its_run(tmp_path: Path, packhorse: Command) -> None:
    text = "name: s\ncommand: python sim.py {n}\nparameters: {n: [7, 14]}\nsummary: {by: n}\n"
    study(tmp_path, text, sim__py=SIM)
    rows = [line.split("|") for line in packhorse("run").stdout.splitlines() if line.startswith("|")]
    place = [word.strip() for word in rows[0]].index("mean")
    assert [(row[1].strip(), float(row[place])) for row in rows[2:]] == [
        ("7", 1.0),
        ("14", 2.0),
        ("all", 1.5),
    ]


def test_a_summary_that_cannot_be_made_does_not_fail_the_run(tmp_path: Path, packhorse: Command) -> None:
    text = "name: s\ncommand: python sim.py {n}\nparameters: {n: [1]}\nsummary: {of: absent}\n"
    study(tmp_path, text, sim__py=SIM)
    done = packhorse("run")
    assert "no summary: the table has no column 'absent'" in done.stdout
    assert done.returncode == 0


READERS = {
    "python": ("read.py", "python read.py", "print(open('big.dat').read())"),
    "shell": ("read.sh", "sh read.sh", "cat big.dat"),
    "absolute": ("read.py", "python read.py", "import os\nprint(open(os.path.abspath('big.dat')).read())"),
    "r": ("read.R", "Rscript read.R", "x <- read.csv('big.dat')"),
}


@pytest.mark.parametrize(
    "reader", [pytest.param(name, marks=[pytest.mark.r] if name == "r" else []) for name in READERS]
)
def test_a_file_that_git_ignores_is_named_with_its_cure(
    reader: str, tmp_path: Path, packhorse: Command
) -> None:
    name, command, code = READERS[reader]
    study(tmp_path, f"name: s\ncommand: {command}\n", **{name.replace(".", "__"): code})
    (tmp_path / ".gitignore").write_text("*.dat\n")
    (tmp_path / "big.dat").write_text("a,b\n1,2\n")
    committed(tmp_path)
    done = packhorse("run")
    assert done.returncode == 7
    assert "big.dat is in the project but not in the snapshot" in done.stdout
    assert "data: [big.dat]" in done.stdout
    with (tmp_path / "study.yaml").open("a") as stream:
        stream.write("data: [big.dat]\n")
    assert packhorse("run", "--fresh").returncode == 0


def test_a_file_that_the_project_has_not_is_not_promised(tmp_path: Path, packhorse: Command) -> None:
    study(tmp_path, "name: s\ncommand: python read.py\n", read__py="open('nowhere.dat')")
    done = packhorse("run")
    assert "nowhere.dat" in done.stdout
    assert "in the snapshot" not in done.stdout


def test_a_module_that_git_ignores_is_named_with_its_cure(tmp_path: Path, packhorse: Command) -> None:
    files = {
        "sim__py": "import settings\nprint('{\"x\": 1}')",
        "settings__py": "",
        "__gitignore": "settings.py\n",
    }
    study(tmp_path, "name: s\ncommand: python sim.py\n", **files)
    committed(tmp_path)
    done = packhorse("run")
    assert done.returncode == 7
    assert "include: [settings.py]" in done.stdout
    with (tmp_path / "study.yaml").open("a") as stream:
        stream.write("include: [settings.py]\n")
    assert packhorse("run", "--fresh").returncode == 0


def test_a_function_whose_module_is_elsewhere_is_told_the_path(tmp_path: Path, packhorse: Command) -> None:
    files = {"sim__py": "import deep\ndef f(n): return {'y': deep.one + n}", "libSLASHdeep__py": "one = 1"}
    study(tmp_path, "name: s\nfunction: sim:f\nparameters: {n: [1, 2]}\n", **files)
    done = packhorse("run")
    assert done.returncode == 7
    assert "env: {PYTHONPATH: lib}" in done.stdout
    with (tmp_path / "study.yaml").open("a") as stream:
        stream.write("env: {PYTHONPATH: lib}\n")
    assert packhorse("run", "--fresh").returncode == 0


def test_what_the_first_task_left_behind_is_told_once(tmp_path: Path, packhorse: Command) -> None:
    code = SIM + "open('fit.txt', 'w').write('x')\n"
    study(tmp_path, "name: s\ncommand: python sim.py {n}\nparameters: {n: [1, 2]}\n", sim__py=code)
    done = packhorse("run")
    assert (done.stdout + done.stderr).count("fit.txt") == 2  # the sentence, and the line to write
    assert "fit.txt" not in done.stdout
    assert packhorse("collect").stdout.count("fit.txt") == 1


TASK = """\
import json
import helper
from packhorse import task
print(json.dumps({"n": helper.twice(task.params["n"]), "seed": task.seed}))
"""


def test_a_task_can_be_repeated_by_hand(tmp_path: Path, packhorse: Command) -> None:
    files = {"sim__py": TASK, "helper__py": "def twice(n): return 2 * n"}
    study(tmp_path, "name: s\ncommand: python sim.py\nparameters: {n: [4, 5]}\n", **files)
    assert packhorse("run").returncode == 0
    said = json.loads(packhorse("explain", "s", "--task", "1", "--json").stdout)
    again = subprocess.run(
        ["sh", "-e", "-c", "\n".join(said["repeat"])],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert json.loads(again.stdout) == {"n": 10, "seed": said["seed"]}, again.stderr


def test_a_study_by_a_wrong_name_is_answered_with_the_one_beside_it(
    tmp_path: Path, packhorse: Command
) -> None:
    (tmp_path / "study.yaml").write_text("command: 'true'\n")
    assert "there is study.yaml" in packhorse("run", "study.yml", cwd=tmp_path).stderr
    assert "packhorse init SCRIPT" in packhorse("run", "model.yaml", cwd=tmp_path).stderr
