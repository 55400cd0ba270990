"""Single jobs, named SITE:JOB: cancel them and show their output, also where no run of Packhorse submitted them."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from msgspec import Struct
from msgspec.structs import replace

from packhorse.cluster.queue import Queue, end_jobs
from packhorse.model.errors import RunError, UsageError
from packhorse.model.job import Details, Job
from packhorse.model.script_job import ScriptJob
from packhorse.model.site import Site
from packhorse.project.user_sites import with_jobs
from packhorse.remote.file_tail import OutputFile, output_tail, read_new
from packhorse.remote.transport import transport_for
from packhorse.rundir.directory import RunDirectory, list_runs
from packhorse.rundir.submissions import read_script_job
from packhorse.runtime.dialogue import run_dialogue
from packhorse.schedulers import scheduler
from packhorse.schedulers.scheduler import NoReply

SHOWN = 20  # output files of an array that are shown

_REFERENCE = re.compile(r"(?P<site>[\w.-]+):(?P<job>[^\s/]+)")


class JobReference(Struct, frozen=True, kw_only=True):
    """A job of a site, as the user names it."""

    site: Site
    word: str  # the number as typed: of the job, or of an element
    job: str
    element: int | None = None
    known: tuple[OutputFile, ...] = ()  # its output files, where a run recorded them
    script: str = ""  # the text of its script, where a run keeps it


def find_job_reference(text: str | None, folder: Path) -> JobReference | None:
    """Return the job that SITE:JOB names; None for any other text, such as the name of a run.

    Raises UsageError for a site that is not known, and for a text that the site's scheduler does not use as a number.
    """
    match = _REFERENCE.fullmatch(text or "")
    if match is None or Path(text or "").exists():
        return None
    site = with_jobs(match["site"], folder)
    dialect = scheduler(site.scheduler)
    if not dialect.is_job(match["job"]):
        raise UsageError(
            f"{match['job']} is not a job number of {site.name}", f"packhorse jobs {site.name} lists the jobs"
        )
    job, element = dialect.split(match["job"])
    reference = JobReference(site=site, word=match["job"], job=job, element=element)
    for run in list_runs(folder):
        of_run = read_script_job(run)
        if of_run and of_run.site.name == site.name and dialect.same_job(job, of_run.job):
            return replace(reference, known=known_outputs(of_run), script=script_text(run, of_run))
    return reference


def known_outputs(job: ScriptJob) -> tuple[OutputFile, ...]:
    """Return the output files of a job that its run recorded."""
    files = ((job.output, False), (job.error, True))
    alone = tuple(OutputFile(path=path, errors=errors) for path, errors in files if path)
    return alone or tuple(file for row in job.elements for file in _output_files(row))


def script_text(run: RunDirectory, job: ScriptJob) -> str:
    """Return the text of a job's script, as its run keeps it; empty where it is gone."""
    try:
        return (run.path / PurePosixPath(job.script).name).read_text(encoding="utf-8")
    except OSError:
        return ""


def with_element(reference: JobReference, element: int) -> JobReference:
    """Return one element of a job that is an array."""
    number = scheduler(reference.site.scheduler).element_of(reference.job, element)
    return replace(reference, word=number, element=element)


@contextmanager
def open_queue(site: Site) -> Iterator[Queue]:
    """Open a session at a site and yield its queue."""
    queue = Queue(site, transport_for(site))
    with queue.transport.open():
        queue.transport.identify(list(queue.dialect.programs))
        yield queue


def cancel_job(reference: JobReference) -> str:
    """Cancel a queued or running job of the user, and return a sentence; raise RunError where there is none."""
    site = reference.site.name
    with open_queue(reference.site) as queue:
        alive = _alive_parts(queue, reference)
        if not alive:
            raise _not_alive(queue, reference)
        again = f"packhorse cancel {site}:{reference.word}"
        if reference.element is None:
            end_jobs(queue, lambda: _alive_parts(queue, reference), lambda job: job.job, again)
        else:
            _cancel_element(queue, reference, again)
    name = f" ({alive[0].name})" if alive[0].name else ""
    return f"cancelled job {reference.word} of {site}{name}"


def _cancel_element(queue: Queue, reference: JobReference, again: str) -> None:
    """Cancel one element of an array; those that wait are one row, in which it has no number of its own."""
    error = queue.cancel([reference.word])
    if error:
        raise RunError(f"{reference.site.name} did not cancel job {reference.word}: {error}", again)

    def element() -> list[Job]:
        return [job for job in _alive_parts(queue, reference) if job.element == reference.element]

    end_jobs(queue, element, lambda _: reference.word, again)


def _alive_parts(queue: Queue, reference: JobReference) -> list[Job]:
    """Return the queued and running parts of a job of the user, by a poll made now."""
    reply = queue.jobs(0)
    if reply.silent:
        raise _no_reply(reference, reply.silent)
    same = queue.dialect.same_job
    return [job for job in reply.jobs if same(reference.job, job.job) and job.state != "GONE"]


def _no_reply(reference: JobReference, reason: str) -> RunError:
    return RunError(
        f"no reply from the scheduler of {reference.site.name}: {reason}", "run the command again"
    )


def _not_alive(queue: Queue, reference: JobReference) -> RunError:
    hint = f"packhorse jobs {reference.site.name} --all lists your jobs"
    details = run_dialogue(queue.dialect.details(reference.word), queue.ask)
    where = f"job {reference.word} of {reference.site.name}"
    if isinstance(details, list) and details:
        return RunError(f"{where} is not queued or running, or belongs to another user", hint)
    return RunError(f"{where} does not exist", hint)


def job_outputs(queue: Queue, reference: JobReference) -> list[OutputFile]:
    """Return the output files of a job, by element; raise RunError where none is known."""
    site = reference.site.name
    reply = run_dialogue(queue.dialect.details(reference.word, reference.script), queue.ask)
    known = [file for file in reference.known if reference.element in (None, file.element)]
    if known and (isinstance(reply, NoReply) or all(row.guessed for row in reply)):
        return known
    if isinstance(reply, NoReply):
        raise _no_reply(reference, reply.why)
    reply = _read_from_script(queue, reference, reply)
    details = [row for row in reply if reference.element in (None, row.element)]
    if not details:
        raise RunError(
            f"{site} has no record of job {reference.word}", f"packhorse jobs {site} --all lists your jobs"
        )
    files = [file for row in details for file in _output_files(row)]
    if not files and all(row.guessed and not row.folder and not row.waits for row in details):
        raise RunError(
            f"the accounting of {site} does not have the folder of job {reference.word}, so its output is not known",
            "look in the folder in which it was submitted",
        )
    if not files:
        raise RunError(
            f"job {reference.word} of {site} has not started, so it has no output",
            f"packhorse jobs {site} shows why it waits",
        )
    return sorted(files, key=lambda file: (file.element or 0, file.errors))


def _read_from_script(queue: Queue, reference: JobReference, rows: list[Details]) -> list[Details]:
    """Return where a job writes by the script that its command line names, where the files are only guessed."""
    path = next((row.script for row in rows if row.guessed and row.script and not reference.script), "")
    script = queue.transport.read_file(path, 0) if path else b""
    if not script.startswith(b"#!"):
        return rows
    reply = run_dialogue(queue.dialect.details(reference.word, script.decode("utf-8", "replace")), queue.ask)
    return reply if isinstance(reply, list) and reply else rows


def _output_files(details: Details) -> Iterator[OutputFile]:
    # For a queued job, a scheduler names the file that the job will write.
    for path, errors in ((details.output, False), (details.error, True)):
        if path and path != "/dev/null":
            yield OutputFile(
                path=path, element=details.element, errors=errors, waits=details.waits, late=details.late
            )


def job_logs(reference: JobReference) -> tuple[list[tuple[str, str]], str]:
    """Return (heading, text) of a job's first SHOWN output files, and a sentence about the others."""
    with open_queue(reference.site) as queue:
        files = job_outputs(queue, reference)
        shown = [
            (_heading(reference, file, len(files)), output_tail(queue.transport, file))
            for file in files[:SHOWN]
        ]
        another = _element_command(queue, reference, files[-1])
    more = len(files) - SHOWN
    return shown, f"and {more:,} more; for one of them: {another}" if more > 0 else ""


def _element_command(queue: Queue, reference: JobReference, file: OutputFile) -> str:
    """Return the command that shows the output of one element of an array."""
    number = queue.dialect.element_of(reference.job, file.element or 0)
    return shlex.join(["packhorse", "logs", f"{reference.site.name}:{number}"])


def _heading(reference: JobReference, file: OutputFile, number: int) -> str:
    if number == 1:
        return ""
    part = f"element {file.element}" if file.element is not None else f"job {reference.job}"
    return f"== {part}{', errors' if file.errors else ''}: {file.path} =="


def follow_job(reference: JobReference, show: Callable[[str], None]) -> None:
    """Show the output of a job as it is written, until the job has ended."""
    with open_queue(reference.site) as queue:
        (first, *others) = job_outputs(queue, reference)
        if any(file.element != first.element for file in others):
            raise UsageError(
                f"job {reference.word} is an array: name the element to follow",
                f"{_element_command(queue, reference, first)} --follow",
            )
        offset = 0
        while True:
            # Poll before reading: after the job is gone, one read returns all that it wrote.
            alive = any(
                job.element in (reference.element, None)
                for job in queue.jobs().jobs
                if queue.dialect.same_job(reference.job, job.job)
            )
            text, offset = read_new(queue.transport, first, offset)
            if text:
                show(text)
            elif not alive:
                return
            time.sleep(queue.transport.file_poll if alive else 0.0)
