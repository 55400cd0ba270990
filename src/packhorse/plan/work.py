"""The work of a wave: how many tasks, what each needs, and what is known of how long it takes."""

from __future__ import annotations

import math

from msgspec import Struct

from packhorse.model.study import Resources

ASSUMED = 60.0  # seconds of a task of which nobody said or measured anything
SHORTEST = 1e-4  # seconds; a clock that measured nothing shall not divide by nothing


class Work(Struct, frozen=True, kw_only=True):
    """Tasks to run. Times are seconds of one task: `measured` their mean and `longest` the longest, from journals.

    `limit` is the study's time_limit, at which a task is ended.
    """

    tasks: int
    resources: Resources = Resources()
    measured: float | None = None
    longest: float | None = None
    limit: float | None = None
    checkpoint: bool = False  # a task that was ended goes on where it was

    @property
    def known(self) -> bool:
        """Whether anybody measured or said how long a task takes."""
        said = (self.measured, self.resources.expected, self.resources.time)
        return any(seconds is not None for seconds in said)

    @property
    def task(self) -> float:
        """The seconds of a usual task: measured, else as the study expects it, else its limit, else assumed."""
        said = (self.measured, self.resources.expected, self.resources.time, ASSUMED)
        return max(SHORTEST, next(seconds for seconds in said if seconds is not None))

    @property
    def held(self) -> float:
        """The seconds that a job must have for one task, or it might never end; 0 where nobody knows."""
        stated = self.resources.time
        if stated is not None and self.limit is not None:
            stated = min(stated, math.ceil(self.limit))
        said = (stated, self.longest, self.measured, self.resources.expected)
        return max((seconds for seconds in said if seconds is not None), default=0.0)

    @property
    def worst(self) -> float | None:
        """The seconds that no task exceeds, by what the study says; None where it says nothing."""
        said = [seconds for seconds in (self.resources.time, self.limit) if seconds is not None]
        return max(SHORTEST, min(said)) if said else None

    def spread(self, slots: int) -> float:
        """Return the seconds that tasks take when `slots` of them run at a time."""
        return rounds(self.tasks, slots) * self.task


def rounds(tasks: int, slots: int) -> int:
    """Return how many tasks the slot with the most of them runs."""
    return -(-tasks // slots)
