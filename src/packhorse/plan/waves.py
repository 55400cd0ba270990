"""Planning a wave: what is missing, its first tasks spread over the space, the rest in order."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from packhorse.model.plan import Plan

PROBE = 20  # first tasks, spread over the space, so that a wrong study is found before it costs hours

IndexRange = tuple[int, int]


def count(ranges: Iterable[IndexRange]) -> int:
    """Return the number of indices in half-open ranges."""
    return sum(stop - start for start, stop in ranges)


def spread(ranges: list[IndexRange], number: int) -> list[int]:
    """Return up to `number` indices spread evenly over ranges, the two ends among them."""
    total = count(ranges)
    number = min(number, total)
    if number <= 1:
        return [ranges[0][0]] if number else []
    positions = sorted({k * (total - 1) // (number - 1) for k in range(number)})
    found, offset, place = [], 0, 0
    for start, stop in ranges:
        while place < len(positions) and positions[place] < offset + stop - start:
            found.append(start + positions[place] - offset)
            place += 1
        offset += stop - start
    return found


def without(ranges: list[IndexRange], indices: list[int]) -> list[IndexRange]:
    """Return ranges with single indices (sorted) taken out."""
    found: list[IndexRange] = []
    place = 0
    for start, stop in ranges:
        at = start
        while place < len(indices) and indices[place] < stop:
            if at < indices[place]:
                found.append((at, indices[place]))
            at = indices[place] + 1
            place += 1
        if at < stop:
            found.append((at, stop))
    return found


def plan_wave(draft: Plan, ranges: list[IndexRange], slots: int = 1) -> Plan:
    """Return a draft as the plan of one wave over `ranges`."""
    tasks = count(ranges)
    probe = spread(ranges, max(PROBE, slots)) if tasks > 2 * PROBE else []
    return replace(draft, tasks=tasks, probe=tuple(probe), ranges=tuple(without(ranges, probe)))


def joined(ranges: Iterable[IndexRange]) -> list[IndexRange]:
    """Return ranges in order, those that touch made one."""
    found: list[IndexRange] = []
    for start, stop in sorted(ranges):
        if found and found[-1][1] >= start:
            found[-1] = (found[-1][0], max(found[-1][1], stop))
        else:
            found.append((start, stop))
    return found


def planned_ranges(plan: Plan) -> list[IndexRange]:
    """Return all indices of a plan as sorted ranges."""
    return joined([*plan.ranges, *((i, i + 1) for i in plan.probe)])


def local_slots(
    *, cores: int, memory: int | None, cpus: int, task_memory: int | None, asked: int | None
) -> int:
    """Return how many tasks run at a time here: what cores and memory allow, or what was asked for.

    `memory` and `task_memory` are in MiB.
    """
    if asked is not None:
        return max(1, asked)
    slots = max(1, cores // max(1, cpus))
    if memory and task_memory:
        slots = min(slots, max(1, memory // task_memory))
    return slots
