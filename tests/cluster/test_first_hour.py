"""The first hour of a new user: job scripts as people have them, from `init` to the table and the advice.

Every line that is printed on the way is in first_hour/CASE.txt, with times, paths and numbers of jobs replaced. Where a change is
meant, `UPDATE_GOLDEN=1 make test` writes these files anew; read them as a new user would.
"""

from __future__ import annotations

import csv
import os
import re
from pathlib import Path

import pytest

from cluster.test_jobs import Hand
from cluster.testbed import Cluster

HERE = Path(__file__).parent / "first_hour"
SITE = ("--site", "testbed")
# Each case: files, and the rows of its table as (column, values of the first rows).
CASES: dict[str, dict[str, str]] = {
    "tutorial": {
        "sim.py": """import argparse
import json
import random
import statistics

parser = argparse.ArgumentParser()
parser.add_argument("--n", type=int, default=10)
parser.add_argument("--seed", type=int, default=1)
args = parser.parse_args()

rng = random.Random(args.seed)
sample = [rng.gauss(5, 2) for _ in range(args.n)]
print(json.dumps({"estimate": statistics.fmean(sample)}))
""",
    },
    "pool": {
        "job.sh": """#!/bin/bash
#SBATCH --job-name=pool
#SBATCH --cpus-per-task=8
#SBATCH --mem=1G
#SBATCH --time=00:10:00
python pool.py
""",
        "pool.py": """import json
from multiprocessing import Pool


def area(k):
    n = 40000
    return sum(4 / (1 + ((i + 0.5) / n) ** 2) / n for i in range(k, n, 8))


if __name__ == "__main__":
    with Pool(8) as pool:
        parts = pool.map(area, range(8))
    with open("area.json", "w") as stream:
        json.dump({"area": round(sum(parts), 6)}, stream)
""",
    },
    "array": {
        "array.sh": """#!/bin/bash
#SBATCH --array=1-12
#SBATCH --mem=200M
#SBATCH --time=5
python array_test.py $SLURM_ARRAY_TASK_ID result_$SLURM_ARRAY_TASK_ID.dat
""",
        "array_test.py": """import sys

index = int(sys.argv[1])
with open(sys.argv[2], "w") as stream:
    stream.write(str(index**2) + "\\n")
""",
    },
    "mclapply": {
        "boot.sh": """#!/bin/bash
#SBATCH --cpus-per-task=4
#SBATCH --mem=1G
#SBATCH --time=10
Rscript boot.R
""",
        "boot.R": """library(parallel)
RNGkind("L'Ecuyer-CMRG")
set.seed(42)
speeds <- mclapply(1:200, function(i) mean(sample(cars$speed, replace = TRUE)), mc.cores = 4)
result <- data.frame(mean = mean(unlist(speeds)), n = length(speeds))
write.csv(result, "boot.csv", row.names = FALSE)
""",
    },
    "foreach": {
        "fe.sh": """#!/bin/bash
#SBATCH --cpus-per-task=4
#SBATCH --mem=1G
#SBATCH --time=10
Rscript fe.R
""",
        "fe.R": """library(doParallel)
registerDoParallel(cores = 4)
squares <- foreach(i = 1:10, .combine = c) %dopar% i^2
write.csv(data.frame(i = 1:10, square = squares), "squares.csv", row.names = FALSE)
""",
    },
    "combine": {
        "sims.sh": """#!/bin/bash
#SBATCH --array=1-10
#SBATCH --mem=300M
#SBATCH --time=5
Rscript single.R $SLURM_ARRAY_TASK_ID
""",
        "single.R": """index <- as.numeric(commandArgs(trailingOnly = TRUE))
set.seed(1000 + index)
x <- rnorm(50)
write.csv(data.frame(index = index, mean = mean(x), sd = sd(x)), paste0("sim_", index, ".csv"), row.names = FALSE)
""",
        "combine.R": """files <- list.files(pattern = "^sim_.*csv$")
all <- do.call(rbind, lapply(files, read.csv))
write.csv(all[order(all$index), ], "all.csv", row.names = FALSE)
""",
    },
}
# What the table must hold: column, and the values of all rows in order.
TABLES = {
    "tutorial": {"n": ["10"], "replicate": ["0"]},
    "pool": {"area": ["3.141593"]},
    "array": {"index_value": [str(i) for i in range(1, 13)], "value": [str(i**2) for i in range(1, 13)]},
    "mclapply": {"n": ["200"]},
    "foreach": {"square": [str(i**2) for i in range(1, 11)]},
    "combine": {"index": [str(i) for i in range(1, 11)]},
}
REPLACED = (
    (r"^\d+ jobs? (?:waiting|running).*\n", ""),  # how often the queue was looked at depends on the machine
    (r"\S*/home/\w+/tests/[\w-]+", "FOLDER"),
    (r"\S*/bin/(python3?|Rscript)", r"BIN/\1"),
    (
        r"(?:less than )?\d[\d,.]* (?:core-hours|core-h|core-seconds|min|ms|s|h)\b(?: \d+ (?:min|s)\b)?",
        "TIME",
    ),
    (r"\bjob \d+:", "job N:"),
    (r"(?<=a task used )[\d.]+|\d+%|(?<=, )\d+(?= workers?,)", "N"),
    (r"N workers?, TIME", "N workers, TIME"),
    (r"(?<=used at most )[\d.]+ [MG]B|(?<=counted )[\d.]+ [MG]B|(?<=    memory: )[\d.]+ [MG]B", "SIZE"),
    (r"; the scheduler counted SIZE", ""),  # not where the job was too short to be measured
    (r"\w+-[ndg]\d", "NODE"),
    (r"[ \t]+$", ""),
)


def plain(text: str) -> str:
    for pattern, word in REPLACED:
        text = re.sub(pattern, word, text, flags=re.MULTILINE)
    return text


def hour(hand: Hand, case: str) -> tuple[str, Path]:
    """Type the commands of a first hour; return all that is seen, and the run's folder."""
    files = CASES[case]
    for name, text in files.items():
        hand.write(name, text)
    job = next(iter(files))
    shown = []

    def type_in(*words: str) -> None:
        done = hand.cluster.run(hand.user, list(words), cwd=hand.folder)
        shown.append(f"$ {' '.join(words)}\n{done.stdout}{done.stderr}")
        assert done.returncode == 0, shown[-1]

    type_in("packhorse", "init", job)
    type_in("cat", "study.yaml")
    type_in("packhorse", "plan", *SITE)
    type_in("packhorse", "try")
    type_in("packhorse", "run", *SITE)
    found = re.search(r"^table: (\S+)/results.parquet", shown[-1], re.MULTILINE)
    assert found, shown[-1]
    run = Path(found[1])
    type_in("packhorse", "status")
    type_in("packhorse", "logs", run.name, "--task", "0")
    type_in("packhorse", "efficiency", run.name)
    return plain("".join(shown)), run


@pytest.mark.r
@pytest.mark.parametrize("case", CASES)
def test_a_first_hour(cluster: Cluster, case: str) -> None:
    hand = Hand(cluster)
    shown, run = hour(hand, case)
    golden = HERE / f"{case}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        HERE.mkdir(exist_ok=True)
        golden.write_text(shown)
    with (run / "results.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    for column, values in TABLES[case].items():
        assert [row[column] for row in rows] == values
    assert shown == golden.read_text()
    if case == "combine":
        by_hand(hand, rows)


def by_hand(hand: Hand, rows: list[dict[str, str]]) -> None:
    """Run the array as its author does, and the combining script: the same numbers."""
    job = hand.sbatch("--wait", "sims.sh")
    assert job
    hand.run("Rscript", "combine.R")
    with (hand.folder / "all.csv").open() as stream:
        for mine, theirs in zip(rows, csv.DictReader(stream), strict=True):
            assert {name: float(mine[name]) for name in theirs} == {
                name: float(theirs[name]) for name in theirs
            }
