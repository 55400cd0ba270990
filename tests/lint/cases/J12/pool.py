"""A program of a case."""
from multiprocessing import Pool

if __name__ == "__main__":
    print(Pool().map(abs, [1]))
