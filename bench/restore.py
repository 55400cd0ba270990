"""Restoring a slot between two tasks: what it costs for /bin/true, a NumPy script, and a script that writes 100 files.

The time of a task is that of the whole command divided by its tasks. The time of restoring is measured alone, on the same
working copy, since the difference of two whole commands is smaller than what other load on the machine changes.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from timing import command, interleave, judge

from packhorse.worker.tasks import changes
from packhorse.worker.tasks.restore import Restorer
from packhorse.worker.tasks.slot_folders import SlotFolders

ROUNDS = 5
SLOTS = 2
NUMPY = "import sys, numpy\nprint(numpy.random.default_rng(int(sys.argv[1])).normal(size=1000).mean())\n"
FILES = 'mkdir -p out; i=0; while [ $i -lt 100 ]; do echo "$1" > out/$i.txt; i=$((i+1)); done\n'
# What a task runs, how many tasks, and what it does in its working copy.
KINDS = {
    "/bin/true": ("/bin/true", 10_000),
    "NumPy script": (f"{sys.executable} sim.py {{i}}", 40),
    "script that writes 100 files": ("sh files.sh {i}", 400),
}


def main() -> None:
    """Time tasks and the restoring after them, and judge the shares."""
    packhorse = Path(sys.executable).with_name("packhorse")
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder, "project")
        project.mkdir()
        (project / "sim.py").write_text(NUMPY)
        (project / "files.sh").write_text(FILES)
        for number in range(50):
            (project / f"module_{number}.py").write_text("x = 1\n")
        contestants = {name: _run(packhorse, project, name) for name in KINDS}
        times = interleave(contestants, ROUNDS)
        told = {name: _restoring(Path(folder, name.replace("/", "-")), project, name) for name in KINDS}
        with mock.patch.object(changes, "InotifyChanges", side_effect=changes.NoInotify):
            compared = {
                name: _restoring(Path(folder, "c" + name.replace("/", "-")), project, name) for name in KINDS
            }
    shares = {}
    for name, (_, tasks) in KINDS.items():
        task = times[name].median * SLOTS / tasks
        shares[name] = told[name] / task
        print(
            f"{name:30} {task * 1e6:10,.0f} us a task, restoring {told[name] * 1e6:8,.1f} us ({shares[name]:.2%}),"
            f" without inotify {compared[name] * 1e6:8,.0f} us"
        )
    judge(
        {
            "/bin/true loses under 2 %": shares["/bin/true"] < 0.02,
            "a NumPy script loses under 2 %": shares["NumPy script"] < 0.02,
            "100 files are removed in a fifth of the time in which they are written": shares[
                "script that writes 100 files"
            ]
            < 0.2,
        }
    )


def _run(packhorse: Path, project: Path, name: str) -> Callable[[], None]:
    argv, tasks = KINDS[name]
    file = project / f"{len(argv)}.yaml"
    file.write_text(f"command: {argv}\nresult: none\nparameters: {{i: {{range: [{tasks}]}}}}\n")
    run = command(packhorse, "run", file.name, "--json", f"-j{SLOTS}", cwd=project)

    def work() -> None:
        shutil.rmtree(project / "runs", ignore_errors=True)
        run()

    return work


def _restoring(scratch: Path, project: Path, name: str) -> float:
    """Return the median seconds of restoring a working copy after one task."""
    work: Any = {"folder": ".", "search": [], "root": "project", "links": []}
    image, folders = SlotFolders(str(scratch), "image", work), SlotFolders(str(scratch), 0, work)
    shutil.copytree(project, image.code, ignore=shutil.ignore_patterns("runs"))
    Path(image.scratch).mkdir(parents=True)
    folders.make(image.root)
    restorer = Restorer(folders, work)
    argv, tasks = KINDS[name]
    repeats = 1000 if tasks > 1000 else 20
    seconds = []
    for number in range(repeats):
        if tasks < 1000 or number == 0:
            words = argv.replace("{i}", str(number)).split()
            subprocess.run(words, cwd=folders.code, check=True, stdout=subprocess.DEVNULL)
        begin = time.perf_counter()
        restorer.restore()
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
