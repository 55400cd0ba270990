"""Time things side by side: interleaved rounds, so that a slow minute of the machine hits all of them."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any


class Times:
    """The seconds of all rounds of one contestant, and its processor seconds, which other load changes less."""

    def __init__(self, seconds: list[float], processor: list[float] | None = None) -> None:
        self.seconds, self.processor = seconds, processor or []

    @property
    def median(self) -> float:
        """The middle round."""
        return statistics.median(self.seconds)

    @property
    def spread(self) -> tuple[float, float]:
        """The quartiles."""
        low, _, high = statistics.quantiles(self.seconds, n=4)
        return low, high


def interleave(contestants: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, Times]:
    """Call every contestant once a round, after one round that does not count; return their times."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    processor: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name, work in contestants.items():
            begin, used = time.perf_counter(), processor_seconds()
            work()
            if number:
                seconds[name].append(time.perf_counter() - begin)
                processor[name].append(processor_seconds() - used)
    return {name: Times(times, processor[name]) for name, times in seconds.items()}


def processor_seconds() -> float:
    """Return the processor time of all processes below this one that have ended and were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def command(*argv: object, **options: Any) -> Callable[[], None]:
    """Return a contestant that runs a program to its end and raises unless it succeeds."""
    words = [str(word) for word in argv]

    def run() -> None:
        ended = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False, **options)
        if ended.returncode:
            raise SystemExit(
                f"{words} ended with {ended.returncode}\n{ended.stderr.decode(errors='replace')}"
            )

    return run


def report(times: Mapping[str, Times], against: str) -> None:
    """Print a line a contestant: median, quartiles, and the ratio to one of them."""
    width = max(map(len, times))
    base = times[against].median
    for name, one in times.items():
        low, high = one.spread
        print(f"{name:{width}}  {one.median:9.4f} s  [{low:.4f}, {high:.4f}]  x{one.median / base:.2f}")


def judge(marks: Mapping[str, bool]) -> None:
    """Print whether each mark is met; exit with 1 where one is not."""
    for mark, met in marks.items():
        print(f"{'met ' if met else 'MISS'}  {mark}")
    sys.exit(not all(marks.values()))
