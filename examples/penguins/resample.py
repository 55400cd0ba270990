"""One bootstrap resample: regress body mass on flipper length and species, print the coefficients."""

import argparse
import csv
import json

import numpy as np

SPECIES = ["Adelie", "Chinstrap", "Gentoo"]


def read(path):
    """Return (X, y): intercept, flipper length in mm, two species dummies; body mass in g."""
    with open(path, newline="") as file:
        rows = [r for r in csv.DictReader(file) if "NA" not in (r["flipper_length_mm"], r["body_mass_g"])]
    X = [[1.0, float(r["flipper_length_mm"]), *(float(r["species"] == s) for s in SPECIES[1:])] for r in rows]
    y = [float(r["body_mass_g"]) for r in rows]
    return np.array(X), np.array(y)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("--seed", type=int, required=True)
    args = parser.parse_args()

    X, y = read(args.data)
    rng = np.random.default_rng(args.seed)
    rows = rng.integers(len(y), size=len(y))
    beta, *_ = np.linalg.lstsq(X[rows], y[rows], rcond=None)
    names = ["intercept", "flipper", "chinstrap", "gentoo"]
    print(json.dumps(dict(zip(names, beta.tolist()))))


if __name__ == "__main__":
    main()
