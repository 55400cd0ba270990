"""packhorse check: a run, a study and a table from elsewhere, through the installed command."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import polars as pl
import pytest

SCRIPT = """
import argparse, json, math, random, statistics
parser = argparse.ArgumentParser()
parser.add_argument("--n", type=int)
parser.add_argument("--seed", type=int)
given = parser.parse_args()
rng = random.Random(given.seed)
x = [rng.gauss(2, 1) for _ in range(given.n)]
se = statistics.stdev(x) / math.sqrt(given.n)
print(json.dumps({"estimate": statistics.fmean(x), "se": se}))
"""
STUDY = """
name: means
command: python sim.py --n {n} --seed {seed}
parameters: {n: [30, 60]}
replicates: 60
summary: {estimate: estimate, truth: 2, se: se}
expect:
- bias = 0
- {that: mean(estimate) = 2, margin: 0.2}
"""
Run = Callable[..., CompletedProcess[str]]


@pytest.fixture
def study(tmp_path: Path, packhorse: Run) -> Path:
    """Return the folder of a study that has run."""
    (tmp_path / "sim.py").write_text(SCRIPT)
    (tmp_path / "study.yaml").write_text(STUDY)
    done = packhorse("run", "study.yaml")
    assert done.returncode == 0, done.stderr
    assert "| n  | measure" in done.stdout  # the summary speaks of measures
    assert "empirical_se" in done.stdout
    return tmp_path


def test_a_run_and_its_study(study: Path, packhorse: Run) -> None:
    done = packhorse("check")
    assert done.returncode == 0, done.stdout
    assert "expected tasks: 120 of 120 tasks have a result" in done.stdout
    assert (
        "pass            bias = 0: 2 cells agree" in done.stdout
        or "pass  bias = 0: 2 cells agree" in done.stdout
    )
    report = json.loads(packhorse("check", "study.yaml", "--json").stdout)
    assert report["format"] == "packhorse-check/1"
    assert report["failed"] == 0
    # New expectations count at once, with the run as it is.
    (study / "study.yaml").write_text(STUDY + "- {that: coverage = 0.5, where: n=60}\n")
    wrong = packhorse("check", "study.yaml")
    assert wrong.returncode == 1
    assert "fail" in wrong.stdout
    assert "coverage = 0.5 where n=60: 1 of 1 cell differs" in wrong.stdout
    again = packhorse("check", "means", "--again")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "same bits with one worker: 2 of 2 tasks" in again.stdout


def test_missing_tasks_fail(tmp_path: Path, packhorse: Run) -> None:
    (tmp_path / "sim.py").write_text(
        "import sys\nif sys.argv[1] == '3': sys.exit(1)\nprint('{\"x\": %s.5}' % sys.argv[1])\n"
    )
    packhorse("map", "python sim.py {n}", "n=1,2,3")
    done = packhorse("check")
    assert done.returncode == 1
    assert "fail" in done.stdout
    assert "2 of 3 tasks have a result; 1 FAILED" in done.stdout


def test_a_script_that_ignores_parameter_and_seed(tmp_path: Path, packhorse: Run) -> None:
    (tmp_path / "sim.py").write_text("import json, math\nprint(json.dumps({'x': math.pi}))\n")
    packhorse("map", "python sim.py {n} {seed}", "n=1,2", "--replicates", "5")
    done = packhorse("check")
    assert done.returncode == 1
    assert "the script may ignore its seed" in done.stdout
    packhorse("map", "python sim.py {n}", "n=1,2", "--run", "once")
    once = packhorse("check", "once")
    assert "parameter n is used: results are identical at all 2 levels" in once.stdout


def test_a_table_from_elsewhere(tmp_path: Path, packhorse: Run) -> None:
    frame = pl.DataFrame({"h": [0.1, 0.05, 0.025, 0.0125], "error": [1e-2, 2.5e-3, 6.25e-4, 1.5625e-4]})
    frame.write_csv(tmp_path / "t.csv")
    right = packhorse("check", "t.csv", "--by", "h", "--expect", "order(error, h) = 2")
    assert right.returncode == 0, right.stdout
    wrong = packhorse("check", "t.csv", "--by", "h", "--expect", "order(error, h) = 3")
    assert wrong.returncode == 1
    undecided = packhorse("check", "t.csv", "--by", "h", "--expect", "mean(error) = 0")
    assert undecided.returncode == 0
    assert "could not tell" in undecided.stdout
    assert packhorse("check", "t.csv", "--by", "h", "--expect", "mean(error) = 0", "--strict").returncode == 1


def test_a_golden_table(tmp_path: Path, packhorse: Run) -> None:
    table, golden = tmp_path / "t.csv", tmp_path / "golden.csv"
    table.write_text("n,x\n1,0.1\n2,0.2\n")
    assert packhorse("check", table, "--golden", golden).returncode == 1
    assert packhorse("check", table, "--golden", golden, "--update").returncode == 0
    table.write_text("n,x\n1,0.1\n2,0.2000001\n")
    assert packhorse("check", table, "--golden", golden, "--rtol", "1e-6").returncode == 0
    done = packhorse("check", table, "--golden", golden)
    assert done.returncode == 1
    assert "x: 1 of 2 differ" in done.stdout
    assert golden.read_text() == "n,x\n1,0.1\n2,0.2\n"


@pytest.mark.parametrize(
    ("options", "message", "code"),
    [
        (["absent.csv"], "no table absent.csv", 2),
        (["absent"], "no run 'absent'", 2),
        (["t.csv", "--expect", "speed = 3"], "'speed = 3' is not a claim about results", 2),
        (["t.csv", "--expect", "coverage = 0.95"], "coverage needs the column of estimates", 2),
        (["t.csv", "--expect", "mean(y) = 0"], "no column 'y'", 2),
        (["t.csv", "--where", "n=7"], "no row of the table matches n=7", 2),
        (["t.csv", "--where", "m=7"], "expected NAME=VALUE", 2),
        (["t.csv", "--update"], "--golden, which is not given", 2),
        (["t.csv", "--again"], "only tasks of a run can run again", 2),
        (["bad.csv"], "cannot be read as a table", 2),
        (["wrong.yaml"], "wrong.yaml:3:10: 'speed' is not a claim about results.", 3),
        (["half.yaml"], "summary needs both ends of the interval", 3),
    ],
)
def test_mistakes_are_explained(
    options: list[str], message: str, code: int, tmp_path: Path, packhorse: Run
) -> None:
    (tmp_path / "t.csv").write_text("n,x\n1,0.1\n2,0.2\n")
    (tmp_path / "bad.csv").write_bytes(b"a,b\n1\n1,2,3,\xff\n")
    (tmp_path / "wrong.yaml").write_text("name: a\ncommand: echo 1\nexpect: [speed]\n")
    (tmp_path / "half.yaml").write_text("name: a\ncommand: echo 1\nsummary: {estimate: x, low: a}\n")
    done = packhorse("check", *options)
    assert done.returncode == code, done.stderr
    assert message in done.stderr


def test_without_scipy_the_extra_is_named(tmp_path: Path) -> None:
    code = "import sys; sys.modules['scipy'] = None; from packhorse import check; check.benchmark"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "checks need scipy, which is not installed" in done.stderr
    assert "pip install 'packhorse[check]'" in done.stderr
