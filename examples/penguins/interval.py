"""Compare the bootstrap percentile interval of the flipper slope with the analytic one.

    python interval.py runs/penguins/results.csv
"""

import csv
import json
import pathlib
import sys
from statistics import NormalDist

import numpy as np
from resample import read

X, y = read(pathlib.Path(__file__).with_name("penguins.csv"))
beta, *_ = np.linalg.lstsq(X, y, rcond=None)
residuals = y - X @ beta
bread = np.linalg.inv(X.T @ X)
classical = np.sqrt(residuals @ residuals / (len(y) - X.shape[1]) * bread[1, 1])
meat = (X * residuals[:, None] ** 2).T @ X
robust = np.sqrt((bread @ meat @ bread)[1, 1])  # HC0, what resampling of rows estimates

with open(sys.argv[1], newline="") as file:
    slopes = np.array([float(row["flipper"]) for row in csv.DictReader(file)])

z = NormalDist().inv_cdf(0.975)
print(
    json.dumps(
        {
            "slope": beta[1],
            "analytic": [beta[1] - z * classical, beta[1] + z * classical],
            "robust": [beta[1] - z * robust, beta[1] + z * robust],
            "percentile": np.quantile(slopes, [0.025, 0.975]).tolist(),
            "resamples": len(slopes),
        },
        indent=2,
    )
)
