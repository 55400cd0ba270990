"""The text of a job script: the scheduler's lines, the site's lines, and one program that takes the job over."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from msgspec import Struct


class Variables(Struct, frozen=True):
    """What a job's shell calls the number of its element, of its job, and how often it was started before."""

    element: str
    job: str
    restart: str


class Raw(str):
    """A word of a shell line that the shell shall expand, already in double quotes where it needs them."""

    __slots__ = ()


def shell_line(words: Iterable[str]) -> str:
    """Return words as one line of a shell; all but `Raw` ones are taken literally."""
    return " ".join(word if isinstance(word, Raw) else shlex.quote(word) for word in words)


def job_script(directives: Sequence[str], about: str, setup: Sequence[str], program: Iterable[str]) -> str:
    """Return a job script whose last line becomes the program, so that it hears the scheduler's signals."""
    rows = ["#!/bin/bash", *directives, "", f"# {about}", *setup, f"exec {shell_line(program)}"]
    return "\n".join(rows) + "\n"
