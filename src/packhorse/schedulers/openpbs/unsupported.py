"""What a user may ask for and the head of an OpenPBS script cannot carry as it is."""

from __future__ import annotations

from collections.abc import Iterator

from packhorse.model.job import Request
from packhorse.schedulers.pbs import unsupported as pbs


def unsupported(request: Request) -> list[str]:
    """Return a sentence for each thing that cannot be said, or would come out as something else."""
    return [*pbs.unsupported(request, "OpenPBS"), *_own(request)]


def _own(request: Request) -> Iterator[str]:
    if request.gpus and ":" in request.gres:
        yield f"the kind of GPU in {request.gres!r} has no name that all sites of OpenPBS share; say it as an option"
    if len(request.indices) > 1:
        yield "an array of OpenPBS is one range, as 0-99 or 0-99:3, and no list of them"
    elif request.indices and request.indices[0][0] == request.indices[0][1]:
        yield "OpenPBS knows no array of one element"
    if any("{job}" in path for path in (request.output, request.error)):
        yield "OpenPBS cannot put a job's number into a file name of your own; without one it is NAME.oNUMBER"
