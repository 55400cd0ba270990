"""Run a few tasks of a study here, and say what all of it needs."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from packhorse import check
from packhorse.app.inspect.efficiency import efficiency
from packhorse.app.runs.run import run_study
from packhorse.execution.preparation import prepare
from packhorse.execution.run_model import RunOptions
from packhorse.model.errors import RunError, StudyError, UsageError
from packhorse.model.json_output import JsonOutput
from packhorse.model.plan import Identity
from packhorse.model.space import ParameterSpace
from packhorse.model.study import Resources
from packhorse.plan.pilot_tasks import PilotAxis, pilot_axes, pilot_tasks
from packhorse.plan.waves import joined, local_slots
from packhorse.project.reporter import Reporter
from packhorse.project.source import Source, from_file
from packhorse.results.efficiency import MEMORY_MARGIN, MEMORY_STEP, TIME_MARGIN, TIME_STEP, fitting_request
from packhorse.results.fold import Fold
from packhorse.rundata.pilot_file import FILE, pilot_folder
from packhorse.rundir.directory import RunDirectory, now
from packhorse.rundir.files import write_file
from packhorse.runtime.capacity import available_memory, usable_cores
from packhorse.study.write_resources import with_resources
from packhorse.text.amounts import counted, size, span
from packhorse.text.yaml import decode

if TYPE_CHECKING:
    from packhorse.check.power_laws import PowerLaw


class Interval(Struct, frozen=True, kw_only=True):
    """A value with its 95 % interval."""

    value: Annotated[float, Meta(description="The best value.")]
    low: Annotated[float, Meta(description="Lower end of the 95 % interval.")]
    high: Annotated[float, Meta(description="Upper end of the 95 % interval.")]


class Growth(Struct, frozen=True, kw_only=True):
    """How time (seconds) or memory (MiB) of a task grows with the parameters."""

    refused: Annotated[str, Meta(description="Why no power law fits; empty where one does.")] = ""
    exponents: Annotated[dict[str, Interval], Meta(description="The exponent of each parameter.")] = {}
    start: Annotated[float, Meta(description="The part that does not grow; 0: none is seen.")] = 0.0
    scatter: Annotated[
        float, Meta(description="Standard deviation of a task about the law, in logarithms.")
    ] = 0.0
    total: Annotated[
        Interval | None, Meta(description="Sum over all tasks of the study; null: no law fits.")
    ] = None
    most: Annotated[Interval | None, Meta(description="The largest task; null: no law fits.")] = None
    mean: Annotated[float, Meta(description="The mean of the measured tasks.")]
    largest: Annotated[float, Meta(description="The largest of the measured tasks.")]


class PilotReport(JsonOutput, frozen=True, kw_only=True, tag="packhorse-pilot/1"):
    """What a few tasks say about the whole study. Times in seconds, memory in MiB."""

    name: Annotated[str, Meta(description="The study's name.")]
    run: Annotated[str, Meta(description="Path of the run directory of the pilot.")]
    created: Annotated[str, Meta(description="When it was made.")]
    tasks: Annotated[int, Meta(description="Tasks of the whole study.")]
    measured: Annotated[int, Meta(description="Tasks that ended OK.")]
    failed: Annotated[int, Meta(description="Tasks of the pilot without a result.")]
    time: Annotated[Growth, Meta(description="How the time of a task grows.")]
    memory: Annotated[Growth | None, Meta(description="How its memory grows; null: not measured.")]
    cores: Annotated[float, Meta(description="Cores that a task kept busy: CPU time over time.")]
    asked: Annotated[dict[str, Any], Meta(description="`resources` of the study: MiB, seconds.")]
    proposed: Annotated[dict[str, Any], Meta(description="`resources` that it should have.")]
    reasons: Annotated[dict[str, str], Meta(description="Why, by key of `resources`.")]
    slots: Annotated[int, Meta(description="Tasks at a time on this machine.")]
    seconds: Annotated[float, Meta(description="Expected sum of the times of all tasks.")]
    core_hours: Annotated[float, Meta(description="Expected core-hours of all tasks.")]
    hours_here: Annotated[float, Meta(description="Expected hours on this machine.")]
    space: Annotated[str, Meta(description="Digest of the parameter space.")]
    identity: Annotated[dict[str, str], Meta(description="Digests of code, environment and data.")]
    diff: Annotated[
        tuple[str, ...], Meta(description="With --write: the lines that changed in the study.")
    ] = ()


def run_pilot(source: Source, number: int, jobs: int | None, reporter: Reporter) -> PilotReport:
    """Run up to `number` tasks across the parameter space here, and return what the whole study needs.

    Tasks that have run with the same code, environment and data do not run again. Raises RunError where no task ends OK.
    """
    _ = check.PowerLaw  # without NumPy and SciPy no task should run
    space, folder = ParameterSpace.of(source.study), pilot_folder(source)
    run = RunDirectory(folder)
    latest = run.latest() if run.exists else None
    identity = prepare(source, folder).identity
    fresh = latest is not None and identity != Identity(
        code=latest.code, environment=latest.environment, data=latest.data
    )
    only = tuple(joined((task, task + 1) for task in pilot_tasks(space, number)))
    options = RunOptions(run=folder, jobs=jobs, fresh=fresh, only=only)
    outcome = run_study(source, options, reporter)
    fold = outcome.report.fold
    if not fold.counts["OK"]:
        raise RunError("no task of the pilot ended OK", f"packhorse logs {shlex.quote(folder.name)}")
    report = _report(source, run, space, fold, identity)
    write_file(folder / FILE, msgspec.json.encode(report))
    return report


def _report(
    source: Source, run: RunDirectory, space: ParameterSpace, fold: Fold, identity: Identity
) -> PilotReport:
    rows, walls, peaks, cpu = [], [], [], 0.0
    for journal, indices, lines in fold.winners("OK"):
        for index, record in zip(indices, journal.records(lines), strict=True):
            rows.append(space[index])
            walls.append(max(record.wall or 0.0, 1e-4))
            peaks.append((record.memory or 0.0) / 1024)
            cpu += record.cpu or 0.0
    time = _growth(space, rows, walls)
    memory = _growth(space, rows, peaks) if all(peaks) else None
    asked = source.study.resources
    proposed, reasons = _proposal(run, asked, time, memory)
    slots = local_slots(
        cores=usable_cores(),
        memory=available_memory(),
        cpus=proposed.cpus,
        task_memory=proposed.memory,
        asked=None,
    )
    seconds = time.total.value if time.total else time.mean * space.size
    return PilotReport(
        name=source.study.name,
        run=str(run.path),
        created=now(),
        tasks=space.size,
        measured=len(rows),
        failed=sum(fold.counts[how] for how in ("FAILED", "TIMEOUT", "MEMORY", "UNFINISHED")),
        time=time,
        memory=memory,
        cores=cpu / sum(walls),
        asked=msgspec.structs.asdict(asked),
        proposed=msgspec.structs.asdict(replace(proposed, expected=float(f"{seconds / space.size:.2g}"))),
        reasons=reasons,
        slots=slots,
        seconds=seconds,
        core_hours=seconds * proposed.cpus / 3600,
        hours_here=seconds / slots / 3600,
        space=space.digest,
        identity=msgspec.structs.asdict(identity),
    )


def _growth(space: ParameterSpace, rows: Sequence[dict[str, Any]], values: Sequence[float]) -> Growth:
    """Fit a power law of the parameters; where none fits, say why."""
    mean, largest = sum(values) / len(values), max(values)
    # What is in no model is the same for each of its levels.
    copies, axes = space.replicates, []
    for axis, seen in zip(space.arithmetic.axes, pilot_axes(space), strict=True):
        if seen.kind in ("power", "effect"):
            axes.append(check.Axis(name=seen.name, levels=_levels(axis, seen), effect=seen.kind == "effect"))
        else:
            copies *= axis.count
    try:
        law: PowerLaw = check.PowerLaw(rows, values, axes)
    except check.NoFitError as error:
        return Growth(refused=str(error), mean=mean, largest=largest)
    most, total = law.largest(), law.total(copies)
    return Growth(
        exponents={
            one.parameter: Interval(value=one.value, low=one.low, high=one.high) for one in law.exponents
        },
        start=law.start,
        scatter=law.scatter,
        total=Interval(value=total.value, low=total.low, high=total.high),
        most=Interval(value=most.value, low=most.low, high=most.high),
        mean=mean,
        largest=largest,
    )


def _levels(axis: Any, seen: PilotAxis) -> Sequence[Any]:
    """Return the values of a parameter at all levels of its axis."""
    if axis.range is not None:
        start, step, count = axis.range
        return range(start, start + step * count, step)
    return [row[seen.at] for row in axis.levels]


def _proposal(
    run: RunDirectory, asked: Resources, time: Growth, memory: Growth | None
) -> tuple[Resources, dict[str, str]]:
    """Return the request for a task, and why."""
    latest = run.latest()
    first = latest.first if latest else 1
    waves = [wave for wave in efficiency(run.path, str(run.path)).waves if wave.wave >= first]
    fitting = fitting_request(waves, asked) or asked
    reasons = {"cpus": _about_cores(fitting, asked)}
    seconds, reasons["time"] = _need(time, TIME_MARGIN, span)
    proposed = replace(fitting, time=-(-round(seconds) // TIME_STEP) * TIME_STEP or TIME_STEP)
    if memory is not None:
        mib, reasons["memory"] = _need(memory, MEMORY_MARGIN, lambda amount: size(max(1, round(amount))))
        stated = -(-round(mib) // MEMORY_STEP) * MEMORY_STEP or MEMORY_STEP
        proposed = replace(proposed, memory=max(stated, fitting.memory or 0))
    reasons["expected"] = "mean over all tasks" if time.total else "mean of the measured tasks"
    return proposed, reasons


def _about_cores(fitting: Resources, asked: Resources) -> str:
    if fitting.cpus == asked.cpus:
        return "as requested"
    return f"a task kept about {counted(fitting.cpus, 'core')} busy"


def _need(growth: Growth, margin: float, shown: Callable[[float], str]) -> tuple[float, str]:
    """Return an amount that suffices for the largest task, and why.

    It is the larger of the best prediction times a margin, and the upper end of the 95 % interval of one task.
    """
    if growth.most is None:
        return margin * growth.largest, f"{margin:g} times the largest measured, {shown(growth.largest)}"
    best = max(growth.most.value, growth.largest)
    if growth.most.high > margin * best:
        return growth.most.high, "97.5 % quantile of the largest task"
    return margin * best, f"{margin:g} times the largest task, {shown(best)}"


def write_proposal(source: Source, report: PilotReport) -> PilotReport:
    """Write the proposal into the study file, and return the report with the lines that changed.

    Raises StudyError where `resources` cannot be edited without touching what else is in the file.
    """
    assert source.path is not None
    new = with_resources(source.text, request_lines(Resources(**report.proposed)), source.path.name)
    diff = difflib.unified_diff(
        source.text.splitlines(),
        new.splitlines(),
        source.path.name,
        f"{source.path.name} (new)",
        n=1,
        lineterm="",
    )
    mode = source.path.stat().st_mode & 0o777
    if decode(source.path.read_bytes(), source.path.name) != source.text:
        raise UsageError(f"{source.path.name} has changed meanwhile", "run the same command again")
    trial = source.path.with_name(f".{source.path.name}.pilot.yaml")
    write_file(trial, new, mode)
    try:
        again = from_file(trial).study
        expected = replace(source.study, resources=again.resources)
        if replace(again, name=source.study.name) != expected:
            raise StudyError("resources could not be written alone.", "Copy the proposal.", source.path.name)
        trial.replace(source.path)
    finally:
        trial.unlink(missing_ok=True)
    return replace(report, diff=tuple(diff))


def request_lines(request: Resources) -> dict[str, str]:
    """Return the keys of `resources` that a pilot proposes, as a study writes them."""
    lines = {"cpus": str(request.cpus)}
    if request.memory:
        lines["memory"] = size(request.memory)
    if request.time:
        lines["time"] = span(request.time)
    if request.expected:
        lines["expected"] = span(request.expected)
    return lines
