"""R: short calls and calls of a second, by ph_mclapply and %dopar%, against mclapply, foreach, future.apply and batchtools.

Every contestant is one script of R, which is timed whole, with the start of R and the packages that it loads. Packhorse
keeps journal, seeds, snapshot and table, and starts new processes, where mclapply forks;
the marks are about what that costs.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from timing import Times, command, interleave, judge, report

CORES = 2
PACKHORSE = 'source(system("packhorse r", intern = TRUE))'
F = {"short": "function(i) i^2", "second": "function(i) { Sys.sleep(1); i^2 }"}
# Of each contestant: the packages that it needs, and its script.
SCRIPTS = {
    "mclapply": ("", "x <- parallel::mclapply(X, f, mc.cores = CORES)"),
    "foreach, doParallel": (
        "doParallel",
        "library(foreach); doParallel::registerDoParallel(cores = CORES); x <- foreach(i = X) %dopar% f(i)",
    ),
    "future.apply, multisession": (
        "future.apply",
        "future::plan('multisession', workers = CORES); x <- future.apply::future_lapply(X, f)",
    ),
    "batchtools, multicore": (
        "batchtools",
        """suppressPackageStartupMessages(library(batchtools))
        options(batchtools.progress = FALSE, batchtools.verbose = FALSE)
        registry <- makeRegistry("registry"); registry$cluster.functions <- makeClusterFunctionsMulticore(CORES)
        ids <- batchMap(f, X, reg = registry); ids$chunk <- chunk(ids$job.id, n.chunks = 4 * CORES)
        submitJobs(ids, reg = registry); invisible(waitForJobs(sleep = 0.05, reg = registry))
        x <- reduceResultsList(reg = registry)""",
    ),
    "ph_mclapply": ("", f"{PACKHORSE}; x <- ph_mclapply(X, f, mc.cores = CORES)"),
    "foreach, registerDoPackhorse": (
        "foreach",
        f"{PACKHORSE}; library(foreach); registerDoPackhorse(cores = CORES); x <- foreach(i = X) %dopar% f(i)",
    ),
}
SLOW = "batchtools, multicore"
CHECK = "stopifnot(identical(as.numeric(unlist(x)), as.numeric(X)^2))"


def available() -> dict[str, str]:
    """Return the scripts whose packages are installed, and say which are not."""
    found = {}
    for name, (package, text) in SCRIPTS.items():
        code = f'cat(nzchar(system.file(package = "{package or "parallel"}")))'
        told = subprocess.run(["Rscript", "-e", code], capture_output=True, text=True, check=True)
        if told.stdout == "TRUE":
            found[name] = text
        else:
            print(f"{name}: R has no package {package} here, so it is not measured")
    return found


def contestant(folder: Path, text: str, kind: str, calls: int) -> Callable[[], None]:
    """Return a contestant that runs one script in an empty folder."""
    lines = [f"CORES <- {CORES}", f"X <- 1:{calls}", f"f <- {F[kind]}", text, CHECK]
    folder.mkdir(parents=True)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    run = command(
        "Rscript", "--vanilla", "-e", "\n".join(lines), cwd=folder, env={**os.environ, "PATH": path}
    )

    def begin() -> None:
        for left in folder.iterdir():
            shutil.rmtree(left)
        run()

    return begin


def main() -> None:
    """Time all of them in turn."""
    if shutil.which("Rscript") is None:
        print("Rscript is not installed, so nothing is measured")
        return
    scripts = available()
    medians: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as top:
        for kind, calls, rounds in (("short", 100, 3), ("short", 10_000, 2), ("second", 20, 2)):
            print(f"\n{calls:,} calls, {kind}")
            contestants = {
                name: contestant(Path(top, f"{kind}-{calls}", str(number)), text, kind, calls)
                for number, (name, text) in enumerate(scripts.items())
            }
            # batchtools has files for each job: 10,000 of them take minutes, so it has one turn.
            slow = contestants.pop(SLOW, None) if calls > 1000 else None
            times = interleave(contestants, rounds)
            if slow:
                begin = time.perf_counter()
                slow()
                times[SLOW] = Times([time.perf_counter() - begin] * 2)
            report(times, against="mclapply")
            medians.update({f"{name} {kind} {calls}": one.median for name, one in times.items()})
    print(json.dumps(medians, indent=1))
    ours, slowest = "ph_mclapply short 10000", f"{SLOW} short 10000"
    marks = {"10,000 short calls in 10 s": medians[ours] < 10}
    if slowest in medians:
        marks["10,000 short calls in less time than batchtools"] = medians[ours] < medians[slowest]
    marks["20 calls of 1 s: 60 % of both cores' time"] = 10 / medians["ph_mclapply second 20"] > 0.6
    judge(marks)


if __name__ == "__main__":
    main()
