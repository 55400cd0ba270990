"""packhorse pilot."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Iterator

import click

from packhorse.app.usage.pilot import Growth, PilotReport, request_lines, run_pilot, write_proposal
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
@json_option
def pilot_command(study: str, number: int, jobs: int | None, write: bool, as_json: bool) -> None:
    """Run a few tasks here, and say what the whole study needs: time, memory, core-hours.

    The tasks lie in the corners and the centre of the parameter space. After Ctrl-C, those that have finished count.
    """
    source = from_file(study)
    report = run_pilot(source, number, jobs, Quiet() if as_json else Lines())
    if write:
        report = write_proposal(source, report)
    if as_json:
        print_json(report)
        return
    for row in _lines(report, study, written=write):
        say(row)


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
