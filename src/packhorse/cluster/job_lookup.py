"""Single jobs, named SITE:JOB: cancelled, and what they printed; also those that nobody's run submitted."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from packhorse.cluster.queue import Queue
from packhorse.model.errors import RunError, UsageError
from packhorse.model.job import Details, Job
from packhorse.model.site import Site
from packhorse.project.user_sites import with_jobs
from packhorse.remote.file_tail import OutputFile, output_tail, read_new
from packhorse.remote.transport import transport_for
from packhorse.runtime.dialogue import run_dialogue
from packhorse.schedulers import scheduler
from packhorse.schedulers.scheduler import NoReply

SHOWN = 20  # elements of an array whose output is shown

_NAMED = re.compile(r"(?P<site>[\w.-]+):(?P<job>[^\s/]+)")


class JobReference(Struct, frozen=True, kw_only=True):
    """A job of a site, as the user names it."""

    site: Site
    word: str  # of the job, or of an element
    job: str
    element: int | None = None
    known: tuple[OutputFile, ...] = ()  # files to which it writes, where somebody has written that down


def find_job_reference(said: str | None, folder: Path) -> JobReference | None:
    """Return the job that SITE:JOB names; None for anything else, such as the name of a run."""
    found = _NAMED.fullmatch(said or "")
    if found is None or Path(said or "").exists():
        return None
    site = with_jobs(found["site"], folder)
    dialect = scheduler(site.scheduler)
    if not dialect.is_job(found["job"]):
        raise UsageError(
            f"{found['job']} is no number of a job of {site.name}", f"packhorse jobs {site.name} lists them"
        )
    job, element = dialect.split(found["job"])
    return JobReference(site=site, word=found["job"], job=job, element=element)


@contextmanager
def open_queue(site: Site) -> Iterator[Queue]:
    """Reach a site, and yield its queue."""
    queue = Queue(site, transport_for(site))
    with queue.transport.open():
        queue.transport.identify(list(queue.dialect.programs))
        yield queue


def cancel_job(named: JobReference) -> str:
    """Cancel a job of the user's that waits or runs, and say so; raise RunError where there is none."""
    with open_queue(named.site) as queue:
        ours = _living(queue, named)
        if not ours:
            raise _no_such(queue, named)
        wrong = queue.cancel([named.word if named.element is not None else ours[0].job])
        if wrong:
            raise RunError(
                f"{named.site.name} did not take the cancellation: {wrong}", "the same command tries again"
            )
    name = f" ({ours[0].name})" if ours[0].name else ""
    return f"cancelled job {named.word} of {named.site.name}{name}"


def _living(queue: Queue, named: JobReference) -> list[Job]:
    """Return what waits or runs of a job of the user's."""
    found = queue.jobs(0)
    if found.silent:
        raise RunError(
            f"the scheduler of {named.site.name} does not answer: {found.silent}",
            "the same command tries again",
        )
    same = queue.dialect.same_job
    return [job for job in found.jobs if same(named.job, job.job) and job.state != "GONE"]


def _no_such(queue: Queue, named: JobReference) -> RunError:
    hint = f"packhorse jobs {named.site.name} --all lists yours"
    known = run_dialogue(queue.dialect.details(named.word), queue.ask)
    if isinstance(known, list) and known:
        return RunError(
            f"job {named.word} of {named.site.name} neither waits nor runs, or is not yours", hint
        )
    return RunError(f"{named.site.name} knows no job {named.word} of yours", hint)


def job_outputs(queue: Queue, named: JobReference) -> list[OutputFile]:
    """Return the files to which a job writes, an element each; raise RunError where nobody knows any."""
    said = run_dialogue(queue.dialect.details(named.word), queue.ask)
    if named.known and (isinstance(said, NoReply) or not said):
        return list(named.known)
    if isinstance(said, NoReply):
        raise RunError(
            f"the scheduler of {named.site.name} does not answer: {said.why}", "the same command tries again"
        )
    found = [one for one in said if named.element in (None, one.element)]
    if not found:
        raise RunError(
            f"{named.site.name} knows no job {named.word}, or knows it no more",
            f"packhorse jobs {named.site.name} --all lists yours",
        )
    written = [one for detail in found for one in _files(detail)]
    if not written:
        raise RunError(
            f"job {named.word} of {named.site.name} has not begun, so it has written nothing",
            f"packhorse jobs {named.site.name} says why it waits",
        )
    return sorted(written, key=lambda one: (one.element or 0, one.errors))


def _files(one: Details) -> Iterator[OutputFile]:
    # Of a job that waits, a scheduler names the file to come.
    for path, errors in ((one.output, False), (one.error, True)):
        if path and path != "/dev/null":
            yield OutputFile(path=path, element=one.element, errors=errors, waits=one.waits, late=one.late)


def job_logs(named: JobReference) -> tuple[list[tuple[str, str]], str]:
    """Return (heading, text) of what a job printed, of the first elements of an array; and what is left out."""
    with open_queue(named.site) as queue:
        files = job_outputs(queue, named)
        shown = [
            (_heading(named, one, len(files)), output_tail(queue.transport, one)) for one in files[:SHOWN]
        ]
        another = _element(queue, named, files[-1])
    more = len(files) - SHOWN
    return shown, f"and {more:,} more; one of them: {another}" if more > 0 else ""


def _element(queue: Queue, named: JobReference, one: OutputFile) -> str:
    """Return the command for what one element of an array printed."""
    word = queue.dialect.element_of(named.job, one.element or 0)
    return shlex.join(["packhorse", "logs", f"{named.site.name}:{word}"])


def _heading(named: JobReference, one: OutputFile, number: int) -> str:
    if number == 1:
        return ""
    whose = f"element {one.element}" if one.element is not None else f"job {named.job}"
    return f"== {whose}{', errors' if one.errors else ''}: {one.path} =="


def follow_job(named: JobReference, show: Callable[[str], None]) -> None:
    """Show what a job prints, as it comes, until it has ended."""
    with open_queue(named.site) as queue:
        (first, *others) = job_outputs(queue, named)
        if any(one.element != first.element for one in others):
            raise UsageError(
                f"job {named.word} is an array: name the element to follow",
                f"{_element(queue, named, first)} --follow",
            )
        at = 0
        while True:
            # What was written before the job was seen to be gone is all there is.
            alive = any(
                job.element in (named.element, None)
                for job in queue.jobs().jobs
                if queue.dialect.same_job(named.job, job.job)
            )
            text, at = read_new(queue.transport, first, at)
            if text:
                show(text)
            elif not alive:
                return
            time.sleep(queue.transport.file_poll if alive else 0.0)
