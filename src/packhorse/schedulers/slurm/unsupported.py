"""Requests that #SBATCH lines cannot express."""

from __future__ import annotations

import re
from collections.abc import Iterator

from packhorse.model.job import Request

_JOB = re.compile(r"\d+(_\d+)?", re.ASCII)
_EXPANDED = re.compile(r"~|\$\{?\w")
_WORD = re.compile(r"[\w.@+:/,=-]+")


def unsupported(request: Request) -> list[str]:
    """Return a sentence for each thing that #SBATCH lines cannot express, or would change."""
    return [*_names(request), *_files(request), *_jobs(request), *_own(request)]


def _names(request: Request) -> Iterator[str]:
    if not request.name.isprintable() or "|" in request.name:
        # The columns of squeue's output are separated by |.
        yield f"the title {request.name!r} has a line break, a tab or a |, which squeue cannot show"
    for what in ("partition", "account", "qos", "mail", "gres", "constraint"):
        value = getattr(request, what)
        if value and not _WORD.fullmatch(value):
            yield f"the {what} {value!r} is not one word of letters, digits and . _ @ + : / -"


def _files(request: Request) -> Iterator[str]:
    for path in (request.output, request.error):
        if not path.isprintable():
            yield f"the file name {path!r} has a line break or a tab, which an #SBATCH line cannot hold"
        elif "\\" in path:
            yield f"the file name {path!r} has a backslash, which makes Slurm ignore patterns such as %j"
        elif _EXPANDED.match(path):
            yield f"the file name {path!r} begins with what only a shell expands; write the whole path"


def _jobs(request: Request) -> Iterator[str]:
    for wait in request.waits:
        if not _JOB.fullmatch(wait.job):
            yield f"{wait.job!r} is not a job of Slurm: a job number has digits, and _N for an element of an array"


def _own(request: Request) -> Iterator[str]:
    for option in request.options:
        if not option.startswith("-") or not option.isprintable():
            yield f"the option {option!r} is not one line that begins with -"
