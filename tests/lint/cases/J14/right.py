"""A program of a case."""
import os
from multiprocessing import Pool

if __name__ == "__main__":
    with Pool(len(os.sched_getaffinity(0))) as pool:
        print(pool.map(abs, [1]))
