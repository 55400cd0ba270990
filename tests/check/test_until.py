"""`replicates: {until: ...}`: a study grows until the Monte Carlo error is as small as wished."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import polars as pl
import pytest

SCRIPT = """
import math, random, statistics

def estimate(n, seed):
    rng = random.Random(seed)
    x = [rng.gauss(2, 1) for _ in range(n)]
    return {"estimate": statistics.fmean(x), "se": statistics.stdev(x) / math.sqrt(n)}
"""
STUDY = """
name: grown
function: sim:estimate
parameters: {{n: [5, 40]}}
replicates: {replicates}
summary: {{estimate: estimate, truth: 2, se: se}}
"""
UNTIL = "{{first: 20, until: {{mcse: {mcse}, of: {of}, at_most: {at_most}}}}}"
Run = Callable[..., CompletedProcess[str]]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., None]:
    """Return a function that writes the study with a rule, or with a number of replicates."""
    (tmp_path / "sim.py").write_text(SCRIPT)

    def written(
        replicates: str = "", *, mcse: float = 0.05, of: str = "coverage", at_most: int = 300
    ) -> None:
        rule = replicates or UNTIL.format(mcse=mcse, of=of, at_most=at_most)
        (tmp_path / "study.yaml").write_text(STUDY.format(replicates=rule))

    return written


def test_it_grows_stops_and_continues(tmp_path: Path, packhorse: Run, write: Callable[..., None]) -> None:
    write()
    done = packhorse("run")
    assert done.returncode == 0, done.stderr
    assert "with 20 replicates; 0.05 needs about" in done.stderr
    run = tmp_path / "runs" / "grown"
    record = json.loads((run / "until.json").read_text())
    looks = record["looks"]
    assert record["end"] == "reached"
    assert looks[0]["replicates"] == 20
    assert looks[0]["next"] == looks[1]["replicates"]
    assert 0 < looks[-1]["mcse"] <= 0.05
    assert looks[-2]["mcse"] > 0.05 or looks[-2]["needed"] > looks[-2]["replicates"]
    table = pl.read_parquet(run / "results.parquet")
    assert table.height == 2 * looks[-1]["replicates"]
    measured = json.loads(packhorse("summary", "--json").stdout)["rows"]
    errors = [row["mcse"] for row in measured if row["measure"] == "coverage"]
    assert max(errors) == looks[-1]["mcse"]
    assert len(errors) == 2

    # A smaller error continues from where the run is, and the end is said.
    write(mcse=0.02, at_most=looks[-1]["replicates"] + 7)
    done = packhorse("run")
    assert done.returncode == 0, done.stderr
    assert "14 of them now, in" in done.stdout
    assert f"and at_most is {looks[-1]['replicates'] + 7}" in done.stdout
    assert json.loads(packhorse("provenance", "--json").stdout)["until"]["end"] == "at most"
    assert "replicates: the largest MCSE of coverage is" in packhorse("provenance").stdout

    # Seeds and results are those of a study with a fixed number.
    grown = pl.read_parquet(run / "results.parquet").select("n", "replicate", "seed", "estimate", "se")
    write(str(looks[-1]["replicates"] + 7))
    assert packhorse("run", "--run", "fixed").returncode == 0
    fixed = pl.read_parquet(tmp_path / "fixed" / "results.parquet").select(grown.columns)
    assert grown.equals(fixed)


def test_changed_code_does_not_mix(tmp_path: Path, packhorse: Run, write: Callable[..., None]) -> None:
    """A task changes the project while the first wave runs: later waves of the command keep its code."""
    write()
    script = SCRIPT.replace(
        "    rng =", f'    open({str(tmp_path / "sim.py")!r}, "a").write("x = 1\\n")\n    rng ='
    )
    (tmp_path / "sim.py").write_text(script)
    done = packhorse("run")
    assert done.returncode == 0, done.stderr
    plans = [json.loads(path.read_text())["code"] for path in tmp_path.glob("runs/grown/waves/*/plan.json")]
    assert len(plans) > 1
    assert len(set(plans)) == 1


def test_a_measure_that_the_table_does_not_have(packhorse: Run, write: Callable[..., None]) -> None:
    write(of="type_i_error")
    done = packhorse("run")
    assert done.returncode == 0, done.stderr
    assert (
        "no replicates were added: the table has no measure 'type_i_error'; its measures are:" in done.stdout
    )


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("{until: {mcse: 0.01, of: coverage}}", "until has no at_most."),
        ("{first: 10}", "replicates has no until."),
        ("{until: {mcse: 0, of: coverage, at_most: 9}}", "mcse must be"),
        ("{until: {mcse: 0.1, of: covrage, at_most: 9}}", "covrage"),
        ("{first: 10, until: {mcse: 0.1, of: coverage, at_most: 9}}", "more than at_most"),
        ("many", "replicates must be"),
    ],
)
def test_refused(rule: str, message: str, packhorse: Run, write: Callable[..., None]) -> None:
    write(rule)
    done = packhorse("plan")
    assert done.returncode == 3, done.stdout
    assert "study.yaml:5:" in done.stderr
    assert message in done.stderr
