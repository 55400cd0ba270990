"""Function tasks: packhorse against joblib and multiprocessing.Pool, short ones and ones of 10 ms.

Packhorse's time is that of the whole command, with seeds, journal, provenance and table; the pools keep their
results in memory. Judged are the rate of the short ones, and of the 10 ms tasks the share of the two cores' time
spent inside tasks (the median of some runs, since whatever else the machine does counts against it).
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from timing import command, interleave, judge, report

SHORT, LONG, ROUNDS, CORES = 100_000, 4_000, 5, 2
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
        for name, text in (("work.py", SCRIPT), ("pool.py", POOL), ("job.py", JOBLIB)):
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
            times = interleave(contestants, ROUNDS)
            report(times, against="joblib")
            rates[name] = tasks / times["packhorse run"].median
        share = statistics.median(inside(packhorse, folder) for _ in range(3))
    print(f"inside tasks of 10 ms: {share:.1%} of two cores' time while the worker ran")
    print(f"short tasks: {rates['short']:,.0f} a second")
    judge(
        {
            f"at least {RATE:,} short tasks a second": rates["short"] >= RATE,
            "at least 97 % of the cores' time inside tasks of 10 ms": share >= 0.97,
        }
    )


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
