"""Reading the head of a script that a user wrote: the lines that a scheduler reads, and those that it passes over."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator

from msgspec import Struct

from packhorse.model.job import Request

# What schedulers read at the head of a script: Slurm, TORQUE and PBS, SGE, LSF.
PREFIXES = {"#SBATCH": "Slurm", "#PBS": "TORQUE and PBS", "#$": "Grid Engine", "#BSUB": "LSF"}


class ScriptHeader(Struct, frozen=True, kw_only=True):
    """What the head of a script asks for, as far as it is understood, and what is worth knowing of it."""

    request: Request
    folder: str = ""  # in which the job works, where the script says so
    notes: tuple[str, ...] = ()


class Option(Struct, frozen=True):
    """One option of a head: its name as it stands there, and its value; the number of its line."""

    name: str
    value: str
    line: int


def options(text: str, prefix: str, flags: str) -> list[Option]:
    """Return the options of a head; `flags` are the letters of short ones that take no value."""
    found: list[Option] = []
    for number, words in _lines(text, prefix):
        left = list(words)
        while left:
            word = left.pop(0)
            if word.startswith("--"):
                name, equals, value = word.partition("=")
                follows = not equals and left and not left[0].startswith("-")
                found.append(Option(name, left.pop(0) if follows else value, number))
            elif word.startswith("-") and len(word) > 1:
                name, value = word[:2], word[2:]
                if not value and name[1] not in flags and left:
                    value = left.pop(0)
                found.append(Option(name, value, number))
    return found


def _lines(text: str, prefix: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the scheduler's lines up to the first command, with their numbers, as words."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(prefix) and line[len(prefix) :][:1] in (" ", "\t", ""):
            yield number, words(line[len(prefix) :])
        elif line.strip() and not line.lstrip().startswith("#"):
            return


def words(text: str) -> list[str]:
    """Return a line as words; behind a # that begins a word stands a comment."""
    try:
        return shlex.split(text, comments=True)
    except ValueError:  # a quotation that does not end
        return text.split()


def header_words(lines: Iterable[str]) -> list[str]:
    """Return the options of a scheduler's lines as arguments for a command line."""
    return [word for line in lines for word in shlex.split(line.partition(" ")[2])]


def notes(text: str, prefix: str) -> tuple[str, ...]:
    """Return what a scheduler passes over in silence, although its author meant it."""
    found, begun, ours = [], False, 0
    foreign: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(prefix):
            ours += 1
            if begun:
                found.append(f"line {number}: {prefix} after the first command is a comment; move it up")
        elif re.match(rf"#+\s+{re.escape(prefix[1:])}\s+-", line):
            found.append(f"line {number}: with a blank behind # it is a comment; write {prefix}")
        else:
            other = next(
                (one for one in PREFIXES if one != prefix and re.match(rf"{re.escape(one)}\s+-", line)), ""
            )
            if other:
                foreign.setdefault(other, number)
            begun = begun or bool(line.strip() and not line.lstrip().startswith("#"))
    for other, number in foreign.items():
        if not ours:
            meant = f"line {number}: {other} is for {PREFIXES[other]}; here such lines begin with {prefix}"
            found.append(f"{meant}, and without them a job gets what the site gives by default")
    return tuple(found)
