"""Status and merge of a million tasks, journal on disk to Parquet and CSV, beside pandas and 10,000 files."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
from msgspec.structs import replace
from timing import judge

from packhorse.model.plan import Plan
from packhorse.model.space import ParameterSpace
from packhorse.model.study import Factor, Study
from packhorse.rundir.directory import RunDirectory
from packhorse.rundir.files import write_file
from packhorse.worker.journal import journal_line

TASKS = 1_000_000
FLUSH = 500  # records between two totals, as a worker of short tasks leaves them
FILES = 10_000
ROUNDS = 2  # the last counts: the first warms the file cache


def write_journal(folder: Path, space: ParameterSpace) -> None:
    """Write one journal as a worker would have left it."""
    rng = random.Random(1)
    pack = "1-0-0-bench-1-00000000.pack"
    header = {
        "format": "packhorse-journal", "version": 1, "run": "bench", "wave": 1, "element": 0, "restart": 0,
        "host": "bench", "pid": 1, "space": space.digest, "code": "c0de", "pack": pack,
    }  # fmt: skip
    with (folder / pack.replace(".pack", ".ndjson")).open("wb") as file:
        file.write(journal_line({"header": header}))
        for index in range(space.size):
            result = {"estimate": rng.gauss(0, 1), "se": rng.random(), "covered": index % 20 > 0, "n": 100}
            record = {
                "index": index, "seed": rng.getrandbits(63), "begin": 1732233600.123, "wall": 0.0123,
                "cpu": 0.0121, "memory": 23456, "log": [index * 10, 10], "json": result,
            }  # fmt: skip
            file.write(journal_line(record))
            if (index + 1) % FLUSH == 0:
                file.write(journal_line({"totals": {"OK": index + 1}}))
        file.write(journal_line({"totals": {"OK": space.size}}) + journal_line({"end": "done"}))


def make_run(tasks: int, path: Path) -> None:
    """Make a run directory of one finished wave, as a worker would have left it."""
    factors = (
        Factor(names=("n",), levels=((10,), (20,), (50,), (100,))),
        Factor(names=("sd",), levels=((0.5,), (1.0,))),
    )
    study = Study(name="million", command=("true",), factors=factors, replicates=tasks // 8, seed=1)
    space = ParameterSpace.of(study)
    run = RunDirectory.create(path, study.name)
    run.write_space(space)
    write_file(path / "study.json", msgspec.json.encode(replace(study, factors=())))
    plan = Plan(wave=1, space=space.digest, code="c0de", total=space.size, tasks=space.size)
    run.write_wave(plan, {})
    write_journal(path / "journal", space)


def measured(*argv: object) -> tuple[float, float, float]:
    """Return seconds, peak memory (GB) and CPU seconds of a command, the whole process."""
    begin = time.perf_counter()
    process = subprocess.Popen([str(word) for word in argv], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{argv} ended with {process.returncode}")
    return time.perf_counter() - begin, usage.ru_maxrss / 2**20, usage.ru_utime + usage.ru_stime


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


def main() -> None:
    """Time status and collect of a million tasks, and pandas beside them; judge the marks."""
    packhorse = Path(sys.executable).with_name("packhorse")
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "million"
        make_run(TASKS, path)
        seconds = {
            verb: measured(packhorse, verb, path) for verb in ("status", "collect") for _ in range(ROUNDS)
        }
        for verb, (one, memory, cpu) in seconds.items():
            print(f"packhorse {verb:8} {one:8.2f} s, CPU {cpu:.2f} s, peak {memory:.2f} GB, {TASKS:,} tasks")
        measure_pandas(Path(place) / "csv")
    judge(
        {
            "status of a million tasks in under a second": seconds["status"][0] < 1,
            "a million rows merge in under 10 s": seconds["collect"][0] < 10,
            "a million rows merge in under 2 GB": seconds["collect"][1] < 2,
        }
    )


if __name__ == "__main__":
    main()
