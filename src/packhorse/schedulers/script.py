"""The text of a job script: the scheduler's lines, the site's lines, and one program that takes the job over."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from msgspec import Struct

# Once the program has taken the shell's place nothing is said; where it cannot start, bash itself says so.
SAY = "trap 'echo \"packhorse: the job ended before its program started; the lines above say why\" >&2' EXIT"


class Variables(Struct, frozen=True, kw_only=True):
    """What a job's shell calls the number of its element, of its job, and how often it was started before.

    `wave`, `last` and `follows` are the names, without a $, of what the submission tells the script.
    """

    element: str
    job: str
    restart: str
    wave: str = "1"
    last: str = "2"
    follows: str = "3"


class Shell(Struct, frozen=True, kw_only=True):
    """What a job script that a user sends has to know of its scheduler, beside the lines at its head."""

    submit: str  # the program that takes the script
    index: str  # the variable that holds the number of an array's element
    launcher: str  # what starts a program's processes on all nodes
    log: str = ""  # a good name for a job's output, with {name}, {job} and {element}; "": what the scheduler calls it
    own_log: str = ""  # what the scheduler calls it
    folder: tuple[str, ...] = ()  # shell lines that go to the folder from which the job was sent
    launch: tuple[str, ...] = ()  # shell lines before the launcher is used


class Raw(str):
    """A word of a shell line that the shell shall expand, already in double quotes where it needs them."""

    __slots__ = ()


def shell_line(words: Iterable[str]) -> str:
    """Return words as one line of a shell; all but `Raw` ones are taken literally."""
    return " ".join(word if isinstance(word, Raw) else shlex.quote(word) for word in words)


def job_script(
    directives: Sequence[str],
    about: str,
    setup: Sequence[str],
    program: Iterable[str],
    site: Sequence[str] = (),
    first: Sequence[str] = (),
) -> str:
    """Return a job script whose last line becomes the program, so that it hears the scheduler's signals.

    `first` is what the scheduler leaves to its jobs. `site` are lines of which some may fail, as in the files that a
    site's login shells read; of `setup` none may.
    """
    rows = ["#!/bin/bash", *directives, "", *(f"# {line}" for line in about.splitlines())]
    if first:
        rows += ["", *first]
    if site or setup:
        rows += ["", SAY]
    if site:
        rows += ["", "# What every job on this site does first.", *site]
    if setup:
        rows += ["", "# What the study asks for: the first line that fails ends the job.", "set -e", *setup]
    rows += ["", "# The program takes the place of this shell, so its exit status is the job's."]
    return "\n".join([*rows, f"exec {_folded(program)}"]) + "\n"


def _folded(program: Iterable[str]) -> str:
    """Return a program's line with each of its long options on a line of its own."""
    parts: list[list[str]] = [[]]
    for word in program:
        if word.startswith("--"):
            parts.append([])
        parts[-1].append(word)
    return " \\\n    ".join(shell_line(part) for part in parts)
