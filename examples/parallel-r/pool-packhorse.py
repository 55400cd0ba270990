"""A pool of eight processes on one machine."""

import csv
import random
from packhorse import Executor as Pool


def power(n: int) -> float:
    """Return how often the mean of n draws lies more than 1.96 standard errors from 0."""
    rng = random.Random(n)
    hits = 0
    for _ in range(200):
        mean = sum(rng.gauss(0.5, 1) for _ in range(n)) / n
        hits += abs(mean) * n**0.5 > 1.96
    return hits / 200


if __name__ == "__main__":
    sizes = [10, 20, 40, 80]
    with Pool(8) as pool:
        values = pool.map(power, sizes)
    with open("power.csv", "w", newline="") as file:
        csv.writer(file).writerows([("n", "power"), *zip(sizes, values)])
