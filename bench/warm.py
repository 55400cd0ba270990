"""Scripts of Python and R that load libraries: packhorse against GNU parallel, xargs and a bare loop of forks, as rates.

Packhorse's time is that of the whole command: study, snapshot, provenance, the trial of warm starts, journal with
fsync, table. The bare loop runs the script once and forks; it records nothing. Slow contestants run fewer tasks,
since their rates do not depend on the number.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from timing import Times, command, interleave, judge

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 3
# As Packhorse sets it for its tasks: with more threads, two processes at a time disturb each other.
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
NUMPY = """
import argparse, json
import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("--n", type=int)
values = np.random.default_rng(parser.parse_args().n).normal(size=100)
print(json.dumps({"mean": float(values.mean())}))
"""
STACK = """
import argparse, json
import numpy as np
import pandas as pd
from scipy import stats

parser = argparse.ArgumentParser()
parser.add_argument("--n", type=int)
frame = pd.DataFrame({"x": np.random.default_rng(parser.parse_args().n).normal(size=100)})
print(json.dumps({"mean": float(frame["x"].mean()), "p": float(stats.ttest_1samp(frame["x"], 0).pvalue)}))
"""
# The least that forks a process with the libraries for each task, two at a time.
FORKS = """
import gc, os, sys

script, tasks = sys.argv[1], int(sys.argv[2])
with open(script) as stream:
    text = stream.read()
sys.argv = [script, "--n", "0"]
exec(text, {"__name__": "__main__"})  # once, since NumPy loads numpy.random only when it is used
code = compile(text, script, "exec")
gc.freeze()
running = 0
for number in range(tasks):
    if running == 2:
        os.wait()
        running -= 1
    if not os.fork():
        sys.argv = [script, "--n", str(number)]
        exec(code, {"__name__": "__main__"})
        sys.stdout.flush()
        os._exit(0)
    running += 1
while running:
    os.wait()
    running -= 1
"""
SPLINES = """
library(splines)

n <- as.integer(sub("--n=?", "", tail(commandArgs(trailingOnly = TRUE), 1)))
set.seed(n)
cat(sprintf('{"mean": %.6f}\n', mean(bs(rnorm(100), df = 5))))
"""
STUDY = "command: {command} --n {{n}}\nparameters: {{n: {{range: [0, {tasks}]}}}}\n"


def rates(folder: Path, script: str, tasks: int, fewer: int) -> dict[str, float]:
    """Return tasks a second of each contestant with a script of Python, after printing them."""
    (folder / "script.py").write_text(script)
    (folder / "forks.py").write_text(FORKS)
    forks = command(sys.executable, "forks.py", "script.py", str(tasks), cwd=folder, env=ONE_THREAD)
    return contest(folder, f"{sys.executable} script.py", tasks, fewer, {"forks": forks})


def contest(
    folder: Path, words: str, tasks: int, fewer: int, others: dict[str, Callable[[], None]]
) -> dict[str, float]:
    """Return tasks a second of each contestant, after printing them; `others` run as many tasks as Packhorse."""
    packhorse = Path(sys.executable).with_name("packhorse")
    (folder / "study.yaml").write_text(STUDY.format(command=words, tasks=tasks))
    run = command(packhorse, "run", "study.yaml", "--json", "-j2", cwd=folder)

    def ours() -> None:
        shutil.rmtree(folder / "runs", ignore_errors=True)
        run()

    each = f"{words} --n"
    contestants = {
        "parallel -j2": command(
            "sh", "-c", f"seq {fewer} | parallel --will-cite -j2 {each} {{}}", cwd=folder, env=ONE_THREAD
        ),
        "xargs -P2": command("sh", "-c", f"seq {fewer} | xargs -P2 -n1 {each}", cwd=folder, env=ONE_THREAD),
        **others,
        "packhorse run": ours,
    }
    counts = {"parallel -j2": fewer, "xargs -P2": fewer}
    times = interleave(contestants, ROUNDS)
    return {name: show(name, one, counts.get(name, tasks)) for name, one in times.items()}


def rscript(folder: Path) -> dict[str, float]:
    """Return tasks a second of each contestant with a script of R, after printing them."""
    (folder / "script.R").write_text(SPLINES)
    return contest(folder, "Rscript script.R", 2_000, 40, {})


def example(
    folder: Path, name: str, change: tuple[str, str], few: tuple[str, str], counts: tuple[int, int]
) -> float:
    """Return how many times as many tasks of an example start warm as cold in a second.

    `change` and `few` replace a text of the study, for the warm and the cold run, which have so many tasks.
    """
    packhorse = Path(sys.executable).with_name("packhorse")
    shutil.copytree(ROOT / "examples" / name, folder, ignore=shutil.ignore_patterns("runs", "__pycache__"))
    text = (folder / "study.yaml").read_text()
    contestants = {}
    path = os.pathsep.join((str(packhorse.parent), os.environ["PATH"]))
    for kind, (old, new), options in (("warm", change, []), ("cold", few, ["--no-warm"])):
        assert old in text, f"the study of {name} has changed"
        (folder / f"{kind}.yaml").write_text(text.replace(old, new))
        contestants[kind] = command(
            packhorse,
            "run",
            f"{kind}.yaml",
            "--fresh",
            "--run",
            f"runs/{kind}",
            "--json",
            "-j2",
            *options,
            cwd=folder,
            env={**os.environ, "PATH": path},
        )
    times = interleave(contestants, 2)
    warm, cold = (
        show(f"{name}, {kind}", times[kind], count) for kind, count in zip(contestants, counts, strict=True)
    )
    return warm / cold


def show(name: str, times: Times, tasks: int) -> float:
    """Print a rate and the processor time of a task; return the rate."""
    low, high = times.spread
    rate = tasks / times.median
    each = 1000 * statistics.median(times.processor) / tasks
    print(
        f"{name:20} {rate:8,.1f} tasks/s  [{tasks / high:,.1f}, {tasks / low:,.1f}]  {times.median:.2f} s"
        f"  {each:.2f} ms of processor time a task"
    )
    return rate


def main() -> None:
    """Time all and judge the rates."""
    with tempfile.TemporaryDirectory() as place:
        folders = [Path(place, name) for name in ("numpy", "stack", "crossval", "penguins", "r")]
        for folder in (*folders[:2], folders[4]):
            folder.mkdir()
        print("a NumPy script")
        numpy = rates(folders[0], NUMPY, 5_000, 40)
        print("a script with NumPy, pandas and SciPy")
        stack = rates(folders[1], STACK, 1_000, 12)
        print("an R script that loads one package")
        r = rscript(folders[4])
        print("examples")
        crossval = example(
            folders[2],
            "crossval",
            ("C: [1, 10, 100]", "C: {range: [1, 41]}"),
            ("folds: 5", "folds: 5"),
            (400, 30),
        )
        penguins = example(
            folders[3],
            "penguins",
            ("name: penguins", "name: penguins"),
            ("bootstrap: 2000", "bootstrap: 100"),
            (2000, 100),
        )
    judge(
        {
            "NumPy: 30 times GNU parallel": numpy["packhorse run"] >= 30 * numpy["parallel -j2"],
            "NumPy: 20 times xargs": numpy["packhorse run"] >= 20 * numpy["xargs -P2"],
            "NumPy: 85 % of bare forks": numpy["packhorse run"] >= 0.85 * numpy["forks"],
            "NumPy, pandas, SciPy: 50 times GNU parallel": stack["packhorse run"]
            >= 50 * stack["parallel -j2"],
            "Rscript: 30 times GNU parallel": r["packhorse run"] >= 30 * r["parallel -j2"],
            "crossval: 15 times cold starts": crossval >= 15,
            "penguins: 12 times cold starts": penguins >= 12,
        }
    )


if __name__ == "__main__":
    main()
