"""Studies made, run and read in Python."""

from __future__ import annotations

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

import packhorse
from packhorse.model.errors import RunError, StudyError, TasksFailed

Command = Callable[..., subprocess.CompletedProcess[str]]

SIM = """
def estimate(n, seed, scale=1.0):
    return {"estimate": n * scale + seed % 1000 / 7}


def picky(n):
    if n == 2:
        raise ValueError("two is too many")
    return {"x": n}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a folder with a module of functions."""
    (tmp_path / "sim.py").write_text(SIM)
    return tmp_path


def make(project: Path, **keys: object) -> packhorse.Study:
    chosen = {"name": "sweep", "function": "sim:estimate", "parameters": {"n": [1, 2, 3]}, "replicates": 2}
    return packhorse.Study(folder=project, **{**chosen, **keys})


def python(script: str, folder: Path, name: str = "driver.py") -> subprocess.CompletedProcess[str]:
    (folder / name).write_text(textwrap.dedent(script))
    return subprocess.run(
        [sys.executable, name], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


def test_a_study_is_a_sequence_of_parameters(project: Path) -> None:
    study = make(project)
    assert len(study) == 6
    assert study[4] == {"n": 3}
    assert [task["n"] for task in study] == [1, 1, 2, 2, 3, 3]
    with pytest.raises(IndexError):
        study[6]
    assert repr(study) == "Study sweep: 6 tasks = n (3) x replicates (2)"


def test_the_table_comes_back_as_polars_and_pandas(project: Path) -> None:
    study = make(project, parameters={"n": range(1, 4)}, summary={"by": "n"})
    run = study.run(jobs=2, progress=False)
    table = study.results()
    assert isinstance(table, pl.DataFrame)
    expected = [n + seed % 1000 / 7 for n, seed in zip(table["n"], table["seed"], strict=True)]
    assert table["estimate"].to_list() == expected
    assert table["n"].to_list() == [1, 1, 2, 2, 3, 3]
    assert run.results().equals(table)
    assert study.summary()["n"].to_list() == [1, 2, 3]
    assert study.failures().height == 0
    assert run.status()["done"] == 6
    assert run.provenance()["study"]["name"] == "sweep"
    assert packhorse.open(run.path).results().equals(table)


def test_pandas_is_given_where_it_is_asked_for(project: Path) -> None:
    pandas = pytest.importorskip("pandas")
    study = make(project)
    study.run(progress=False)
    assert isinstance(study.results(pandas=True), pandas.DataFrame)


def test_planning_writes_nothing_and_says_what_is_missing(project: Path) -> None:
    study = make(project)
    assert study.plan()["missing"] == 6
    assert not (project / "runs").exists()
    with pytest.raises(RunError, match="has not run yet") as told:
        study.results()
    assert told.value.__notes__ == ["call .run() first"]
    study.run(progress=False)
    assert study.plan()["missing"] == 0
    assert make(project, replicates=5).plan()["missing"] == 9


def test_failed_tasks_raise_unless_told_not_to(project: Path) -> None:
    study = make(project, function="sim:picky", replicates=1)
    with pytest.raises(TasksFailed, match="1 of 3 tasks have no result"):
        study.run(progress=False)
    run = study.run(progress=False, check=False)
    assert run.outcome is not None
    assert (run.outcome.done, run.outcome.failed) == (2, 1)
    assert study.failures()["cause"].to_list() == ["ValueError: two is too many"]
    assert "two is too many" in run.logs(1)


def test_a_function_of_a_module_is_named_by_it(project: Path) -> None:
    done = python(
        """
        import packhorse, sim
        study = packhorse.Study(function=sim.estimate, parameters={"n": [4]}, seed=3)
        run = study.run(progress=False)
        print(study.name, study.source.study.function, study.results()["n"].to_list(), run.path.parent.name)
        """,
        project,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split(" ", 2) == ["driver", "sim:estimate", "[4] runs\n"]


def test_the_script_that_makes_a_study_may_grow_it(project: Path) -> None:
    script = """
        import packhorse, sim
        study = packhorse.Study(name="s", function=sim.estimate, parameters={"n": [1, 2]}, replicates=COUNT)
        run = study.run(progress=False)
        print(study.results()["ph_wave"].to_list())
        """
    assert python(script.replace("COUNT", "1"), project).stdout == "[1, 1]\n"
    grown = python(script.replace("COUNT", "2"), project)
    assert grown.stdout == "[1, 2, 1, 2]\n", grown.stderr


MAIN = """
    from packhorse import Study

    def double(n):
        return {"y": 2 * n}

    GUARD
        study = Study(name="main", function=double, parameters={"n": [1, 2]})
        study.run(progress=False)
        print(study.results()["y"].to_list())
    """


def test_a_guarded_script_may_hold_the_function(project: Path) -> None:
    done = python(MAIN.replace("GUARD", 'if __name__ == "__main__":'), project)
    assert done.stdout == "[2, 4]\n", done.stderr


def test_an_unguarded_script_is_refused(project: Path) -> None:
    done = python(MAIN.replace("GUARD", "if True:"), project)
    assert done.returncode == 1
    assert "A task that imports double from driver.py would run the whole script." in done.stderr
    assert 'if __name__ == "__main__":' in done.stderr
    assert not (project / "runs").exists()


def test_a_script_whose_name_is_no_module_is_refused(project: Path) -> None:
    done = python(MAIN.replace("GUARD", 'if __name__ == "__main__":'), project, "my-script.py")
    assert "cannot import double from my-script.py" in done.stderr


def test_a_function_of_a_notebook_is_refused(project: Path) -> None:
    code = "import packhorse\ndef f(n): return n\npackhorse.Study(function=f, parameters={'n': [1]})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project, capture_output=True, text=True, timeout=60, check=False
    )
    assert "A task cannot import f: it exists only in this notebook or prompt." in done.stderr
    assert "function='sim:f'" in done.stderr


@pytest.mark.parametrize("function", [lambda n: n, functools.partial(int, base=2)])
def test_what_no_task_can_import_is_refused(function: Callable[..., object], project: Path) -> None:
    with pytest.raises(StudyError, match="A task cannot import"):
        make(project, function=function)


def test_a_notebook_stands_in_its_working_directory_and_runs_in_a_thread(project: Path) -> None:
    code = """
    import threading, packhorse
    study = packhorse.Study(name="nb", function="sim:estimate", parameters={"n": [1, 2]})
    thread = threading.Thread(target=lambda: study.run(progress=False))
    thread.start(); thread.join()
    print(study.results()["n"].to_list())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "[1, 2]\n", done.stderr
    assert (project / "runs" / "nb" / "results.parquet").exists()


def test_an_interrupt_stops_cleanly_and_the_next_call_continues(project: Path) -> None:
    (project / "slow.py").write_text(
        "import pathlib, time\n"
        "def wait(n, mark):\n"
        "    pathlib.Path(mark).touch()\n"
        "    if n and not pathlib.Path(mark + '.go').exists():\n"
        "        time.sleep(600)\n"
        "    return {'n2': n}\n"
    )
    mark = project / "started"
    (project / "driver.py").write_text(
        "import packhorse\n"
        f"study = packhorse.Study(name='slow', function='slow:wait', parameters={{'n': [0, 1], 'mark': {str(mark)!r}}},"
        " code='slow.py')\n"
        "try:\n"
        "    study.run(jobs=1, progress=False)\n"
        "except packhorse.errors.Stopped as stopped:\n"
        "    print('stopped', study.latest.status()['done'], study.latest.status()['state'])\n"
        "else:\n"
        "    print('done', study.results().height)\n"
    )
    argv = [sys.executable, "driver.py"]
    process = subprocess.Popen(argv, cwd=project, stdout=subprocess.PIPE, text=True)
    journal = project / "runs" / "slow" / "journal"
    while process.poll() is None and not any(
        '"index":0' in one.read_text() for one in journal.glob("*.ndjson")
    ):
        os.sched_yield()
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60)[0] == "stopped 1 incomplete\n"
    (project / "started.go").touch()
    done = subprocess.run(argv, cwd=project, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "done 2\n", done.stderr


def test_the_command_takes_the_run_over(project: Path, packhorse: Command) -> None:
    study = make(project, function="sim:picky", replicates=1)
    study.run(progress=False, check=False)
    assert "2 of 3 tasks done, 1 failed" in packhorse("status", "sweep", cwd=project).stdout
    source = (project / "sim.py").read_text()
    (project / "sim.py").write_text(source.replace("n == 2", "n == 9"))
    again = packhorse("retry", "sweep", "--keep", "--json", cwd=project)
    assert json.loads(again.stdout)["done"] == 3, again.stderr
    fresh = packhorse("run", "runs/sweep", "--fresh", "--json", cwd=project)
    assert json.loads(fresh.stdout)["tasks"] == 3, fresh.stderr
    assert study.results()["ph_wave"].unique().to_list() == [3]


def test_a_run_called_inside_a_task_is_refused(project: Path) -> None:
    shutil.copy(project / "sim.py", project / "other.py")
    done = python(
        """
        import packhorse
        def f(n): return {"n2": n}
        study = packhorse.Study(name="x", function="driver:f", parameters={"n": [1]})
        study.run(progress=False)
        """,
        project,
    )
    assert "a run was started inside a task" in done.stderr
    assert done.returncode == 1


@pytest.mark.parametrize("name", packhorse.__all__)
def test_everything_named_is_there(name: str) -> None:
    assert getattr(packhorse, name) is not None


def test_the_names_are_sorted() -> None:
    assert packhorse.__all__ == sorted(packhorse.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Stduy'"):
        packhorse.Stduy  # noqa: B018


def test_a_study_of_a_site_runs_there(tmp_path: Path) -> None:
    study = packhorse.Study(name="s", command="true", folder=tmp_path, site="quartz")
    with pytest.raises(RunError, match="not connected to quartz") as refused:
        study.run(progress=False)
    assert "packhorse connect quartz" in refused.value.hint
    assert not list(tmp_path.glob("runs/s/waves/*"))
    assert (
        packhorse.Study(name="s", command="true", folder=tmp_path, site="local")
        .run(progress=False)
        .status()["done"]
        == 1
    )
