"""packhorse pilot."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Iterator
from statistics import median

import click

from packhorse.app.usage.pilot import Growth, PilotReport, request_lines, run_pilot, write_proposal
from packhorse.app.usage.scaling import ScalingReport, scaling
from packhorse.cli.output import Lines, Quiet, aligned, json_option, print_json, say, tasks
from packhorse.model.study import Resources
from packhorse.project.source import from_file
from packhorse.text.amounts import counted, hours, size, span

BUSY = 0.8  # cores; a task that keeps fewer busy waits for something


@click.command(name="pilot")
@click.argument("study", default="study.yaml")
@click.option(
    "--tasks", "number", type=click.IntRange(min=1), default=20, help="At most this many tasks (default: 20)."
)
@click.option("--jobs", type=click.IntRange(min=1), help="Tasks at a time (default: as many as fit).")
@click.option("--write", is_flag=True, help="Write the proposal into the study, and show what changed.")
@click.option(
    "--scaling", "cores", is_flag=True, help="Instead: one task with 1, 2, 4, ... cores, three times each."
)
@json_option
def pilot_command(study: str, number: int, jobs: int | None, write: bool, cores: bool, as_json: bool) -> None:
    """Run a few tasks here, and say what the whole study needs: time, memory, core-hours.

    The tasks lie in the corners and the centre of the parameter space. After Ctrl-C, those that have finished count.
    """
    source = from_file(study)
    if cores:
        found = scaling(source, Quiet() if as_json else Lines())
        if as_json:
            print_json(found)
            return
        for row in _scaling(found):
            say(row)
        return
    report = run_pilot(source, number, jobs, Quiet() if as_json else Lines())
    if write:
        report = write_proposal(source, report)
    if as_json:
        print_json(report)
        return
    for row in _lines(report, study, written=write):
        say(row)


def _scaling(report: ScalingReport) -> Iterator[str]:
    yield f"{report.name}: task {report.task}, {counted(len(report.times[0].seconds), 'time')} with each number of cores"
    alone = median(report.times[0].seconds)
    for one in report.times:
        faster = alone / median(one.seconds)
        share = f"{faster:.2f} times as fast, efficiency {faster / one.cores:.0%}"
        yield f"  {counted(one.cores, 'core')}: {span(median(one.seconds))}, {share}"
    if report.undecided:
        yield f"serial fraction: could not tell: {report.undecided}"
        return
    yield f"serial fraction {report.serial:.2f} ({report.low:.2f} to {report.high:.2f}), by Amdahl's law"
    worth = "any number of cores" if report.worth is None else f"up to {counted(report.worth, 'core')}"
    yield f"efficiency is at least {report.efficiency:.0%} with {worth}"


def _lines(report: PilotReport, study: str, *, written: bool) -> Iterator[str]:
    failed = f", {counted(report.failed, 'task')} without a result" if report.failed else ""
    yield f"{report.name}: {report.measured} of {tasks(report.tasks)} measured{failed}"
    measured = [("time", _growth(report.time, span))]
    if report.memory:
        measured.append(("memory", _growth(report.memory, lambda mib: size(max(1, round(mib))))))
    waited = "; it waited the rest of its time: for cores, files or a network" if report.cores < BUSY else ""
    measured.append(("cores", f"a task kept {report.cores:.2g} busy{waited}"))
    yield from aligned(measured)
    yield "proposal:"
    yield "  resources:"
    for name, value in request_lines(Resources(**report.proposed)).items():
        yield f"    {name}: {value}".ljust(22) + f"  # {report.reasons[name]}"
    total = report.time.total
    interval = f" ({span(total.low)} to {span(total.high)})" if total else ", a rough estimate"
    yield f"whole study: {tasks(report.tasks)} take {span(report.seconds)}{interval}"
    at_a_time = counted(report.slots, "task")
    yield (
        f"  {hours(report.core_hours)} core-hours; {span(3600 * report.hours_here)} here, {at_a_time} at a time"
    )
    yield from (f"  {row}" for row in report.diff)
    named = shlex.quote(study)
    if written:
        yield f"next: packhorse plan {named}" if report.diff else "the study requests that already"
    else:
        yield f"next: packhorse pilot {named} --write, then packhorse plan {named}"


def _growth(growth: Growth, shown: Callable[[float], str]) -> str:
    if growth.refused:
        return f"no power law fits: {growth.refused}; the largest measured is {shown(growth.largest)}"
    powers = [
        f"{name}^{one.value:.2f} ({one.low:.2f} to {one.high:.2f})" for name, one in growth.exponents.items()
    ]
    grows = f"grows as {' * '.join(powers)}" if powers else f"mean {shown(growth.mean)}"
    start = f", after {shown(growth.start)} that do not grow" if growth.start else ""
    most = f"; at most {shown(growth.most.value)}" if growth.most else ""
    return f"{grows}{start}; tasks scatter by {math.expm1(growth.scatter):.1%}{most}"
