"""`directory:` says where tasks start; results and artifacts may be anywhere in the project."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from running.project import Project

# A script as authors write them: run from the project's root, it lies in a folder of its own.
SCRIPT = 'echo "i,y" > results/fit-$1.csv; echo "$1,$(cat data/raw.txt)" >> results/fit-$1.csv; pwd > results/where-$1.txt\n'


@pytest.fixture
def root(tmp_path: Path) -> Project:
    root = Project(tmp_path / "work")
    root.file("scripts/fit.sh", SCRIPT)
    root.file("data/raw.txt", "5\n")
    root.file("results/.gitkeep", "")
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "first"]):
        subprocess.run(["git", *words], cwd=root.path, check=True, capture_output=True)
    return root


def study(root: Project, folder: str = "scripts", **keys: Any) -> Project:
    inner = Project(root.path / folder)
    common = {
        "parameters": {"i": [1, 2, 3]},
        "result": "../results/fit-{i}.csv",
        "artifacts": ["../results/where-*.txt"],
    }
    return inner.study(**{"command": "sh scripts/fit.sh {i}", "directory": "..", **common, **keys})


def test_the_root_as_directory(root: Project) -> None:
    one = study(root)
    one.run("-j1")
    table = one.table()
    assert table["y"].to_list() == [5, 5, 5]
    kept = sorted(one.directory.glob("artifacts/*/**/*.txt"))
    assert [str(path.relative_to(one.directory)) for path in kept] == [
        f"artifacts/{index}/up/results/where-{index + 1}.txt" for index in range(3)
    ]
    assert all(path.read_text().strip().endswith("/code/work") for path in kept)
    assert sorted(path.name for path in (root.path / "results").iterdir()) == [".gitkeep"]


def test_try_and_explain_start_there_too(root: Project) -> None:
    one = study(root)
    assert "1,5" in one.command("try", "study.yaml")
    one.run()
    report = json.loads(one.command("explain", "s", "--task", "0", "--json"))
    subprocess.run(
        ["sh", "-e"], input="\n".join(report["repeat"]), text=True, check=True, capture_output=True
    )
    starts = [line.split(maxsplit=1)[1] for line in report["repeat"] if line.startswith("cd ")]
    assert (Path(starts[-1]) / "results" / "fit-1.csv").read_text() == "i,y\n1,5\n"


def test_a_folder_below_and_a_function(root: Project) -> None:
    root.file(
        "lib/model.py",
        "import os\ndef f(i):\n    return {'here': os.path.basename(os.getcwd()), 'y': int(open('raw.txt').read())}\n",
    )
    one = study(
        root, "lib", command=None, function="model:f", directory="../data", result="return", artifacts=[]
    )
    content = json.loads((one.path / "study.yaml").read_text())
    del content["command"]
    (one.path / "study.yaml").write_text(json.dumps(content))
    one.run()
    assert one.rows("here", "y") == [("data", 5)] * 3


def test_a_changed_directory_is_a_change(root: Project) -> None:
    one = study(root)
    one.run()
    said = study(root, directory="../data", parameters={"i": [1, 2, 3, 4]}).run(code=5)
    assert "directory" in said or "command" in said


@pytest.mark.parametrize(
    ("keys", "code", "said"),
    [
        ({"directory": "../.."}, 4, "directory: ../.. leads out of the project"),
        ({"directory": "/tmp"}, 3, "leads out of the project"),
        ({"directory": "../nowhere"}, 4, "mkdir -p"),
        ({"result": "../../x.csv"}, 4, "result: ../../x.csv leads out of the project"),
        ({"artifacts": ["../../*"]}, 4, "artifacts: ../../* leads out of the project"),
        ({"directory": ["a", "b"]}, 3, "directory"),
    ],
)
def test_what_is_refused(root: Project, keys: dict[str, Any], code: int, said: str) -> None:
    assert said in study(root, **keys).run(code=code)


def test_plan_tells_absolute_paths(root: Project) -> None:
    root.file(
        "scripts/read.py",
        "# /home/a/comment.csv\nopen('/home/me/data/x.csv')\nopen('~/y.csv')\nopen('/tmp/z.csv')\n",
    )
    said = study(root, command="python3 scripts/read.py", result="json", artifacts=[]).command(
        "plan", "study.yaml"
    )
    assert (
        "read.py has absolute paths: /home/me/data/x.csv (line 2), ~/y.csv (line 3). Other machines" in said
    )
    assert "fit.sh has" not in said


def test_a_file_that_is_found_from_elsewhere_is_named(root: Project) -> None:
    """The author runs it from the root; the study beside the script does not say so."""
    root.file("scripts/read.py", "import json\nprint(json.dumps({'y': int(open('data/raw.txt').read())}))\n")
    one = study(root, command="python3 read.py", directory=".", result="json", artifacts=[])
    said = one.run(code=7)
    assert "directory: .." in said
    one = study(root, command="python3 scripts/read.py", result="json", artifacts=[])
    one.run("--fresh")
    assert one.table()["y"].to_list() == [5, 5, 5]
