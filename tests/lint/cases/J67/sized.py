"""A program of a case."""
import os
from multiprocessing.pool import Pool, ThreadPool

# Pool(8)
if __name__ == "__main__":
    with Pool(len(os.sched_getaffinity(0))) as pool, ThreadPool(16) as threads:
        print(pool.map(abs, [1]), threads)
