"""How long a job asks to run: long enough for its tasks, short enough to fit into gaps between larger jobs.

Schedulers start jobs early that end before they are in anybody's way, so a time that is asked and not
needed costs waiting: https://slurm.schedmd.com/sched_config.html, "Backfill Scheduling".
"""

from __future__ import annotations

import math

from packhorse.model.site import Partition
from packhorse.model.study import Cluster
from packhorse.plan.work import Work, rounds

HOUR = 3600
START = 60  # seconds from a job's start to its first task: modules, environment, the copy of the code
SAFETY = 1.5  # how much longer than expected tasks may take before another wave is needed
LEAST = 600  # a shorter job starts no sooner
USUAL = 12 * HOUR  # no job asks for more, unless a single task needs it
UNKNOWN_LEAST, UNKNOWN_USUAL = HOUR, 4 * HOUR  # the same where nobody knows how long a task takes
STEP = 300  # times are asked in whole steps


def stopped_before(seconds: int) -> float:
    """Return how long before the end of a job of so many seconds its worker stops (worker/deadline.py)."""
    return min(max(30.0, min(seconds / 20, 300.0)), seconds / 5)


def usable(seconds: int) -> float:
    """Return the seconds in which tasks run, of a job of so many seconds; 0 where none is left."""
    return max(0.0, seconds - START - stopped_before(seconds))


def needed(tasks_seconds: float) -> int:
    """Return the seconds of a job in which tasks can run for `tasks_seconds`."""
    begun = math.ceil(tasks_seconds) + START
    # A twentieth of the whole is a nineteenth of the rest; a fifth is a fourth.
    return begun + min(max(30, min(-(-begun // 19), 300)), -(-begun // 4))


def longest_job(work: Work, partition: Partition, asked: Cluster) -> int:
    """Return the seconds that a job of this work may ask for at most."""
    most = asked.job_time
    if most is None:
        most = max(USUAL if work.known else UNKNOWN_USUAL, needed(work.held))
    return most if partition.max_time is None else min(most, partition.max_time)


def job_seconds(work: Work, slots: int, most: int, asked: Cluster) -> int:
    """Return the seconds that each job of a wave asks for, at most `most`; `slots` are those of the whole wave.

    Work that takes several waves is split evenly, so that the last wave asks for no more than it needs.
    """
    if asked.job_time is not None:
        return most
    wanted = needed(max(SAFETY * work.spread(slots), work.held))
    if wanted > most:
        share = rounds(rounds(work.tasks, slots), waves(work, slots, most))
        wanted = needed(max(SAFETY * share * work.task, work.held))
    wanted = max(wanted, LEAST if work.known else UNKNOWN_LEAST)
    return min(most, -(-wanted // STEP) * STEP)


def waves(work: Work, slots: int, seconds: int, task: float | None = None) -> int:
    """Return how many waves of jobs of `seconds` the work takes, if each task takes `task` seconds (else the usual).

    A task that is longer than a job goes on in the next wave from its checkpoint.
    """
    task = task or work.task
    in_turn = rounds(work.tasks, slots)
    available = max(1.0, usable(seconds))
    if task > available:
        return in_turn * math.ceil(task / available)
    return -(-in_turn // int(available / task))
