"""Many short tasks on a real Slurm, as an ordinary user: plain arrays, submitit, Packhorse.

Packhorse's time is told twice, from the typed command on: until the last worker has written its last record, and
until the command has ended, its table merged. Plain arrays and submitit run fewer tasks, since their rate does
not grow with the number. What is not equal between the three stands in docs/explanation/speed.md.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from timing import Times, interleave, judge

from cluster.testbed import DIRECTORY, Cluster, script

ROUNDS = 5
ELEMENTS = 1_000  # of a plain array
MAPPED = 200  # of submitit's
COMMANDS, FUNCTIONS = 20_000, 100_000
TIMES_COMMANDS, TIMES_FUNCTIONS = 15, 300  # the rate of plain arrays
PATIENCE = 300.0  # seconds for any one of them

PLAIN = ("sbatch", "--parsable", "--partition=general", "--output=/dev/null", "--wrap=true")
STUDIES = {
    "commands": f"command: /bin/true\nresult: none\nparameters: {{i: {{range: [0, {COMMANDS}]}}}}\n",
    "functions": f"function: work:half\ncode: work.py\nparameters: {{i: {{range: [0, {FUNCTIONS}]}}}}\n",
}
WORK = """
def half(i):
    return {"x": i * 0.5}
"""
SUBMITIT = f"""
import submitit, work

executor = submitit.AutoExecutor(folder="logs/%j", cluster="slurm")
executor.update_parameters(timeout_min=10, slurm_partition="general")
jobs = executor.map_array(work.half, range({MAPPED}))
assert [job.result()["x"] for job in jobs] == [i * 0.5 for i in range({MAPPED})]
"""


@contextlib.contextmanager
def cluster_up() -> Iterator[Cluster]:
    """Bring the project's cluster up for a while; it stays where it was up before or others use it."""
    up = script("up", "--passing")
    if up.returncode:
        raise SystemExit(up.stdout)
    handle = os.open(DIRECTORY, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(handle, fcntl.LOCK_SH)  # as test sessions do, so that none takes it down meanwhile
    try:
        yield Cluster(DIRECTORY)
    finally:
        os.close(handle)
        script("down", "--passing")


class Bench:
    """A folder of an ordinary user with the studies, and what is measured in it."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.user = cluster.users[0] if cluster.users else ""  # without root there is only oneself
        self.folder = cluster.workspace(self.user)
        self.recorded: dict[str, list[float]] = {name: [] for name in STUDIES}
        self._write("work.py", WORK)
        self._write("mapped.py", SUBMITIT)
        for name, text in STUDIES.items():
            self._write(f"{name}.yaml", text)
        for package in ("submitit", "cloudpickle", "typing_extensions"):
            self._lend(package)

    def _write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o644)

    def _lend(self, package: str) -> None:
        """Copy a package of this environment, which the cluster's users need not be able to read."""
        found = importlib.util.find_spec(package)
        if found is None or found.origin is None:
            raise SystemExit(f"{package} is not installed; make bench-cluster installs it")
        source, library = Path(found.origin), self.folder / "library"
        library.mkdir(exist_ok=True)
        if source.name == "__init__.py":
            shutil.copytree(source.parent, library / package)
        else:
            shutil.copy(source, library)

    def _as_user(self, *argv: str, **options: Any) -> str:
        done = self.cluster.run(self.user, argv, cwd=self.folder, timeout=PATIENCE, **options)
        if done.returncode:
            raise SystemExit(f"{argv} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def plain(self) -> None:
        """Submit an array of jobs that do nothing, and wait until the queue has none of them."""
        job = self._as_user(*PLAIN, f"--array=1-{ELEMENTS}").strip()
        give_up = time.monotonic() + PATIENCE
        while self._as_user("squeue", "--noheader", "--format=%i", f"--jobs={job}"):
            if time.monotonic() > give_up:
                raise SystemExit(f"the array {job} did not end within {PATIENCE:.0f} s")
            time.sleep(0.2)  # often enough for a run of ten seconds, and next to nothing for the scheduler

    def submitit(self) -> None:
        """Map a function over numbers as submitit's own examples do, and check the results."""
        shutil.rmtree(self.folder / "logs", ignore_errors=True)
        python = self.cluster.directory / "packhorse/current/bin/python"
        self._as_user(str(python), "mapped.py", env={"PYTHONPATH": str(self.folder / "library")})

    def packhorse(self, name: str) -> Callable[[], None]:
        """Return the run of a study from nothing to its table."""
        run = self.folder / "runs" / name

        def work() -> None:
            shutil.rmtree(run, ignore_errors=True)
            begin = time.time()
            self._as_user("packhorse", "run", f"{name}.yaml", "--site", "testbed", "--json")
            last = max(path.stat().st_mtime for path in (run / "journal").glob("*.ndjson"))
            self.recorded[name].append(last - begin)

        return work


def measure(bench: Bench) -> dict[str, tuple[int, Times]]:
    """Return the tasks and the times of each contestant."""
    contestants = {
        "sbatch --array": bench.plain,
        "submitit map_array": bench.submitit,
        "packhorse /bin/true": bench.packhorse("commands"),
        "packhorse functions": bench.packhorse("functions"),
    }
    ended = interleave(contestants, ROUNDS)
    recorded = {name: Times(seconds[1:]) for name, seconds in bench.recorded.items()}
    return {
        "sbatch --array": (ELEMENTS, ended["sbatch --array"]),
        "submitit map_array": (MAPPED, ended["submitit map_array"]),
        "packhorse /bin/true, recorded": (COMMANDS, recorded["commands"]),
        "packhorse /bin/true, table": (COMMANDS, ended["packhorse /bin/true"]),
        "packhorse functions, recorded": (FUNCTIONS, recorded["functions"]),
        "packhorse functions, table": (FUNCTIONS, ended["packhorse functions"]),
    }


def main() -> None:
    """Time all, and judge the rates until the last record."""
    with cluster_up() as cluster:
        bench = Bench(cluster)
        try:
            measured = measure(bench)
        finally:
            shutil.rmtree(bench.folder, ignore_errors=True)
    rates = {name: tasks / times.median for name, (tasks, times) in measured.items()}
    plain = rates["sbatch --array"]
    for name, (tasks, times) in measured.items():
        low, high = times.spread
        print(
            f"{name:30} {tasks:7,} tasks {times.median:7.2f} s [{low:.2f}, {high:.2f}]"
            f" {rates[name]:8,.0f} tasks/s  x{rates[name] / plain:.1f}"
        )
    judge(
        {
            f"/bin/true at {TIMES_COMMANDS} times plain arrays": rates["packhorse /bin/true, recorded"]
            >= TIMES_COMMANDS * plain,
            f"functions at {TIMES_FUNCTIONS} times plain arrays": rates["packhorse functions, recorded"]
            >= TIMES_FUNCTIONS * plain,
        }
    )


if __name__ == "__main__":
    main()
