"""packhorse init --test: a first unit test of a function is written, runs, and finds a mistake."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from packhorse.study.discover.first_test import find_function, first_test

PYTHON = """
import random

def estimate(n, seed=1):
    rng = random.Random(seed)
    return {"estimate": sum(rng.gauss(2, 1) for _ in range(n)) / n}
"""
R = """
estimate <- function(n, seed = 1, sd = c(1, 2)[1]) {
  set.seed(seed)
  list(estimate = mean(rnorm(n, 2, sd)))
}
"""
STUDY = "function: sim:estimate\nparameters: {n: [30, 60]}\nsummary: {estimate: estimate, truth: 2}\n"
Run = Callable[..., CompletedProcess[str]]


def test_pytest_with_the_truth_of_the_study(tmp_path: Path, packhorse: Run) -> None:
    (tmp_path / "sim.py").write_text(PYTHON)
    (tmp_path / "study.yaml").write_text(STUDY)
    done = packhorse("init", "--test", "sim.py:estimate")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "test_sim_estimate.py").read_text()
    assert 'ARGUMENTS = {"n": 30}' in text
    assert 'KNOWN = {"estimate": 2.0}' in text
    assert "2 passed" in done.stdout or "OK" in done.stdout
    assert packhorse("init", "--test", "sim.py:estimate").returncode == 2  # it exists

    (tmp_path / "sim.py").write_text(PYTHON.replace("/ n}", "/ (n - 1)}"))
    done = packhorse("init", "--test", "sim.py:estimate", "--force")
    assert done.returncode == 6
    assert "AssertionError" in done.stdout
    assert "does not pass" in done.stderr


@pytest.mark.parametrize(
    ("known", "code", "status", "said"),
    [
        ({}, PYTHON, 0, "skipped 'write what theory says into KNOWN'"),
        ({"estimate": 2.0}, PYTHON, 0, "Ran 2 tests"),
        ({"estimate": 2.0}, PYTHON.replace("Random(seed)", "Random()"), 1, "test_same_seed_same_result"),
    ],
)
def test_unittest(known: dict[str, float], code: str, status: int, said: str, tmp_path: Path) -> None:
    (tmp_path / "sim.py").write_text(code)
    draft = first_test(find_function(code, "sim.py", "estimate"), "unittest", {}, known)
    assert draft.guessed == ("n",)
    (tmp_path / draft.file).write_text(draft.text)
    argv = [sys.executable, "-m", "unittest", "-v", draft.file]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    assert said in done.stderr


def test_testthat(tmp_path: Path, packhorse: Run) -> None:
    (tmp_path / "sim.R").write_text(R)
    done = packhorse("init", "--test", "sim.R:estimate")
    assert done.returncode == 0, done.stdout
    assert "SKIP 1 | PASS 1" in done.stdout
    assert "n is 10 for now" in done.stderr
    written = tmp_path / "test_sim_estimate.R"
    written.write_text(written.read_text().replace("known <- list()", "known <- list(estimate = 2.5)"))
    done = subprocess.run(
        ["Rscript", written.name], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "four Monte Carlo standard errors" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("sim.py:other", "sim.py has no function 'other' at its top level\n  its functions are: estimate"),
        ("sim.py", "sim.py does not name a function"),
        ("none.py:f", "none.py cannot be read"),
        ("bad.py:f", "bad.py:1: "),
    ],
)
def test_refused(target: str, message: str, tmp_path: Path, packhorse: Run) -> None:
    (tmp_path / "sim.py").write_text(PYTHON)
    (tmp_path / "bad.py").write_text("def f(:\n")
    done = packhorse("init", "--test", target)
    assert done.returncode == 2
    assert message in done.stderr
    assert not list(tmp_path.glob("test_*"))
