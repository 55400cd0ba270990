"""A program of a case."""
import os
from multiprocessing import Pool

if __name__ == "__main__":
    with Pool(os.cpu_count()) as pool:
        print(pool.map(abs, [1]))
