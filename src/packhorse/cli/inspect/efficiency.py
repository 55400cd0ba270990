"""packhorse efficiency."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from packhorse.app.inspect.efficiency import Efficiency
from packhorse.cli.output import as_object, json_option, run_argument, say
from packhorse.model.study import Resources
from packhorse.results.efficiency import WaveUse
from packhorse.text.amounts import counted, hours, size, span


@click.command(name="efficiency")
@run_argument
@json_option
def efficiency_command(run: str | None, as_json: bool) -> None:
    """Say what each wave asked for and used, and what the study should ask for next time."""
    from packhorse.app.inspect.efficiency import efficiency

    found = efficiency(Path.cwd(), run)
    if as_json:
        shares = [{"cpu_share": one.cpu_share, "busy_share": one.busy_share} for one in found.waves]
        said = msgspec.to_builtins(found)
        said["next"] = found.next and msgspec.structs.asdict(found.next)
        said["asked"] = msgspec.structs.asdict(found.asked)
        said["waves"] = [wave | share for wave, share in zip(said["waves"], shares, strict=True)]
        as_object(said)
        return
    for row in _lines(found):
        say(row)


def _lines(found: Efficiency) -> Iterator[str]:
    for one in found.waves:
        yield (
            f"wave {one.wave}: {counted(one.used.attempts, 'attempt')}, {counted(one.workers, 'worker')}, "
            + (f"{hours(one.held / 3600)} core-hours")
        )
        yield f"  cores   {_cores(one)}"
        yield f"  memory  {_memory(one)}"
        yield f"  time    {_time(one)}"
        if one.open:
            yield f"  of {counted(one.open, 'worker')} the end is not known; the time counts to the last record"
    if found.next is None:
        yield "no attempt got far enough to say what the tasks need"
        return
    yield "next time:"
    yield "  resources:"
    yield from (f"    {name}: {value}" for name, value in _request(found.next))


def _cores(one: WaveUse) -> str:
    asked = counted(one.given.cpus, "core") + " a task"
    mean = f"a task used {one.used.cpu / one.used.wall:.2g}" if one.used.wall else "no time was measured"
    if one.cpu_share is None or one.busy_share is None:
        return f"asked {asked}; {mean}"
    return f"asked {asked}; {mean}; computing {one.cpu_share:.0%} of the time held, with a task {one.busy_share:.0%}"


def _memory(one: WaveUse) -> str:
    asked = size(one.given.memory) + " a task" if one.given.memory else "nothing"
    peak = f"at most {size(max(1, round(one.used.peak / 1024)))}" if one.used.peak else "not measured"
    over = f"; {counted(one.used.over_memory, 'attempt')} had too little" if one.used.over_memory else ""
    return f"asked {asked}; used {peak}{over}"


def _time(one: WaveUse) -> str:
    asked = f"{span(one.given.time)} a task" if one.given.time else "nothing for a task"
    used = f"used at most {span(one.used.longest)}"
    over = f"; {counted(one.used.over_time, 'attempt')} had too little" if one.used.over_time else ""
    if one.given.seconds is None:
        return f"asked {asked}; {used}{over}"
    return f"asked {asked}; {used}{over}; jobs asked {span(one.given.seconds)} and took at most {span(one.longest)}"


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
