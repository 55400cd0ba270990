"""A NumPy script on a real Slurm, as an ordinary user: an array of it, and Packhorse, from the typed command to the table.

The jobs of the plain array run the same script with the same parameters and keep nothing but what they print. Packhorse's
time is that of the whole command: submission, trial of warm starts, journal, table. Both use the same two cores.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from cluster.rates import PATIENCE, Bench, cluster_up
from timing import interleave, judge

from warm import NUMPY

ROUNDS = 3
ELEMENTS, TASKS = 100, 5_000
TIMES = 100  # the rate of plain arrays
JOB = """#!/bin/sh
#SBATCH --partition=general --output=/dev/null
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 PYTHONPATH={library}
python script.py --n $SLURM_ARRAY_TASK_ID
"""
STUDY = """
name: numpy
command: python script.py --n {{n}}
code: script.py
env: {{PYTHONPATH: {library}}}
parameters: {{n: {{range: [0, {tasks}]}}}}
"""


class NumpyBench(Bench):
    """A folder of an ordinary user with the script, NumPy, and the study."""

    def __init__(self, bench: Bench) -> None:
        self.__dict__.update(vars(bench))
        self.library = self.folder / "numpy" / "site-packages"  # so that it counts as installed
        self._copy_numpy()
        self._write("script.py", NUMPY)
        self._write("job.sh", JOB.format(library=self.library))
        self._write("numpy.yaml", STUDY.format(library=self.library, tasks=TASKS))

    def _copy_numpy(self) -> None:
        """Copy NumPy of this environment, which the cluster's users need not be able to read."""
        import numpy

        source = Path(numpy.__file__).parent
        for folder in (source, *source.parent.glob("numpy.libs")):
            shutil.copytree(folder, self.library / folder.name, ignore=shutil.ignore_patterns("tests"))

    def array(self) -> None:
        """Submit an array that runs the script in each job, and wait until the queue has none of them."""
        job = self._as_user("sbatch", "--parsable", f"--array=1-{ELEMENTS}", "job.sh").strip()
        give_up = time.monotonic() + PATIENCE
        while self._as_user("squeue", "--noheader", "--format=%i", f"--jobs={job}"):
            if time.monotonic() > give_up:
                raise SystemExit(f"the array {job} did not end within {PATIENCE:.0f} s")
            time.sleep(0.2)

    def study(self) -> None:
        """Run the study from nothing to its table."""
        shutil.rmtree(self.folder / "runs" / "numpy", ignore_errors=True)
        self._as_user("packhorse", "run", "numpy.yaml", "--site", "testbed", "--json")

    def provenance(self) -> str:
        """Return what is known of the study's run."""
        return self._as_user("packhorse", "provenance", "runs/numpy")


def main() -> None:
    """Time both, and judge the rate."""
    with cluster_up() as cluster:
        bench = NumpyBench(Bench(cluster))
        try:
            times = interleave({"sbatch --array": bench.array, "packhorse": bench.study}, ROUNDS)
            provenance = bench.provenance()
        finally:
            shutil.rmtree(bench.folder, ignore_errors=True)
    if "tasks start warm" not in provenance:
        raise SystemExit(f"the tasks did not start warm\n{provenance}")
    rates = {}
    for (name, one), tasks in zip(times.items(), (ELEMENTS, TASKS), strict=True):
        low, high = one.spread
        rates[name] = tasks / one.median
        print(
            f"{name:15} {tasks:6,} tasks {one.median:7.2f} s [{low:.2f}, {high:.2f}] {rates[name]:8,.1f} tasks/s"
        )
    ratio = rates["packhorse"] / rates["sbatch --array"]
    print(f"{ratio:.0f} times the plain array; load average {os.getloadavg()[0]:.1f}")
    judge({f"a NumPy script at {TIMES} times plain arrays": ratio >= TIMES})


if __name__ == "__main__":
    main()
