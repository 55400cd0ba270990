"""Calls from Python: packhorse.Executor against ProcessPoolExecutor, joblib, submitit and dask, all on this machine.

Each contestant is a whole script with two workers: it starts, makes the calls, and ends. A missing peer is named and
left out; submitit starts a process for each call, so it makes only the 100. Judged is the rate of 10,000 short calls
against joblib's, with and without chunks.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from pathlib import Path

from timing import Times, command, interleave, judge, report

ROUNDS = 3
WORK = """
import time

def short(i):
    return {"x": i * 0.5}

def second(i):
    time.sleep(1)
    return i
"""
MAPPED = """
import sys, work
from {module} import {name} as Executor
if __name__ == "__main__":
    with Executor({workers}) as pool:
        calls = int(sys.argv[2])
        assert len(list(pool.map(getattr(work, sys.argv[1]), range(calls), chunksize={chunk}))) == calls
"""
SCRIPTS = {
    "packhorse": MAPPED.format(module="packhorse", name="Executor", workers=2, chunk=1),
    "chunks": MAPPED.format(module="packhorse", name="Executor", workers=2, chunk="max(1, calls // 100)"),
    "pool": MAPPED.format(module="concurrent.futures", name="ProcessPoolExecutor", workers=2, chunk=1),
    "joblib": """
import sys, joblib, work
if __name__ == "__main__":
    call = joblib.delayed(getattr(work, sys.argv[1]))
    joblib.Parallel(n_jobs=2)(call(i) for i in range(int(sys.argv[2])))
""",
    "submitit": """
import sys, submitit, work
if __name__ == "__main__":
    executor = submitit.LocalExecutor(folder="log")
    jobs = executor.map_array(getattr(work, sys.argv[1]), range(int(sys.argv[2])))
    [job.result() for job in jobs]
""",
    "dask": """
import sys, work
from dask.distributed import Client
if __name__ == "__main__":
    with Client(n_workers=2, threads_per_worker=1, dashboard_address=None) as client:
        client.gather(client.map(getattr(work, sys.argv[1]), range(int(sys.argv[2]))))
""",
}
MODULES = {"joblib": "joblib", "submitit": "submitit", "dask": "distributed"}


def main() -> None:
    """Time all contestants on three kinds of work."""
    missing = [name for name, module in MODULES.items() if importlib.util.find_spec(module) is None]
    for name in missing:
        print(f"left out: {name} is not installed")
    times: dict[tuple[str, int], dict[str, Times]] = {}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "work.py").write_text(WORK)
        for name, text in SCRIPTS.items():
            Path(folder, f"with_{name}.py").write_text(text)
        for function, calls in (("short", 100), ("short", 10_000), ("second", 100)):
            names = [name for name in SCRIPTS if name not in missing and (name != "submitit" or calls == 100)]
            if function == "second":
                names = [name for name in names if name != "submitit"]  # it does not limit itself to two
            print(f"\n{calls} calls of {function}")
            work = {
                name: command(sys.executable, f"with_{name}.py", function, calls, cwd=folder)
                for name in names
            }
            times[function, calls] = interleave(work, 1 if function == "second" else ROUNDS)
            report_or_print(times[function, calls])
    short = times["short", 10_000]
    joblib = short["joblib"].median
    judge(
        {
            "10,000 short calls, at least joblib's rate": short["packhorse"].median <= joblib,
            "10,000 short calls in chunks of 100, at least joblib's rate": short["chunks"].median <= joblib,
        }
    )


def report_or_print(times: dict[str, Times]) -> None:
    """Print the times; quartiles need two rounds."""
    if all(len(one.seconds) > 1 for one in times.values()):
        report(times, "packhorse")
        return
    for name, one in times.items():
        print(f"{name:10} {one.median:9.3f} s")


if __name__ == "__main__":
    main()
