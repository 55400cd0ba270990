"""How much faster a task is with more cores."""

from __future__ import annotations

import shlex
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from packhorse import check
from packhorse.app.runs.run import run_study
from packhorse.execution.run_model import RunOptions
from packhorse.model.errors import RunError, UsageError
from packhorse.model.json_output import JsonOutput
from packhorse.model.space import ParameterSpace
from packhorse.plan.pilot_tasks import largest_task
from packhorse.project.reporter import Reporter
from packhorse.project.source import Source
from packhorse.runtime.capacity import usable_cores
from packhorse.text.amounts import counted

ROUNDS = 3  # times with each number of cores
EFFICIENCY = 0.7  # of cores that are worth asking for


class CoreTimes(Struct, frozen=True, kw_only=True):
    """Times of one task with a number of cores."""

    cores: Annotated[int, Meta(description="The number of cores.")]
    seconds: Annotated[tuple[float, ...], Meta(description="Its time in each round.")]


class ScalingReport(JsonOutput, frozen=True, kw_only=True, tag="packhorse-scaling/1"):
    """How the time of one task falls with its cores."""

    name: Annotated[str, Meta(description="The study's name.")]
    task: Annotated[int, Meta(description="The index of the task.")]
    times: Annotated[tuple[CoreTimes, ...], Meta(description="By number of cores.")]
    serial: Annotated[float, Meta(description="Amdahl's serial fraction.")]
    low: Annotated[float, Meta(description="Lower end of its 95 % interval.")]
    high: Annotated[float, Meta(description="Upper end of its 95 % interval.")]
    undecided: Annotated[str, Meta(description="Why it cannot be told; empty where it can.")]
    efficiency: Annotated[float, Meta(description="The efficiency that makes cores worth asking for.")]
    worth: Annotated[
        int | None, Meta(description="Cores with that efficiency; null: any number, or not known.")
    ]


def scaling(source: Source, reporter: Reporter) -> ScalingReport:
    """Run the task of the largest parameters with 1, 2, 4, ... cores here, in turn, each three times.

    Raises UsageError on one core, RunError where the task fails.
    """
    fit = check.serial_fraction
    task, numbers = largest_task(ParameterSpace.of(source.study)), [1]
    while 2 * numbers[-1] <= usable_cores():
        numbers.append(2 * numbers[-1])
    if len(numbers) < 2:
        raise UsageError("this machine has one core, which shows no scaling", "packhorse pilot")
    times: dict[int, list[float]] = {cores: [] for cores in numbers}
    for _ in range(ROUNDS):
        for cores in numbers:  # in turn, so that other work on this machine meets all alike
            times[cores].append(_time(source, task, cores, reporter))
    found = fit(
        [cores for cores in numbers for _ in range(ROUNDS)],
        [second for cores in numbers for second in times[cores]],
    )
    return ScalingReport(
        name=source.study.name,
        task=task,
        times=tuple(CoreTimes(cores=cores, seconds=tuple(each)) for cores, each in times.items()),
        serial=found.serial,
        low=found.low,
        high=found.high,
        undecided=found.undecided,
        efficiency=EFFICIENCY,
        worth=None if found.undecided else found.cores_worth(EFFICIENCY),
    )


def _time(source: Source, task: int, cores: int, reporter: Reporter) -> float:
    """Run one task with a number of cores, and return its seconds."""
    study = source.study
    folder = source.folder / "runs" / f"{study.name}-{cores}-cores"
    given = replace(source, study=replace(study, resources=replace(study.resources, cpus=cores)))
    options = RunOptions(run=folder, jobs=1, fresh=True, only=((task, task + 1),))
    outcome = run_study(given, options, reporter)
    found = outcome.report.fold.record(task)
    if found is None or found[1].outcome != "OK" or not found[1].wall:
        raise RunError(
            f"task {task} did not end OK with {counted(cores, 'core')}",
            f"packhorse logs {shlex.quote(folder.name)}",
        )
    return found[1].wall
