"""Requests that #PBS lines cannot express on TORQUE and OpenPBS."""

from __future__ import annotations

import re
from collections.abc import Iterator

from packhorse.model.job import Request
from packhorse.schedulers.pbs.job_ids import job_id
from packhorse.schedulers.pbs.job_output import name

_PATH = re.compile(r"[\w.+/@=%{}-]*")
_WORD = re.compile(r"[\w.@+:/,=-]+")


def unsupported(request: Request, title: str) -> Iterator[str]:
    """Yield a sentence for each thing that #PBS lines cannot express, or would change; `title` is the server's name."""
    yield from _words(request)
    for path in (request.output, request.error):
        if not _PATH.fullmatch(path):
            safe = "use letters, digits and . _ + - / @ = %"
            yield f"the file name {path!r} has characters that qsub interprets; {safe}"
    for wait in request.waits:
        if job_id(wait.job) is None:
            yield f"{wait.job!r} is not a job of {title}: a job number is 26, 26.server, or 26[].server for an array"
        elif wait.until == "each":
            yield f"{title} has no dependencies between the elements of two arrays"


def _words(request: Request) -> Iterator[str]:
    if request.name != name(request.name):
        yield f"the title {request.name!r} becomes {name(request.name)!r}: other characters are not allowed in a job's name"
    for what in ("partition", "account", "qos", "mail", "gres", "constraint"):
        value = getattr(request, what)
        if value and not _WORD.fullmatch(value):
            yield f"the {what} {value!r} is not one word of letters, digits and . _ @ + : / -"
    for option in request.options:
        if not option.startswith("-") or not option.isprintable():
            yield f"the option {option!r} is not one line that begins with -"
