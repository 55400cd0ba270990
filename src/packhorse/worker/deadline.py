"""The deadline of a worker: when its job ends, what may still begin, and what runs until then."""

import os
import time

MARGIN = 30.0  # seconds to end tasks and write everything
SHARE, LARGEST = 0.05, 300.0  # of a long job's time, since its tasks need longer to end; bounded
OF_SHORT = 0.2  # of a short job's time, at most
SETUP = 3600.0  # seconds; a process that seems older than that was not started by a job script just now


def margin_of(seconds):
    """Return how long before its job's end a worker stops, in seconds."""
    return min(max(MARGIN, min(SHARE * seconds, LARGEST)), OF_SHORT * seconds)


def age():
    """Return the seconds since this process was started, before it became Python; 0 where nothing tells.

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
    found = up - ticks / float(os.sysconf("SC_CLK_TCK"))
    return found if 0 < found < SETUP else 0.0


class Deadline(object):
    """A moment on the monotonic clock; without a job's time it never comes."""

    def __init__(self, seconds, margin=None):
        now = time.monotonic()
        self.seconds = seconds
        self.at = self.unix = None
        if seconds:
            margin = margin_of(seconds) if margin is None else margin
            self.at = now - age() + seconds - margin
            self.unix = round(time.time() + self.at - now, 3)

    def left(self):
        """Return the seconds until then."""
        return float("inf") if self.at is None else self.at - time.monotonic()

    def lease_seconds(self, least):
        """Return how much expected work one lease may hold: a tenth of the job's time, at least `least` seconds."""
        return min(max(least, self.seconds / 10.0), max(0.0, self.left()))
