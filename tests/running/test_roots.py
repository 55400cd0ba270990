"""A working copy is a root of its own: whatever searches for the project upwards finds the copy, never the live tree."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from running.project import Project, workers

# How rprojroot, here, pyprojroot, git and plain scripts find a root; each reads and writes below it.
FINDERS = """
import json, os, pathlib, subprocess, sys

def upward(found):
    place = pathlib.Path.cwd()
    while not found(place):
        if place == place.parent:
            return None
        place = place.parent
    return str(place)

def git(*words):
    done = subprocess.run(["git", *words], stdout=subprocess.PIPE, universal_newlines=True)
    return done.stdout.strip() if done.returncode == 0 else None

i = int(sys.argv[1])
roots = {
    "git": git("rev-parse", "--show-toplevel"),
    "folder": upward(lambda p: (p / ".git").is_dir()),
    "here": upward(lambda p: (p / ".here").exists()),
    "rproj": upward(lambda p: any(q.name.endswith(".Rproj") and q.read_text().startswith("Version") for q in p.iterdir())),
    "pyproject": upward(lambda p: (p / "pyproject.toml").exists()),
    "package": upward(lambda p: (p / "DESCRIPTION").exists() and "Package:" in (p / "DESCRIPTION").read_text()),
    "file": str(pathlib.Path(__file__).resolve().parents[1]),
    "name": upward(lambda p: p.name == "my-project"),
}
read = {kind: (pathlib.Path(root) / "data.txt").read_text().strip() for kind, root in roots.items()}
for kind, root in roots.items():
    with open(os.path.join(root, "log.txt"), "a") as stream:
        stream.write("%d\\n" % i)
lines = len(open(os.path.join(roots["git"], "log.txt")).readlines())
print(json.dumps({"roots": len(set(roots.values())), "root": roots["git"], "read": sorted(set(read.values())), "lines": lines,
                  "head": git("rev-parse", "HEAD"), "branch": git("rev-parse", "--abbrev-ref", "HEAD"), "kinds": len(roots)}))
"""


def git(folder: Path, *words: str) -> str:
    return subprocess.run(
        ["git", *words], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a study in a folder of a repository that has every mark; git ignores some of them."""
    root = Project(tmp_path / "my-project")
    root.write(data_txt="1\n", pyproject_toml="[project]\nname = 'x'\n", x_Rproj="Version: 1.0\n")
    root.file(".gitignore", ".here\n*.Rproj\nruns\n")
    root.file(".here", "")
    root.file("DESCRIPTION", "Package: x\n")
    root.file("study/find.py", FINDERS)
    for words in (["init", "-q", "-b", "work/one"], ["add", "-A"], ["commit", "-q", "-m", "first"]):
        git(root.path, *words)
    study = Project(root.path / "study")
    study.study(command="python3 find.py {i}", parameters={"i": {"range": [6]}}, result="json")
    return study


def check(project: Project, rows: list[dict[str, object]]) -> None:
    root = project.path.parent
    for row in rows:
        assert row["roots"] == 1, row
        assert row["kinds"] == 8
        assert Path(str(row["root"])).name == "my-project"
        assert not Path(str(row["root"])).is_relative_to(root)
        assert row["lines"] == 8  # of this task alone
        assert row["head"] == git(root, "rev-parse", "HEAD")
        assert row["branch"] == "work/one"
    assert not (root / "log.txt").exists()


def test_run_finds_the_copy(project: Project) -> None:
    project.run("-j2")
    table = project.table()
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows()]
    assert len(rows) == 6
    check(project, rows)


def test_code_that_is_edited_meanwhile_is_not_read(project: Project) -> None:
    root = project.path.parent
    project.file("find.py", FINDERS.replace("i = int(", "import time; time.sleep(0.3)\ni = int("))
    process = project.start("run", "study.yaml", "-j1")
    deadline = time.monotonic() + 30
    while not list(project.directory.glob("journal/*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    (root / "data.txt").write_text("2\n")
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert project.table()["read"].to_list() == [json.dumps(["1"])] * 6


def test_try_finds_the_copy(project: Project) -> None:
    said = project.command("try", "study.yaml")
    check(project, [json.loads(next(line for line in said.splitlines() if line.startswith("{")))])


def test_the_recipe_of_explain_finds_the_copy(project: Project) -> None:
    project.run("-j2")
    report = json.loads(project.command("explain", "s", "--task", "3", "--json"))
    done = subprocess.run(
        ["sh", "-e"], input="\n".join(report["repeat"]), capture_output=True, text=True, check=True
    )
    check(project, [json.loads(done.stdout.splitlines()[-1])])


def test_a_worktree_and_a_detached_head_are_roots(project: Project, tmp_path: Path) -> None:
    root = project.path.parent
    git(root, "worktree", "add", "-q", "--detach", str(tmp_path / "other" / "my-project"))
    other = Project(tmp_path / "other" / "my-project" / "study")
    other.file(
        "see.sh",
        'printf \'{"top": "%s", "head": "%s"}\\n\' "$(git rev-parse --show-toplevel)" "$(git rev-parse HEAD)"\n',
    )
    other.study(command="sh see.sh {i}", parameters={"i": [1, 2]}, result="json").run()
    table = other.table()
    assert table["head"].to_list() == [git(root, "rev-parse", "HEAD")] * 2
    assert all(not top.startswith(str(tmp_path)) for top in table["top"])


def test_a_repository_without_a_commit_and_a_hook_do_not_matter(tmp_path: Path) -> None:
    one = Project(tmp_path / "new")
    git(one.path, "init", "-q")
    one.file("see.sh", 'printf \'{"top": "%s"}\\n\' "$(git rev-parse --show-toplevel)"\n')
    one.study(command="sh see.sh {i}", parameters={"i": [1, 2]}, result="json")
    one.command("run", "study.yaml", GIT_DIR=str(one.path / ".git"), GIT_WORK_TREE=str(one.path))
    assert all(not top.startswith(str(tmp_path)) and top.endswith("/new") for top in one.table()["top"])


def test_without_git_there_is_none(tmp_path: Path) -> None:
    one = Project(tmp_path / "new")
    one.file("see.sh", 'git rev-parse --show-toplevel > top; printf \'{"top": "%s"}\\n\' "$(cat top)"\n')
    one.study(command="sh see.sh {i}", parameters={"i": [1, 2]}, result="json").run()
    assert one.table()["top"].to_list() == ["", ""]


def test_marks_are_no_change_of_code(project: Project) -> None:
    project.run()
    root = project.path.parent
    (root / ".here").unlink()
    (root / "x.Rproj").write_text("Version: 2.0\n")
    git(root, "commit", "-q", "--allow-empty", "-m", "second")
    assert "nothing is left to run" in project.run()


def test_copies_stand_apart_and_leave_nothing(tmp_path: Path) -> None:
    one = Project(tmp_path / "project")
    one.file(
        "see.sh",
        'printf \'{"here": "%s"}\\n\' "$PWD"; chmod 500 .; mkdir -p a/b 2>/dev/null; chmod 000 a 2>/dev/null || :\n',
    )
    one.study(command="sh see.sh {i}", parameters={"i": {"range": [4]}}, result="json")
    place = tmp_path / "somewhere else"
    place.mkdir()
    one.command("run", "study.yaml", "-j2", TMPDIR=str(place))
    pattern = rf"{re.escape(str(place))}/packhorse-\w+/slot-[01]/code/project"
    assert all(re.fullmatch(pattern, here) for here in one.table()["here"])
    assert list(place.iterdir()) == []
    assert not (one.directory / "work").exists()


def test_what_a_killed_worker_left_is_removed_by_the_next(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    one = Project(tmp_path / "project")
    one.study(command="sleep {i}", parameters={"i": [30]}, result="none")
    process = one.start("run", "study.yaml", env={**os.environ, "TMPDIR": str(place)})
    deadline = time.monotonic() + 30
    while not list(place.glob("*/slot-0/code/project")) and time.monotonic() < deadline:
        time.sleep(0.02)
    other = Project(tmp_path / "other")
    other.study(command="true {i}", parameters={"i": [1]}, result="none")
    other.command("run", "study.yaml", TMPDIR=str(place))
    assert len(list(place.iterdir())) == 1  # that of the worker which lives
    assert place.glob("*/slot-0")
    for pid in workers(one.directory):
        os.kill(pid, signal.SIGKILL)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)
    assert len(list(place.iterdir())) == 1
    (place / "packhorse-mine").mkdir()
    (place / "packhorse-mine" / "thesis.txt").write_text("all")
    other.study(command="true {i}", parameters={"i": [1, 2]}, result="none")
    other.command("run", "study.yaml", TMPDIR=str(place))
    assert [path.name for path in place.iterdir()] == ["packhorse-mine"]
