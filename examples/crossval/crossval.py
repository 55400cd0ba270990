"""Fit a support vector classifier to the Wisconsin breast cancer data without one fold, and test it on that fold."""

import argparse
import csv

from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--C", type=float, default=1.0)
parser.add_argument("--gamma", type=float, default=0.01)
parser.add_argument("--fold", type=int, required=True, help="which fold to test on, from 0")
parser.add_argument("--folds", type=int, default=5)
parser.add_argument("--out", default="scores.csv")
args = parser.parse_args()

X, y = load_breast_cancer(return_X_y=True)
# The same split in every process, so that all points are compared on the same folds.
split = StratifiedKFold(args.folds, shuffle=True, random_state=0)
train, test = list(split.split(X, y))[args.fold]
model = make_pipeline(StandardScaler(), SVC(C=args.C, gamma=args.gamma)).fit(X[train], y[train])

with open(args.out, "w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["part", "cases", "correct"])
    for part, rows in [("train", train), ("test", test)]:
        writer.writerow([part, len(rows), int((model.predict(X[rows]) == y[rows]).sum())])
