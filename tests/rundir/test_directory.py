"""A run directory is created once, by one of several processes, and never from other files."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from packhorse.rundir.directory import RunDirectory


def test_several_who_make_a_run_at_once_make_one(tmp_path: Path) -> None:
    for number in range(20):
        path = tmp_path / "runs" / str(number)
        with ThreadPoolExecutor(4) as pool:
            made = list(pool.map(lambda name, path=path: RunDirectory.create(path, name), "abcd"))
        assert len({run.about().id for run in made}) == 1
        assert [one.name for one in path.glob(".run.json*")] == []


def test_what_a_run_that_is_being_made_has_so_far_is_not_foreign(tmp_path: Path) -> None:
    path = tmp_path / "run"
    (path / "journal").mkdir(parents=True)
    (path / ".run.json.0a1b2c3d").touch()
    assert not RunDirectory(path).is_foreign


@pytest.mark.parametrize("name", ["run/thesis.tex", "run/logs/mine.log", "run"])
def test_files_of_something_else_are_refused(packhorse, tmp_path: Path, name: str) -> None:
    (tmp_path / "study.yaml").write_text("command: echo {n}\nparameters: {n: [1]}\n")
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine")
    done = packhorse("run", "study.yaml", "--run", "run", cwd=tmp_path)
    assert done.returncode not in (0, 1), done
    assert "is not empty and is not a run" in done.stderr
    assert path.read_text() == "mine"
