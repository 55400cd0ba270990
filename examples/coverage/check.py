"""Compare coverage with theory: with normal errors of equal variance it is exactly 95 %.

    python check.py runs/coverage/results.csv
"""

import csv
import sys
from collections import defaultdict
from math import sqrt

covered = defaultdict(list)
with open(sys.argv[1], newline="") as file:
    for row in csv.DictReader(file):
        point = (int(row["n"]), row["error"], row["heteroscedastic"].lower() == "true")
        covered[point].append(int(row["covered"]))

wrong = 0
for (n, error, heteroscedastic), each in sorted(covered.items()):
    coverage = sum(each) / len(each)
    verdict = ""
    if error == "normal" and not heteroscedastic:
        apart = (coverage - 0.95) / sqrt(0.95 * 0.05 / len(each))
        verdict = f"{apart:+.1f} Monte Carlo standard errors from 0.95"
        wrong += abs(apart) > 4
    print(f"{n:4d} {error:7s} {'unequal' if heteroscedastic else 'equal':8s} {len(each)} {coverage:.4f} {verdict}")
sys.exit(1 if wrong else 0)
