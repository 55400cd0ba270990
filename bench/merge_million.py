"""Measure the merge of a million rows, journal on disk to Parquet and CSV, beside pandas and 10,000 files.

Run it as `python bench/merge_million.py [TASKS]`; limits: 10 s and 2 GB at a million.
"""

from __future__ import annotations

import random
import resource
import sys
import tempfile
import time
from pathlib import Path

from packhorse.model.space import ParameterSpace
from packhorse.results.fold import fold
from packhorse.results.journal import read_journals, tail
from packhorse.results.table import merge
from packhorse.worker.journal import line

FILES = 10_000


def write_journal(folder: Path, space: ParameterSpace) -> None:
    """Write one journal as a worker would have left it."""
    folder.mkdir()
    rng = random.Random(1)
    pack = "1-0-0-bench-1-00000000.pack"
    header = {
        "format": "packhorse-journal", "version": 1, "run": "bench", "wave": 1, "element": 0, "restart": 0,
        "host": "bench", "pid": 1, "space": space.digest, "code": "c0de", "pack": pack,
    }  # fmt: skip
    totals = {"OK": space.size}
    with (folder / pack.replace(".pack", ".ndjson")).open("wb") as file:
        file.write(line({"header": header}))
        for index in range(space.size):
            result = {"estimate": rng.gauss(0, 1), "se": rng.random(), "covered": index % 20 > 0, "n": 100}
            record = {
                "index": index, "seed": rng.getrandbits(63), "begin": 1732233600.123, "wall": 0.0123,
                "cpu": 0.0121, "memory": 23456, "log": [index * 10, 10], "json": result,
            }  # fmt: skip
            file.write(line(record))
        file.write(line({"totals": totals}) + line({"end": "done"}))


def measure_packhorse(tasks: int, folder: Path) -> None:
    """Print seconds and memory of reading, folding and merging."""
    factors = [
        {"names": ["n"], "levels": [[10], [20], [50], [100]]},
        {"names": ["sd"], "levels": [[0.5], [1.0]]},
    ]
    frozen = {"format": "packhorse-space", "version": 1, "seed": 1, "seeding": "independent"}
    space = ParameterSpace({**frozen, "replicates": tasks // 8, "factors": factors})
    write_journal(folder / "journal", space)
    path = next((folder / "journal").glob("*.ndjson"))
    start = time.perf_counter()
    tail(path)
    print(f"tail             {time.perf_counter() - start:8.3f} s")
    start = time.perf_counter()
    folded = fold(space.size, read_journals(folder), space=space.digest)
    read = time.perf_counter()
    report = merge(space, folded, folder)
    stop = time.perf_counter()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"read and fold    {read - start:8.2f} s")
    print(f"merge and write  {stop - read:8.2f} s")
    print(f"in all           {stop - start:8.2f} s for {report.rows:,} rows, peak {memory:.2f} GB")


def measure_pandas(folder: Path) -> None:
    """Print the seconds pandas takes for the usual way: a CSV file for each of 10,000 tasks."""
    try:
        import pandas as pd
    except ImportError:
        print("pandas is not installed, so there is nothing to compare with")
        return
    folder.mkdir()
    for index in range(FILES):
        (folder / f"{index}.csv").write_text(
            f"n,sd,estimate,se,covered\n10,0.5,{index / 7},{index / 9},True\n"
        )
    start = time.perf_counter()
    frame = pd.concat([pd.read_csv(path) for path in sorted(folder.glob("*.csv"))])
    frame.to_csv(folder / "all.csv")
    seconds = time.perf_counter() - start
    print(f"pandas           {seconds:8.2f} s for {len(frame):,} rows from as many files")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        measure_packhorse(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000, Path(place))
        measure_pandas(Path(place) / "csv")
