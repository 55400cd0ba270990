"""Power of the two-sample t test by simulation. Submit with: sbatch --array=1-12 power.sh"""

import csv
import os
from math import sqrt

import numpy as np

task = int(os.environ["SLURM_ARRAY_TASK_ID"])
with open("settings.csv", newline="") as file:
    setting = next(row for row in csv.DictReader(file) if int(row["id"]) == task)
n, effect = int(setting["n"]), float(setting["effect"])

rng = np.random.default_rng(1000 + task)
tests = 4000
a = rng.normal(0, 1, size=(tests, n))
b = rng.normal(effect, 1, size=(tests, n))
t = (b.mean(axis=1) - a.mean(axis=1)) / np.sqrt((a.var(axis=1, ddof=1) + b.var(axis=1, ddof=1)) / n)
critical = {10: 2.10092, 20: 2.02439, 40: 1.99085, 80: 1.97509}[n]
power = float((abs(t) > critical).mean())

with open("power.csv", "w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["n", "effect", "tests", "power", "error"])
    writer.writerow([n, effect, tests, power, sqrt(power * (1 - power) / tests)])
