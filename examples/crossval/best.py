"""Rank the points of the grid by their accuracy over all folds.

    python best.py runs/crossval/results.csv
"""

import csv
import sys
from collections import Counter

cases, correct = Counter(), Counter()
with open(sys.argv[1], newline="") as file:
    for row in csv.DictReader(file):
        if row["part"] == "test":
            point = float(row["C"]), float(row["gamma"])
            cases[point] += int(row["cases"])
            correct[point] += int(row["correct"])

print("C gamma cases accuracy")
for point in sorted(cases, key=lambda p: -correct[p] / cases[p]):
    print(*point, cases[point], f"{correct[point] / cases[point]:.4f}")
