"""The deadline of a worker: the moment at which it stops its tasks, so that all is written before its job ends."""

import os
import time

MARGIN = 30.0  # seconds to end tasks and write everything
SHARE, LARGEST = (
    0.05,
    300.0,
)  # of a long job's time, since its tasks need longer to end; at most so many seconds
SHARE_OF_SHORT = 0.2  # of a short job's time, at most
SETUP = 3600.0  # seconds; a process older than this was not started by a job script just now


def margin_of(seconds: float) -> float:
    """Return how many seconds before the end of a job of `seconds` a worker stops."""
    return min(max(MARGIN, min(SHARE * seconds, LARGEST)), SHARE_OF_SHORT * seconds)


def age() -> float:
    """Return the seconds since this process was started, before it became Python; 0 if the system does not tell.

    A job script `exec`s the worker, so its own lines (modules, environments) belong to the worker's process and
    to the job's time: proc(5), /proc/PID/stat, field 22.
    """
    try:
        with open("/proc/self/stat") as stream:
            ticks = int(stream.read().rpartition(")")[2].split()[19])
        with open("/proc/uptime") as stream:
            up = float(stream.read().split()[0])
    except (OSError, ValueError, IndexError):
        return 0.0
    seconds = up - ticks / float(os.sysconf("SC_CLK_TCK"))
    return seconds if 0 < seconds < SETUP else 0.0


class Deadline(object):
    """A moment on the monotonic clock; it never comes if the job has no time limit (`seconds` is 0)."""

    def __init__(self, seconds: float, margin: "float | None" = None) -> None:
        now = time.monotonic()
        self.seconds = seconds
        self.at: "float | None" = None
        self.unix: "float | None" = None
        if seconds:
            margin = margin_of(seconds) if margin is None else margin
            self.at = now - age() + seconds - margin
            self.unix = round(time.time() + self.at - now, 3)

    def left(self) -> float:
        """Return the seconds until the deadline."""
        return float("inf") if self.at is None else self.at - time.monotonic()

    def lease_seconds(self, least: float) -> float:
        """Return the seconds of expected work that one lease may hold: a tenth of the job's time, at least `least`."""
        return min(max(least, self.seconds / 10.0), max(0.0, self.left()))
