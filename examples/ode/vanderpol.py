"""Solve van der Pol's equation to t = 2 mu, and compare with a solution of much tighter tolerance."""

import argparse
import json
import time

from scipy.integrate import solve_ivp

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--mu", type=float, default=10.0, help="damping; the larger, the stiffer")
parser.add_argument("--solver", choices=["Radau", "BDF"], default="Radau")
parser.add_argument("--rtol", type=float, default=1e-6, help="relative tolerance")
args = parser.parse_args()


def f(t, y):
    return [y[1], args.mu * (1 - y[0] ** 2) * y[1] - y[0]]


def jac(t, y):
    return [[0, 1], [-2 * args.mu * y[0] * y[1] - 1, args.mu * (1 - y[0] ** 2)]]


def solve(solver, rtol):
    start = time.perf_counter()
    solution = solve_ivp(f, (0, 2 * args.mu), [2, 0], method=solver, jac=jac, rtol=rtol, atol=rtol / 1000)
    return solution, time.perf_counter() - start


solution, seconds = solve(args.solver, args.rtol)
reference, _ = solve("Radau", 1e-9)

with open("point.json", "w") as file:
    json.dump(
        {
            "error": abs(solution.y[0, -1] - reference.y[0, -1]),
            "seconds": seconds,
            "steps": len(solution.t) - 1,
            "evaluations": int(solution.nfev),
        },
        file,
    )
