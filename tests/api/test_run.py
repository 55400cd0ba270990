"""A run as an object: its tasks, its table in several forms, waiting, cancelling, trying again."""

from __future__ import annotations

import re
import subprocess
import threading
import time
from pathlib import Path

import polars as pl
import pytest

import packhorse
from packhorse.model.errors import RunError, TasksFailed, UsageError
from running.project import PACKHORSE

SIM = """
import pathlib, time

def picky(n):
    mended = pathlib.Path(FOLDER, "mended").exists()
    if n == 2 and not mended:
        raise ValueError("two is <too> many")
    return {"x": n, "label": "<b>"}


def slow(n):
    time.sleep(n)
    return n
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "sim.py").write_text(SIM.replace("FOLDER", repr(str(tmp_path))))
    return tmp_path


def picky(project: Path, *levels: int) -> packhorse.Study:
    return packhorse.Study(folder=project, name="s", function="sim:picky", parameters={"n": list(levels)})


def test_tasks_tables_and_a_retry(project: Path) -> None:
    study = picky(project, 1, 2, 3)
    with pytest.raises(TasksFailed, match="1 of 3 tasks have no result"):
        study.run(progress=False)
    run = study.latest
    tasks = run.tasks()
    assert tasks.columns[:5] == ["index", "n", "replicate", "seed", "state"]
    assert tasks["state"].to_list() == ["OK", "FAILED", "OK"]
    assert tasks["cause"].to_list()[1] == "ValueError: two is <too> many"
    assert tasks["wall"].is_not_null().all()
    assert run.tasks(["n=3"])["index"].to_list() == [2]
    lazy = run.results(lazy=True)
    assert isinstance(lazy, pl.LazyFrame)
    assert lazy.select("x").collect()["x"].to_list() == [1, 3]
    assert run.results(arrow=True).column("x").to_pylist() == [1, 3]
    with pytest.raises(UsageError, match="one of pandas, arrow and lazy"):
        run.results(arrow=True, lazy=True)  # type: ignore[call-overload]
    (project / "mended").touch()
    again = run.retry(progress=False)
    assert again.results()["x"].to_list() == [1, 2, 3]
    assert again.tasks()["state"].to_list() == ["OK"] * 3
    with pytest.raises(RunError, match="no failed task"):
        run.retry(progress=False)
    assert picky(project, 1, 2, 3, 4).latest.tasks().height == 3, (
        "the tasks of the run, not of a study that grew"
    )


def test_a_run_shows_itself_in_a_notebook(project: Path) -> None:
    study = picky(project, 1, 2, 3)
    run = study.run(progress=False, check=False)
    html = run._repr_html_()
    assert "<b>s</b>: done, 2 of 3 tasks done, 1 failed" in html
    assert "1 FAILED: ValueError: two is &lt;too&gt; many" in html
    assert re.findall(r"width:([0-9.]+)%", html) == ["66.67", "33.33"]
    assert "<th>n</th><th>replicate</th><th>seed</th><th>x</th><th>label</th>" in html
    assert "<td>&lt;b&gt;</td>" in html
    assert "sim:picky" in study._repr_html_()
    assert "3 tasks = n (3)" in study._repr_html_()


def test_a_run_is_waited_for_and_cancelled(project: Path) -> None:
    study = packhorse.Study(folder=project, name="s", function="sim:slow", parameters={"n": [0.1, 300, 301]})
    (project / "study.yaml").write_text(study.text)
    process = subprocess.Popen(
        [PACKHORSE, "run"], cwd=project, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while not list(project.glob("runs/s/journal/*.ndjson")):
            time.sleep(0.05)
        run = packhorse.open(project / "runs/s")
        with pytest.raises(TimeoutError, match=r"s has not ended within 0.2 s: [01] of 3 tasks done"):
            run.wait(0.2)
        stopper = threading.Timer(1.0, run.cancel)
        stopper.start()
        assert run.wait(60).status()["state"] == "incomplete"
        stopper.join()
    finally:
        process.kill()
        process.wait()
    assert run.results()["result"].to_list() == [0.1]


def test_what_needs_a_site_is_refused_without_one(project: Path) -> None:
    with pytest.raises(UsageError, match="partition needs a site"):
        picky(project, 1).run(partition="long")
    with pytest.raises(UsageError, match="detach needs a site"):
        picky(project, 1).run(detach=True)
    with pytest.raises(UsageError, match="nowhere"):
        picky(project, 1).run(site="nowhere")
