"""The header of a user's script: the options in a scheduler's lines, and lines that it ignores."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator

from msgspec import Struct

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


def header_options(text: str, prefix: str, flags: str) -> list[Option]:
    """Return the options of a header; `flags` are the letters of short ones that take no value."""
    found: list[Option] = []
    for number, line_words in _lines(text, prefix):
        left = list(line_words)
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
            yield number, split_words(line[len(prefix) :])
        elif line.strip() and not line.lstrip().startswith("#"):
            return


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
    found, begun, ours = [], False, 0
    foreign: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(prefix):
            ours += 1
            if begun:
                found.append(f"line {number}: {prefix} after the first command is a comment; move it up")
        elif re.match(rf"#+\s+{re.escape(prefix[1:])}\s+-", line):
            found.append(f"line {number}: with a space after # it is a comment; write {prefix}")
        else:
            other = next(
                (one for one in PREFIXES if one != prefix and re.match(rf"{re.escape(one)}\s+-", line)), ""
            )
            if other:
                foreign.setdefault(other, number)
            begun = begun or bool(line.strip() and not line.lstrip().startswith("#"))
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
