"""A program of a case."""
from multiprocessing import Pool

with Pool(4) as pool:
    print(pool.map(abs, [1]))
