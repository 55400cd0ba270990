"""The header of a user's script: the options in a scheduler's lines, and lines that it ignores."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

from msgspec import Struct

from packhorse.jobscript import options as jobscript
from packhorse.jobscript.options import pbs_options, slurm_options
from packhorse.jobscript.script import JobScript
from packhorse.model.job import Request

# The prefix of directives, by scheduler.
PREFIXES = {"#SBATCH": "Slurm", "#PBS": "TORQUE and PBS", "#$": "Grid Engine", "#BSUB": "LSF"}


class ScriptHeader(Struct, frozen=True, kw_only=True):
    """What the header of a script asks for, as far as it is understood, and notes on it.

    `refusals` are sentences on lines with which the job would be lost, or end without a word.
    """

    request: Request
    folder: str = ""  # in which the job works, if the script sets it
    notes: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()


class Option(Struct, frozen=True):
    """One option of a header: its name as written, its value, and the number of its line."""

    name: str
    value: str
    line: int


def header_options(text: str, prefix: str) -> list[Option]:
    """Return the options of a header as sbatch or qsub reads them: `--mem` of #SBATCH, with its full name, `-l` of #PBS."""
    slurm = prefix == "#SBATCH"
    script = JobScript(text, scheduler="slurm" if slurm else "torque")
    found = slurm_options(script.directives) if slurm else pbs_options(script.directives, "either")
    return [
        _option(one, "--" if slurm else "-") for one in found if one.fault != "stray" and not one.component
    ]


def _option(option: jobscript.Option, dashes: str) -> Option:
    """Return an option by its full name; one that the scheduler does not know has the name that is written."""
    known = not option.fault or option.fault in {"no value", "has value"}
    return Option(dashes + option.name if known else option.written, option.value or "", option.line)


def split_words(text: str) -> list[str]:
    """Return the words of a line; a # at the beginning of a word begins a comment."""
    try:
        return shlex.split(text, comments=True)
    except ValueError:  # an unclosed quotation
        return text.split()


def header_words(lines: Iterable[str]) -> list[str]:
    """Return the options of a scheduler's lines as arguments for a command line."""
    return [word for line in lines for word in shlex.split(line.partition(" ")[2])]


def notes(text: str, prefix: str, also: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return notes on lines that a scheduler ignores although their author meant them.

    Directives with a prefix in `also` are not ignored.
    """
    script = JobScript(text, scheduler="slurm" if prefix == "#SBATCH" else "torque")
    ours = script.all_directives
    rows = [
        (one.line, f"{prefix} after the first command is a comment; move it up")
        for one in ours
        if one.place == "late"
    ]
    foreign: dict[str, int] = {}
    for line in script.lines:
        if re.match(rf"#+\s+{re.escape(prefix[1:])}\s+-", line.text):
            rows.append((line.number, f"with a space after # it is a comment; write {prefix}"))
            continue
        other = next(
            (one for one in PREFIXES if one != prefix and re.match(rf"{re.escape(one)}\s+-", line.text)), ""
        )
        if other:
            foreign.setdefault(other, line.number)
    found = [f"line {number}: {note}" for number, note in sorted(rows)]
    found += [
        _foreign(other, number, prefix, also)
        for other, number in foreign.items()
        if other in also or not ours
    ]
    return tuple(found)


def _foreign(other: str, number: int, prefix: str, also: tuple[str, ...]) -> str:
    """Return a note on the directives of another scheduler."""
    if other in also:
        return (
            f"line {number}: this scheduler reads {other} lines, too, as far as it knows their options; Packhorse does"
            f" not, so write {prefix} lines"
        )
    meant = f"line {number}: {other} is for {PREFIXES[other]}; this scheduler reads {prefix}"
    return f"{meant}, and without directives a job gets the site's defaults"
