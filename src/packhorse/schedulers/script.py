"""The text of Packhorse's job scripts: directives, setup of site and study, and one program that replaces the shell."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from msgspec import Struct

# The traps are gone once the program has replaced the shell; if the program cannot start, bash reports it.
SAY = "trap 'echo \"packhorse: the job ended before its program started; the lines above say why\" >&2' EXIT"
# $BASH_COMMAND is the command inside a function such as module(), so the line is read from the script.
SAY_LINE = (
    'packhorse_line() { sed -n "$1p" "$0" 2>/dev/null | grep . || echo "$2"; }',
    'trap \'echo "packhorse: status $? of a line of setup: $(packhorse_line "$LINENO" "$BASH_COMMAND")" >&2\' ERR',
)


class Variables(Struct, frozen=True, kw_only=True):
    """Shell words for the number of an element, of its job, and how often it was started before.

    `wave`, `last` and `follows` are the names, without a $, of the arguments of the script.
    """

    element: str
    job: str
    restart: str
    wave: str = "1"
    last: str = "2"
    follows: str = "3"


class Shell(Struct, frozen=True, kw_only=True):
    """What a user's job script needs to know of its scheduler, besides its directives."""

    submit: str  # the program that submits a script
    index: str  # the variable that holds the number of an array's element
    launcher: str  # the program that starts processes on all nodes
    log: str = (
        ""  # a recommended name of a job's output, with {name}, {job} and {element}; "": the scheduler's own
    )
    own_log: str = ""  # the scheduler's own name of it
    folder: tuple[str, ...] = ()  # shell lines that go to the folder from which the job was submitted
    launch: tuple[str, ...] = ()  # shell lines before the launcher is used


class Raw(str):
    """A word of a shell line that the shell must expand, already in double quotes where needed."""

    __slots__ = ()


def shell_line(parts: Iterable[str]) -> str:
    """Return words as one line of a shell; all but `Raw` ones are quoted."""
    return " ".join(word if isinstance(word, Raw) else shlex.quote(word) for word in parts)


def job_script(
    directives: Sequence[str],
    about: str,
    setup: Sequence[str],
    program: Iterable[str],
    site: Sequence[str] = (),
    first: Sequence[str] = (),
) -> str:
    """Return a job script whose last line becomes the program, so that it receives the scheduler's signals.

    `first` are the dialect's startup lines. Lines of `site` may fail, as in the startup files of a site's login shells;
    lines of `setup` may not.
    """
    rows = ["#!/bin/bash", *directives, "", *(f"# {line}" for line in about.splitlines())]
    if first:
        rows += ["", *first]
    if site or setup:
        rows += ["", SAY]
    if site:
        rows += ["", "# What every job on this site does first.", *site]
    if setup:
        about_setup = "# What the study asks for: the first line that fails ends the job."
        rows += ["", about_setup, "set -e", *SAY_LINE, *setup]
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
