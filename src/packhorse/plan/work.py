"""The work of a wave: its tasks, what each requires, and how long one takes."""

from __future__ import annotations

import math

from msgspec import Struct

from packhorse.model.study import Resources

ASSUMED = 60.0  # seconds of a task whose time is neither stated nor measured
SHORTEST = 1e-4  # seconds; times are divisors


class Work(Struct, frozen=True, kw_only=True):
    """Tasks to run. Times are seconds of one task: `measured` their mean and `longest` the longest, from journals.

    `limit` is the study's time_limit, at which a task is stopped.
    """

    tasks: int
    resources: Resources = Resources()
    measured: float | None = None
    longest: float | None = None
    limit: float | None = None
    seen_memory: float = 0.0  # MiB that a task of an earlier wave used at most
    checkpoint: bool = False  # a stopped task goes on from its checkpoint

    @property
    def known(self) -> bool:
        """Whether the time of a task is measured or stated."""
        times = (self.measured, self.resources.expected, self.resources.time)
        return any(seconds is not None for seconds in times)

    @property
    def task(self) -> float:
        """The seconds of a usual task: measured, else as the study expects it, else its limit, else assumed."""
        times = (self.measured, self.resources.expected, self.resources.time, ASSUMED)
        return max(SHORTEST, next(seconds for seconds in times if seconds is not None))

    @property
    def held(self) -> float:
        """The seconds that a job must have for one task to finish; 0: not known."""
        stated = self.resources.time
        if stated is not None and self.limit is not None:
            stated = min(stated, math.ceil(self.limit))
        times = (stated, self.longest, self.measured, self.resources.expected)
        return max((seconds for seconds in times if seconds is not None), default=0.0)

    @property
    def worst(self) -> float | None:
        """The seconds that no task exceeds according to the study; None: the study states no limit."""
        limits = [seconds for seconds in (self.resources.time, self.limit) if seconds is not None]
        return max(SHORTEST, min(limits)) if limits else None

    def spread(self, slots: int) -> float:
        """Return the seconds that the tasks take when `slots` of them run at a time."""
        return rounds(self.tasks, slots) * self.task


def rounds(tasks: int, slots: int) -> int:
    """Return how many tasks run one after another in the fullest of the slots."""
    return -(-tasks // slots)
