"""packhorse efficiency."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from packhorse.app.inspect.efficiency import Efficiency, efficiency
from packhorse.cli.output import json_option, print_json, run_argument, say
from packhorse.model.study import Resources
from packhorse.results.efficiency import WaveUse
from packhorse.text.amounts import counted, hours, size, span


@click.command(name="efficiency")
@run_argument
@json_option
def efficiency_command(run: str | None, as_json: bool) -> None:
    """Show what each wave requested and used, and what the study should request next time."""
    found = efficiency(Path.cwd(), run)
    if as_json:
        print_json(found.json_output())
        return
    for row in _lines(found):
        say(row)


def _lines(found: Efficiency) -> Iterator[str]:
    for wave in found.waves:
        attempts, workers = counted(wave.used.attempts, "attempt"), counted(wave.workers, "worker")
        yield f"wave {wave.wave}: {attempts}, {workers}, {hours(wave.held / 3600)} core-hours"
        yield f"  cores   {_cores(wave)}"
        yield f"  memory  {_memory(wave)}"
        yield f"  time    {_time(wave)}"
        if wave.open:
            yield f"  end of {counted(wave.open, 'worker')} not recorded; time counted to the last record"
    if found.next is None:
        yield "no attempt ran long enough to show what the tasks need"
        return
    yield "next time:"
    yield "  resources:"
    yield from (f"    {name}: {value}" for name, value in _request(found.next))


def _cores(wave: WaveUse) -> str:
    requested = counted(wave.given.cpus, "core") + " per task"
    mean = f"a task used {wave.used.cpu / wave.used.wall:.2g}" if wave.used.wall else "no time was measured"
    if wave.used.wall and wave.given.cpus > 1 and wave.is_short:
        mean += ", and was too short to judge that by"
    if wave.cpu_share is None or wave.busy_share is None:
        return f"requested {requested}; {mean}"
    shares = f"computing {wave.cpu_share:.0%} of the time held, with a task {wave.busy_share:.0%}"
    return f"requested {requested}; {mean}; {shares}"


def _memory(wave: WaveUse) -> str:
    requested = size(wave.given.memory) + " per task" if wave.given.memory else "nothing"
    peak = f"at most {size(max(1, round(wave.used.peak / 1024)))}" if wave.used.peak else "not measured"
    over = f"; {counted(wave.used.over_memory, 'attempt')} had too little" if wave.used.over_memory else ""
    counted_by = f"; the scheduler counted {size(wave.counted)}" if wave.counted else ""
    killed = f"; the scheduler killed a job with {size(wave.killed)} per task" if wave.killed else ""
    return f"requested {requested}; used {peak}{counted_by}{over}{killed}"


def _time(wave: WaveUse) -> str:
    requested = f"{span(wave.given.time)} per task" if wave.given.time else "nothing per task"
    used = f"used at most {span(wave.used.longest)}"
    over = f"; {counted(wave.used.over_time, 'attempt')} had too little" if wave.used.over_time else ""
    if wave.given.seconds is None:
        return f"requested {requested}; {used}{over}"
    jobs = f"jobs requested {span(wave.given.seconds)} and took at most {span(wave.longest)}"
    return f"requested {requested}; {used}{over}; {jobs}"


def _request(next_time: Resources) -> Iterator[tuple[str, str]]:
    """Yield the lines of a study's `resources`."""
    yield "cpus", str(next_time.cpus)
    if next_time.memory:
        yield "memory", size(next_time.memory)
    if next_time.time:
        yield "time", span(next_time.time)
    if next_time.expected:
        yield "expected", span(next_time.expected)
    if next_time.gpus:
        yield "gpus", str(next_time.gpus)
