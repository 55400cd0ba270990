"""Function tasks: packhorse against joblib, ProcessPoolExecutor.map and Pool.map: short ones, ones of 10 ms, a million.

Packhorse's time is that of the whole command, with seeds, journal, provenance and table; the pools keep their
results in memory. Judged are the rate of the short ones, and of the 10 ms tasks the share of the two cores' time
spent inside tasks (the median of some runs, since whatever else the machine does counts against it); then a million tasks:
seconds, memory of the command, the time of `status`, and whether time per task and memory of a slot stay the same.
ProcessPoolExecutor gets fewer tasks, as it sends each by itself; its rate is compared.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import polars
from timing import command, interleave, judge, report

SHORT, LONG, EACH, ROUNDS, CORES = 100_000, 4_000, 10_000, 5, 2
SIZES = (10_000, 100_000, 1_000_000)
RATE = 27_000  # short tasks a second, the whole command
SCRIPT = """
import time

def short(i):
    return {"x": i * 0.5}

def burn(i):
    begun = time.process_time()
    while time.process_time() - begun < 0.01:
        pass
    return {"x": i}
"""
POOL = """
import sys, multiprocessing, work
if __name__ == "__main__":
    with multiprocessing.Pool(2) as pool:
        pool.map(getattr(work, sys.argv[1]), range(int(sys.argv[2])))
"""
EXECUTOR = """
import sys, concurrent.futures, work
if __name__ == "__main__":
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        list(pool.map(getattr(work, sys.argv[1]), range(int(sys.argv[2]))))
"""
JOBLIB = """
import sys, joblib, work
if __name__ == "__main__":
    f = getattr(work, sys.argv[1])
    joblib.Parallel(n_jobs=2)(joblib.delayed(f)(i) for i in range(int(sys.argv[2])))
"""


def study(name: str, tasks: int) -> str:
    """Return a study of one of the functions."""
    return f"function: work:{name}\nparameters: {{i: {{range: [0, {tasks}]}}}}\n"


def main() -> None:
    """Time all three, twice."""
    packhorse = Path(sys.executable).with_name("packhorse")
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (("work.py", SCRIPT), ("pool.py", POOL), ("job.py", JOBLIB), ("each.py", EXECUTOR)):
            Path(folder, name).write_text(text)
        for name, tasks in (("short", SHORT), ("burn", LONG)):
            Path(folder, f"{name}.yaml").write_text(study(name, tasks))

        def ours(name: str) -> Any:
            def run() -> None:
                shutil.rmtree(Path(folder, "runs"), ignore_errors=True)
                command(packhorse, "run", f"{name}.yaml", "--json", "-j2", cwd=folder)()

            return run

        rates = {}
        for name, tasks in (("short", SHORT), ("burn", LONG)):
            print(f"{tasks:,} tasks, {name}")
            contestants = {
                "Pool.map": command(sys.executable, "pool.py", name, tasks, cwd=folder),
                "joblib": command(sys.executable, "job.py", name, tasks, cwd=folder),
                "packhorse run": ours(name),
            }
            if name == "short":
                contestants[f"ProcessPoolExecutor.map, {EACH:,}"] = command(
                    sys.executable, "each.py", name, EACH, cwd=folder
                )
            times = interleave(contestants, ROUNDS)
            report(times, against="joblib")
            medians = {contestant: its.median for contestant, its in times.items()}
            rates[name] = tasks / medians["packhorse run"]
            if name == "short":
                rates["joblib"] = tasks / medians["joblib"]
                rates["executor"] = EACH / medians[f"ProcessPoolExecutor.map, {EACH:,}"]
        share = statistics.median(inside(packhorse, folder) for _ in range(3))
        sizes = [measured(packhorse, folder, tasks) for tasks in SIZES]
    print(f"inside tasks of 10 ms: {share:.1%} of two cores' time while the worker ran")
    print(f"short tasks: {rates['short']:,.0f} a second")
    largest = sizes[-1]
    # Between two sizes, since a command also costs its start.
    steps = [
        (after.cpu - before.cpu) / (after.tasks - before.tasks) for before, after in itertools.pairwise(sizes)
    ]
    print("CPU time of one more task, us:", ", ".join(f"{step * 1e6:.1f}" for step in steps))
    judge(
        {
            "short tasks: at least joblib's rate": rates["short"] >= rates["joblib"],
            "short tasks: 10 times ProcessPoolExecutor.map": rates["short"] >= 10 * rates["executor"],
            "a million short tasks: 10 times ProcessPoolExecutor.map": largest.tasks / largest.seconds
            >= 10 * rates["executor"],
            "a million tasks: under 20 s": largest.seconds < 20,
            "a million tasks: 200 MB": largest.memory <= 200e6,
            "a million tasks: status under 0.5 s": largest.status < 0.5,
            "10,000 to a million tasks: time per task flat within 20 %": max(steps) <= 1.2 * min(steps),
            "10,000 to a million tasks: memory of a slot flat within 20 %": largest.slot
            <= 1.2 * sizes[0].slot,
            f"at least {RATE:,} short tasks a second": rates["short"] >= RATE,
            "at least 97 % of the cores' time inside tasks of 10 ms": share >= 0.97,
        }
    )


class Measured(NamedTuple):
    """A run of short tasks: seconds, CPU seconds of all its processes, bytes of the command and of a slot at most."""

    tasks: int
    seconds: float
    cpu: float
    memory: float
    slot: float
    status: float


def measured(packhorse: Path, folder: str, tasks: int) -> Measured:
    """Run short tasks; return what the whole command used."""
    shutil.rmtree(Path(folder, "runs"), ignore_errors=True)
    Path(folder, "many.yaml").write_text(study("short", tasks))
    begun = time.perf_counter()
    argv = [packhorse, "run", "many.yaml", "--json", "-j2"]
    process = subprocess.Popen(argv, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{argv} ended with {process.returncode}")
    seconds = time.perf_counter() - begun
    begun = time.perf_counter()
    subprocess.run([packhorse, "status", "many"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    asked = time.perf_counter() - begun
    slot = polars.scan_parquet(Path(folder, "runs", "many", "results.parquet"))
    most = slot.select(polars.col("ph_memory").max()).collect().item() * 1024
    found = Measured(tasks, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, most, asked)
    print(
        f"{tasks:9,} tasks: {seconds:6.2f} s, CPU {found.cpu:6.2f} s, command {found.memory / 1e6:.0f} MB, "
        f"slot {most / 1e6:.0f} MB, status {asked:.2f} s"
    )
    return found


def inside(packhorse: Path, folder: str) -> float:
    """Return the CPU time inside tasks over the worker's life times two cores."""
    shutil.rmtree(Path(folder, "runs"), ignore_errors=True)
    subprocess.run(
        [packhorse, "run", "burn.yaml", "--json", "-j2"], cwd=folder, check=True, capture_output=True
    )
    (journal,) = Path(folder, "runs", "burn", "journal").glob("*.ndjson")
    rows = [json.loads(row) for row in journal.read_text().splitlines()]
    header, records = rows[0]["header"], [row for row in rows if "index" in row]
    end = max(row["begin"] + row["wall"] for row in records)
    return float(sum(row["cpu"] for row in records) / (end - header["started"]) / CORES)


if __name__ == "__main__":
    main()
