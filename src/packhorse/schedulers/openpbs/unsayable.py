"""What a user may ask for and the head of an OpenPBS script cannot carry as it is."""

from __future__ import annotations

import re
from collections.abc import Iterator

from packhorse.model.job import Request
from packhorse.schedulers.brackets import job_id
from packhorse.schedulers.spool import name

_PATH = re.compile(r"[\w.+/@=%{}-]*")
_WORD = re.compile(r"[\w.@+:/,=-]+")


def unsayable(request: Request) -> list[str]:
    """Return a sentence for each thing that cannot be said, or would come out as something else."""
    return [*_names(request), *_files(request), *_array(request), *_jobs(request)]


def _names(request: Request) -> Iterator[str]:
    if request.name != name(request.name):
        yield f"the title {request.name!r} becomes {name(request.name)!r}: a job's name has no other signs"
    for what in ("partition", "account", "qos", "mail", "gres", "constraint"):
        said = getattr(request, what)
        if said and not _WORD.fullmatch(said):
            yield f"the {what} {said!r} is not one word of letters, digits and . _ @ + : / - signs"
    if request.gpus and ":" in request.gres:
        yield f"the kind of GPU in {request.gres!r} has no name that all sites of OpenPBS share; say it as an option"
    for option in request.options:
        if not option.startswith("-") or not option.isprintable():
            yield f"the option {option!r} is not one line that begins with -"


def _files(request: Request) -> Iterator[str]:
    for path in (request.output, request.error):
        if not _PATH.fullmatch(path):
            safe = "safe are letters, digits and . _ + - / @ = %"
            yield f"the file name {path!r} has signs that qsub reads as its own; {safe}"


def _array(request: Request) -> Iterator[str]:
    if len(request.indices) > 1:
        yield "an array of OpenPBS is one range, as 0-99 or 0-99:3, and no list of them"
    elif request.indices and request.indices[0][0] == request.indices[0][1]:
        yield "OpenPBS knows no array of one element"
    if any("{job}" in path for path in (request.output, request.error)):
        yield "OpenPBS cannot put a job's number into a file name of your own; without one it is NAME.oNUMBER"


def _jobs(request: Request) -> Iterator[str]:
    for wait in request.waits:
        if job_id(wait.job) is None:
            yield f"{wait.job!r} is no job of OpenPBS: its number is 26, 26.server, or 26[].server for an array"
        elif wait.until == "each":
            yield "OpenPBS cannot let the elements of an array wait for those of another one by one"
