"""A program of a case."""
from multiprocessing import Pool


def main():
    with Pool(4) as pool:
        print(pool.map(abs, [1]))


if __name__ == "__main__":
    main()
