"""Starting /bin/true over and over: packhorse against xargs -P2 and GNU parallel -j2, as rates.

Packhorse's time is that of the whole command: reading the study, snapshot, provenance, journal with fsync,
table. xargs records nothing; parallel runs fewer tasks, since its rate does not depend on their number.
The processor time of each (all its processes) is printed too: other load on the machine changes it less than a rate.
"""

from __future__ import annotations

import resource
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from timing import command, interleave, judge

TASKS = 20_000
FEWER = 1_500
ROUNDS = 5
STUDY = "command: /bin/true\nresult: none\nparameters: {{i: {{range: [0, {tasks}]}}}}\n"


class Metered:
    """Work whose processor seconds are kept, round by round."""

    def __init__(self, work: Callable[[], None]) -> None:
        self.work = work
        self.seconds: list[float] = []

    def __call__(self) -> None:
        """Work once."""
        before = _processor_seconds()
        self.work()
        self.seconds.append(_processor_seconds() - before)


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Time all three and judge the rates."""
    packhorse = Path(sys.executable).with_name("packhorse")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "study.yaml").write_text(STUDY.format(tasks=TASKS))
        run = command(packhorse, "run", "study.yaml", "--json", "-j2", cwd=folder)

        def ours() -> None:
            shutil.rmtree(Path(folder, "runs"), ignore_errors=True)
            run()

        contestants = {
            "xargs -P2": command("sh", "-c", f"seq {TASKS} | xargs -P2 -n1 /bin/true"),
            "parallel -j2": command("sh", "-c", f"seq {FEWER} | parallel --will-cite -j2 /bin/true"),
            "packhorse run": ours,
        }
        metered = {name: Metered(work) for name, work in contestants.items()}
        times = interleave(metered, ROUNDS)
    rates = {}
    for name, one in times.items():
        tasks = FEWER if name.startswith("parallel") else TASKS
        low, high = one.spread
        rates[name] = tasks / one.median
        used = statistics.median(metered[name].seconds) / tasks
        spread = f"[{tasks / high:,.0f}, {tasks / low:,.0f}]"
        print(
            f"{name:14} {rates[name]:8,.0f} tasks/s  {spread:16}  {used * 1e3:.2f} ms of processor time a task"
        )
    judge(
        {
            "at least the rate of xargs -P2": rates["packhorse run"] >= rates["xargs -P2"],
            "at least 4 times GNU parallel": rates["packhorse run"] >= 4 * rates["parallel -j2"],
        }
    )


if __name__ == "__main__":
    main()
