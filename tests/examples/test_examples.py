"""Each example through the installed command, on a copy, and its numbers against what theory says."""

import csv
import json
import math
import os
import pathlib
import shutil
import statistics
import subprocess
import sys

import pytest

# All tasks of an example whose tasks each import large libraries for a second are left to the campaigns.
WHOLE = [False, pytest.param(True, marks=pytest.mark.campaign)]
EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"
BIN = pathlib.Path(sys.executable).parent


def environment() -> dict[str, str]:
    """The studies say `python`: it is the one these tests run in."""
    return {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}


def run(
    tmp_path: pathlib.Path, name: str, tasks: int, fewer: tuple[str, str] | None = None
) -> tuple[pathlib.Path, list[dict[str, str]]]:
    """Run an example and return its folder and the rows of its table; `fewer` replaces a line of its study."""
    folder = tmp_path / name
    shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns("runs", "__pycache__"))
    if fewer:
        study = (folder / "study.yaml").read_text()
        assert fewer[0] in study
        (folder / "study.yaml").write_text(study.replace(*fewer))
    command = [str(BIN / "packhorse"), "run", "study.yaml", "--json"]
    done = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=570, check=False
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert (said["tasks"], said["done"], said["failed"]) == (tasks, tasks, 0)
    results = (folder / said["results"]).with_suffix(".csv")
    assert results == folder / "runs" / name / "results.csv"
    with results.open(newline="") as file:
        return folder, list(csv.DictReader(file))


def script(folder: pathlib.Path, *command: str) -> str:
    env = environment()
    done = subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("whole", WHOLE)
def test_penguins(tmp_path, whole):
    # `make demo` runs all 2,000.
    tasks = 300 if whole else 100
    folder, rows = run(tmp_path, "penguins", tasks, ("bootstrap: 2000", f"bootstrap: {tasks}"))
    assert len({row["seed"] for row in rows}) == len({row["flipper"] for row in rows}) == tasks
    said = json.loads(script(folder, "python", "interval.py", "runs/penguins/results.csv"))
    # R: lm(body_mass_g ~ flipper_length_mm + species) gives 40.705 (standard error 3.071).
    assert said["slope"] == pytest.approx(40.705, abs=1e-3)
    assert said["analytic"] == pytest.approx([40.705 - 1.96 * 3.071, 40.705 + 1.96 * 3.071], abs=0.01)
    width = said["robust"][1] - said["robust"][0]
    # The Monte Carlo error of a 2.5 % quantile of 300 is about 4 % of the interval's width, of 100 about 7 %.
    error = 0.04 * math.sqrt(300 / tasks) * width
    assert said["percentile"] == pytest.approx(said["robust"], abs=4 * error)
    assert said["percentile"] == pytest.approx(said["analytic"], abs=5 * error)


def test_coverage(tmp_path):
    folder, rows = run(tmp_path, "coverage", 9600)
    assert len({row["seed"] for row in rows}) == 9600
    assert script(folder, "python", "check.py", "runs/coverage/results.csv").count("\n") == 24
    points: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in rows:
        points.setdefault((row["n"], row["error"], row["heteroscedastic"].lower()), []).append(row)
    assert {len(each) for each in points.values()} == {400}
    coverage = {point: statistics.mean(int(row["covered"]) for row in each) for point, each in points.items()}
    for n in ("10", "20", "50", "100"):
        assert abs(coverage[n, "normal", "false"] - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 400)
    assert coverage["100", "normal", "true"] < 0.93  # the interval is too short where variance grows with x
    for each in points.values():  # least squares is unbiased everywhere
        estimates = [float(row["estimate"]) for row in each]
        assert abs(statistics.mean(estimates) - 2) < 4.5 * statistics.stdev(estimates) / 20


@pytest.mark.parametrize("whole", WHOLE)
def test_ode(tmp_path, whole):
    mus = [1, 10, 100, 1000] if whole else [1, 1000]
    _, rows = run(tmp_path, "ode", 6 * len(mus), ("mu: [1, 10, 100, 1000]", f"mu: {mus}"))
    error = {(float(r["mu"]), r["solver"], float(r["rtol"])): float(r["error"]) for r in rows}
    assert len(error) == 6 * len(mus)
    for mu in mus:
        for solver in ("Radau", "BDF"):
            assert error[mu, solver, 1e-3] > error[mu, solver, 1e-5] > error[mu, solver, 1e-7]
        assert error[mu, "Radau", 1e-7] < error[mu, "BDF", 1e-7] < 1e-4
    assert all(float(row["seconds"]) > 0 and int(row["steps"]) > 5 for row in rows)


@pytest.mark.parametrize("whole", WHOLE)
def test_crossval(tmp_path, whole):
    penalties = [1, 10, 100] if whole else [10]
    tasks = 10 * len(penalties)
    folder, rows = run(tmp_path, "crossval", tasks, ("C: [1, 10, 100]", f"C: {penalties}"))
    assert len(rows) == 2 * tasks
    for point in {(row["C"], row["gamma"]) for row in rows}:
        tested = [row for row in rows if (row["C"], row["gamma"]) == point and row["part"] == "test"]
        assert sorted(row["fold"] for row in tested) == list("01234")
        assert sum(int(row["cases"]) for row in tested) == 569
    best = script(folder, "python", "best.py", "runs/crossval/results.csv").splitlines()[1].split()
    assert float(best[3]) > 0.96
    expected = (
        "from sklearn.datasets import load_breast_cancer as load\n"
        "from sklearn.model_selection import StratifiedKFold as K, cross_val_predict\n"
        "from sklearn.pipeline import make_pipeline\n"
        "from sklearn.preprocessing import StandardScaler\n"
        "from sklearn.svm import SVC\n"
        "X, y = load(return_X_y=True)\n"
        f"model = make_pipeline(StandardScaler(), SVC(C={best[0]}, gamma={best[1]}))\n"
        "print((cross_val_predict(model, X, y, cv=K(5, shuffle=True, random_state=0)) == y).mean())\n"
    )
    assert float(best[3]) == pytest.approx(float(script(folder, "python", "-c", expected)), abs=5e-5)


def test_r_mean(tmp_path):
    folder, rows = run(tmp_path, "r-mean", 40)
    assert [int(row["id"]) for row in rows] == list(range(1, 41))
    means = [float(row["mean"]) for row in rows]
    error = 13.594974 / math.sqrt(272)  # R: sd(faithful$waiting)
    assert abs(statistics.mean(means) - 70.897059) < 4 * error / math.sqrt(40 * 250)
    assert statistics.mean(float(row["se"]) for row in rows) == pytest.approx(error, rel=0.03)
    script(folder, "Rscript", "mean.R", "3")
    with (folder / "results" / "mean_3.csv").open(newline="") as file:
        by_hand = next(csv.DictReader(file))
    assert {name: float(rows[2][name]) for name in by_hand} == {
        name: float(by_hand[name]) for name in by_hand
    }


def test_array_script(tmp_path):
    _, rows = run(tmp_path, "array-script", 12)
    with (EXAMPLES / "array-script" / "settings.csv").open(newline="") as file:
        settings = [(s["id"], s["n"], float(s["effect"])) for s in csv.DictReader(file)]
    assert [(row["setting"], row["n"], float(row["effect"])) for row in rows] == settings
    power = {(int(row["n"]), float(row["effect"])): float(row["power"]) for row in rows}
    # Noncentral t: R's power.t.test(n, delta, strict = TRUE) gives these.
    exact = {(10, 0.8): 0.3951, (20, 0.5): 0.3379, (40, 0.5): 0.5981, (80, 0.2): 0.2418, (80, 0.5): 0.8816}
    for point, expected in exact.items():
        assert abs(power[point] - expected) < 4.5 * math.sqrt(expected * (1 - expected) / 4000)


def power(folder: pathlib.Path) -> dict[float, float]:
    """Return power.csv and remove it, so that the next script must write its own."""
    with (folder / "power.csv").open(newline="") as file:
        found = {float(row["n"]): float(row["power"]) for row in csv.DictReader(file)}
    (folder / "power.csv").unlink()
    return found


@pytest.fixture
def parallel_r(tmp_path: pathlib.Path) -> pathlib.Path:
    return pathlib.Path(shutil.copytree(EXAMPLES / "parallel-r", tmp_path / "parallel-r"))


def one_line_differs(folder: pathlib.Path, one: str, other: str) -> None:
    lines = [(folder / name).read_text().splitlines() for name in (one, other)]
    assert len(lines[0]) == len(lines[1])
    assert sum(a != b for a, b in zip(*lines, strict=True)) == 1


# The exact power of a two-sided one-sample t test at mean 0.5: power.t.test(n, 0.5, type = "one.sample").
T_TEST = {10: 0.2932, 20: 0.5645, 40: 0.8694, 80: 0.9930}  # from R 4.2.2


@pytest.mark.r
@pytest.mark.rpackages
@pytest.mark.parametrize("name", ["mclapply", "foreach"])
def test_one_changed_line_of_r(parallel_r, name):
    one_line_differs(parallel_r, f"{name}.R", f"{name}-packhorse.R")
    for variant in (name, f"{name}-packhorse"):
        script(parallel_r, "Rscript", f"{variant}.R")
        for n, value in power(parallel_r).items():
            assert value == pytest.approx(
                T_TEST[n], abs=4 * math.sqrt(T_TEST[n] * (1 - T_TEST[n]) / 200) + 0.005
            )


@pytest.mark.r
def test_an_array_of_rscript_and_a_script_that_combines(parallel_r):
    one_line_differs(parallel_r, "combine.R", "combine-packhorse.R")
    for task in range(1, 5):
        script(parallel_r, "env", f"SLURM_ARRAY_TASK_ID={task}", "Rscript", "part.R")
    script(parallel_r, "Rscript", "combine.R")
    by_hand = power(parallel_r)
    for path in parallel_r.glob("part-*.csv"):
        path.unlink()
    script(parallel_r, "packhorse", "run", "array.yaml", "--json")
    script(parallel_r, "Rscript", "combine-packhorse.R")
    assert power(parallel_r) == by_hand
    assert len(by_hand) == 4


def test_a_pool_runs_unchanged_and_with_one_changed_line(parallel_r):
    one_line_differs(parallel_r, "pool.py", "pool-packhorse.py")
    script(parallel_r, "python", "pool.py")
    by_hand = power(parallel_r)
    script(parallel_r, "packhorse", "run", "pool.py", "--cores", "2", "--json")
    (written,) = (parallel_r / "runs").glob("pool-1/artifacts/0/power.csv")
    assert power(written.parent) == by_hand
    script(parallel_r, "python", "pool-packhorse.py")
    assert power(parallel_r) == by_hand
