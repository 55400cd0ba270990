"""The tasks of a wave: which are missing, the first ones spread over the space, and how many run at a time here."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from packhorse.model.plan import Plan
from packhorse.worker.ranges import PROBE_TASKS, spread

IndexRange = tuple[int, int]


def count(ranges: Iterable[IndexRange]) -> int:
    """Return the number of indices in half-open ranges."""
    return sum(stop - start for start, stop in ranges)


def without(ranges: list[IndexRange], indices: list[int]) -> list[IndexRange]:
    """Return ranges without single indices, which are sorted."""
    rest: list[IndexRange] = []
    position = 0
    for start, stop in ranges:
        begin = start
        while position < len(indices) and indices[position] < stop:
            if begin < indices[position]:
                rest.append((begin, indices[position]))
            begin = indices[position] + 1
            position += 1
        if begin < stop:
            rest.append((begin, stop))
    return rest


def plan_wave(draft: Plan, ranges: list[IndexRange], slots: int = 1) -> Plan:
    """Return a draft as the plan of one wave over `ranges`, with first tasks for at least every slot."""
    tasks = count(ranges)
    probe: list[int] = spread(ranges, max(PROBE_TASKS, slots)) if tasks > 2 * PROBE_TASKS else []
    return replace(draft, tasks=tasks, probe=tuple(probe), ranges=tuple(without(ranges, probe)))


def joined(ranges: Iterable[IndexRange]) -> list[IndexRange]:
    """Return sorted ranges, with those that touch or overlap joined."""
    result: list[IndexRange] = []
    for start, stop in sorted(ranges):
        if result and result[-1][1] >= start:
            result[-1] = (result[-1][0], max(result[-1][1], stop))
        else:
            result.append((start, stop))
    return result


def planned_ranges(plan: Plan) -> list[IndexRange]:
    """Return all indices of a plan as sorted ranges."""
    return joined([*plan.ranges, *((index, index + 1) for index in plan.probe)])


def local_slots(
    *, cores: int, memory: int | None, cpus: int, task_memory: int | None, asked: int | None
) -> int:
    """Return how many tasks run at a time on this machine: `asked`, else what its cores and memory allow.

    `memory` and `task_memory` are in MiB.
    """
    if asked is not None:
        return max(1, asked)
    slots = max(1, cores // max(1, cpus))
    if memory and task_memory:
        slots = min(slots, max(1, memory // task_memory))
    return slots
