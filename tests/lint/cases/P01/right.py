"""A program of a case."""
from multiprocessing import Pool

if __name__ == "__main__":
    with Pool(4) as pool:
        print(pool.map(abs, [1]))
