"""The time that a job asks for: long enough for its tasks, short enough to fit into gaps between larger jobs.

Schedulers start jobs early if they end before the start of a larger job, so a longer time limit than needed means a
longer wait: https://slurm.schedmd.com/sched_config.html, "Backfill Scheduling".
"""

from __future__ import annotations

import math

from packhorse.model.site import Partition
from packhorse.model.study import Cluster
from packhorse.plan.work import Work, rounds

HOUR = 3600
START = 60  # seconds from a job's start to its first task: modules, environment, the copy of the code
SAFETY = 1.5  # factor by which tasks may exceed their expected time before another wave is needed
LEAST = 600  # seconds; a shorter job would not start sooner
USUAL = 12 * HOUR  # the maximum, unless a single task needs more
UNKNOWN_LEAST, UNKNOWN_USUAL = HOUR, 4 * HOUR  # the same where the time of a task is not known
STEP = 300  # times are multiples of this


def stopped_before(seconds: int) -> float:
    """Return the seconds before the end of a job of `seconds` at which its worker stops (worker/deadline.py)."""
    return min(max(30.0, min(seconds / 20, 300.0)), seconds / 5)


def usable(seconds: int) -> float:
    """Return the seconds in which tasks run in a job of `seconds`; 0 if it is too short."""
    return max(0.0, seconds - START - stopped_before(seconds))


def needed(tasks_seconds: float) -> int:
    """Return the seconds of a job in which tasks can run for `tasks_seconds`."""
    begun = math.ceil(tasks_seconds) + START
    # A twentieth of the whole is a nineteenth of the rest; a fifth is a fourth.
    return begun + min(max(30, min(-(-begun // 19), 300)), -(-begun // 4))


def longest_job(work: Work, partition: Partition, asked: Cluster) -> int:
    """Return the maximum seconds of a job of this work."""
    most = asked.job_time
    if most is None:
        most = max(USUAL if work.known else UNKNOWN_USUAL, needed(work.held))
    return most if partition.max_time is None else min(most, partition.max_time)


def job_seconds(work: Work, slots: int, most: int, asked: Cluster) -> int:
    """Return the seconds that each job of a wave asks for, at most `most`; `slots` are those of the whole wave.

    Work that takes several waves is split evenly, so that the last wave is not longer than it needs.
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
    """Return the number of waves of jobs of `seconds` if each task takes `task` seconds; None: the usual time.

    A task that is longer than a job goes on in the next wave from its checkpoint.
    """
    task = task or work.task
    in_turn = rounds(work.tasks, slots)
    available = max(1.0, usable(seconds))
    if task > available:
        return in_turn * math.ceil(task / available)
    return -(-in_turn // int(available / task))
