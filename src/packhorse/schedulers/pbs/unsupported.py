"""What a user may ask for and a line that begins with #PBS cannot carry as it is, on TORQUE and on OpenPBS."""

from __future__ import annotations

import re
from collections.abc import Iterator

from packhorse.model.job import Request
from packhorse.schedulers.pbs.job_ids import job_id
from packhorse.schedulers.pbs.job_output import name

_PATH = re.compile(r"[\w.+/@=%{}-]*")
_WORD = re.compile(r"[\w.@+:/,=-]+")


def unsupported(request: Request, called: str) -> Iterator[str]:
    """Yield a sentence for each thing that cannot be said, or would come out as something else; `called` is who reads it."""
    yield from _words(request)
    for path in (request.output, request.error):
        if not _PATH.fullmatch(path):
            safe = "safe are letters, digits and . _ + - / @ = %"
            yield f"the file name {path!r} has signs that qsub reads as its own; {safe}"
    for wait in request.waits:
        if job_id(wait.job) is None:
            yield f"{wait.job!r} is no job of {called}: its number is 26, 26.server, or 26[].server for an array"
        elif wait.until == "each":
            yield f"{called} cannot let the elements of an array wait for those of another one by one"


def _words(request: Request) -> Iterator[str]:
    if request.name != name(request.name):
        yield f"the title {request.name!r} becomes {name(request.name)!r}: a job's name has no other signs"
    for what in ("partition", "account", "qos", "mail", "gres", "constraint"):
        said = getattr(request, what)
        if said and not _WORD.fullmatch(said):
            yield f"the {what} {said!r} is not one word of letters, digits and . _ @ + : / - signs"
    for option in request.options:
        if not option.startswith("-") or not option.isprintable():
            yield f"the option {option!r} is not one line that begins with -"
