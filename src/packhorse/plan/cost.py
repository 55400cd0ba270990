"""The cost of a run on a site: hours, core-hours, waves and jobs, as expected and at most."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from packhorse.model.site import Partition, Site
from packhorse.plan.fit import Reason
from packhorse.plan.job_time import HOUR, SAFETY, START, waves
from packhorse.plan.shape import Rung, Shape
from packhorse.plan.work import ASSUMED, Work
from packhorse.text.amounts import counted, hours, size, span


class Cost(Struct, frozen=True, kw_only=True):
    """The hours exclude waiting in the queue. `*_most` is None if the longest time of a task is unknown.

    Core-hours are charged for an element's cores from its start to its end; `wave_core_hours` are the most that
    one wave can use, whatever its tasks do.
    """

    tasks: int
    cores: int  # at a time
    waves: int
    waves_most: int | None
    jobs: int  # elements of all expected waves, and the job after each wave
    hours: float
    hours_most: float | None
    core_hours: float
    core_hours_most: float | None
    wave_core_hours: float
    gpu_hours: float = 0.0


def cost_of(work: Work, shape: Shape, rungs: Sequence[Rung]) -> Cost:
    """Return the cost of work in a shape: expected, and if every task takes its maximum time and runs out of memory.

    A task that exceeds the stated time, and so needs a longer job, is not included.
    """
    number = waves(work, shape.at_a_time, shape.seconds)
    running = (number * START + work.spread(shape.at_a_time)) / HOUR
    worst = _worst_case(work, rungs)
    return Cost(
        tasks=work.tasks,
        cores=shape.elements * shape.cores,
        waves=number,
        waves_most=None if worst is None else sum(times for times, _ in worst),
        jobs=number * (shape.elements + 1),
        hours=running,
        hours_most=None if worst is None else sum(n * rung.seconds for n, rung in worst) / HOUR,
        core_hours=shape.elements * shape.cores * running,
        core_hours_most=None if worst is None else sum(n * rung.core_hours for n, rung in worst),
        wave_core_hours=shape.core_hours,
        gpu_hours=shape.elements * shape.gpus * running,
    )


def _worst_case(work: Work, rungs: Sequence[Rung]) -> list[tuple[int, Rung]] | None:
    """Return the maximum number of waves of each rung; None: the time of a task is not known."""
    longest = _longest(work)
    if longest is None:
        return None
    return [
        (waves(work, rung.elements * rung.slots, rung.seconds, longest), rung)
        for rung in rungs
        if rung.seconds == rungs[0].seconds
    ]


def _longest(work: Work) -> float | None:
    """Return the maximum seconds of a task: as the study states, else estimated; None: not known."""
    if work.worst is not None:
        return max(work.worst, work.task)
    return max(SAFETY * work.task, work.held) if work.known else None


def over_cap(cost: Cost, cap: float | None) -> Reason | None:
    """Return why a run exceeds a maximum of core-hours; None: it does not."""
    if cap is None:
        return None
    if cost.core_hours > cap:
        text = f"the run is expected to use {hours(cost.core_hours)} core-hours; the maximum is {hours(cap)}"
        advice = (
            f"allow more (--max-core-hours {math.ceil(SAFETY * cost.core_hours)}), or make the study smaller"
        )
        return Reason(what="core-hours", text=text, advice=advice)
    if cost.wave_core_hours > cap:
        text = (
            f"a wave may use up to {hours(cost.wave_core_hours)} core-hours, if its jobs run for all of their "
            f"time; the maximum is {hours(cap)}"
        )
        advice = (
            f"allow more (--max-core-hours {math.ceil(cost.wave_core_hours)}), or fewer jobs (--max-jobs)"
        )
        return Reason(what="core-hours", text=text, advice=advice)
    return None


def assumptions(work: Work, site: Site, partition: Partition, shape: Shape) -> list[str]:
    """Return the assumptions of a plan, which are shown before anything is submitted."""
    found = [_about_time(work)]
    if work.resources.memory is None:
        found.append(_about_memory(site, partition, shape))
    if partition.cores is None:
        found.append(
            f"the number of cores of nodes of {partition.name or site.name} is not known, so a job asks for few"
        )
    found.append(f"an element takes {span(START)} to start; waiting in the queue is not included")
    return found


def _about_time(work: Work) -> str:
    if work.measured is not None:
        return f"a task takes {span(work.task)}, as measured"
    if work.resources.expected is not None:
        return f"a task takes {span(work.task)}, as the study expects"
    if work.resources.time is not None:
        return f"every task takes all of its {span(work.task)}; write expected: under resources: for the usual time"
    return (
        f"the time of a task is not known: {span(ASSUMED)} is assumed until the first wave has measured it; "
        "write expected: under resources: to state it"
    )


def _about_memory(site: Site, partition: Partition, shape: Shape) -> str:
    if shape.whole_nodes:
        has = "" if partition.memory is None else f" ({size(partition.memory)})"
        return f"no memory is requested, so {counted(shape.slots, 'task')} share a node's{has}"
    if site.default_memory is None:
        return f"no memory is requested, so a job gets the default of {site.name}, which is not known"
    return f"no memory is requested, so a job gets the default of {site.name}, {size(site.default_memory)} per core"
