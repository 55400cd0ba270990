"""The talks with TORQUE: submit, jobs, find, ended, cancel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from packhorse.model.command import Answer, Command, Talk
from packhorse.model.job import Ended, Job, Refused, Request, Submitted, Unsure
from packhorse.schedulers.brackets import job_id, listed, numeral
from packhorse.schedulers.script import Variables
from packhorse.schedulers.spool import FOLLOWS, LAST, WAVE, first_lines
from packhorse.schedulers.talk import Silent
from packhorse.schedulers.torque import options, queue, reasons, refusals

T = TypeVar("T")
UNKNOWN_JOB, WRONG_STATE = 153, 170  # PBSE_UNKJOBID and PBSE_BADSTATE, of which a shell sees the last byte
# Of an element that was deleted: the server's signal where it ran, no status at all where it waited.
CANCELLED = r"exit_status = 271$|\A(?![\s\S]*exit_status)[\s\S]*job_state = C$"


class Torque:
    """TORQUE 4.2 and 6.1. Needs qsub, qstat, qdel and qrls; no accounting."""

    name = "torque"
    # qsub(1B). An element's job is 26[3].host, its array's 26[].host.
    variables = Variables(
        element='"${PBS_ARRAYID:-0}"',
        job=r'"${PBS_JOBID/\[*\]/[]}"',
        restart="",  # nothing tells a job that it was started before
        wave=WAVE,
        last=LAST,
        follows=FOLLOWS,
    )
    memory_words: tuple[str, ...] = tuple(f"job killed: {word} " for word in ("mem", "vmem", "pmem", "pvmem"))
    node_words: tuple[str, ...] = ()
    # PBS_DPREFIX would name other lines than #PBS. What a job has in its environment reaches no other: there is no -V.
    unset: tuple[str, ...] = (*queue.UNSET, "PBS_DPREFIX")
    not_in_names = r"[^\w.+-]"

    def directives(self, request: Request) -> list[str]:
        """Return the #PBS lines of a job script."""
        return options.directives(request)

    def first(self, output: str, /) -> list[str]:
        """Return the lines that make a job print where others can read it while it runs."""
        return first_lines(output, self.variables.element)

    def submit(self, script: str, arguments: list[str], request: Request) -> list[str]:
        """Return the argv that submits a script, with what differs from one submission to the next."""
        last = str(request.elements - 1) if request.elements else ""
        return options.submission(script, arguments, request, last)

    def template(self, request: Request, *, after: bool = False) -> list[str]:
        """Return the argv of `submit` with places to be filled, as one argument each; a wave is submitted held."""
        if after:
            return options.submission("{script}", ["{wave}"], request, "")
        arguments = ["{wave}", "{last}", "{follows}"]
        return options.submission("{script}", arguments, request, "{last}", held=True)

    def release(self, job: str, /) -> list[str]:
        """Return the argv that releases a wave; what is to follow an array that has ended is refused, or waits for ever."""
        return ["qrls", job]

    def notice(self, script: str) -> list[str]:
        """Return the argv that submits a script under the name {text}, which its mail names."""
        return ["qsub", "-N{text}", "-o/dev/null", script]

    def submitted(self, answer: Answer) -> Submitted | Refused | Unsure:
        """Read qsub's answer."""
        return refusals.submitted(answer)

    def jobs(self, user: str) -> Talk[list[Job] | Silent]:
        """Ask for all of a user's jobs that wait or run, the elements of arrays one by one."""
        return _jobs(user, ended=False)

    def find(self, token: str, user: str) -> Talk[str | Silent | None]:
        """Ask for the job that has a token in its variables, also one that ended within keep_completed seconds.

        Of several (a job was submitted twice) a living one is named, and of those the first.
        """
        found = yield from _jobs(user, ended=True)
        if isinstance(found, Silent):
            return found
        ours = [job for job in found if job.token == token]
        alive = [job for job in ours if job.state != "GONE"]
        return min((job.job for job in alive or ours), key=numeral, default=None)

    def asked(self, job: str) -> tuple[list[str], str]:
        """Return what prints all about an array's elements while the server remembers them, and what says deleted."""
        return list(queue.details([job])[0].argv), CANCELLED

    def ended(self, jobs: list[str]) -> Talk[list[Ended] | Silent]:
        """Ask how jobs ended; the server forgets them keep_completed seconds later, at many sites at once."""
        return _details([job for job in jobs if job_id(job)], queue.endings)

    def cancel(self, jobs: list[str]) -> Talk[str]:
        """Cancel jobs with all their elements; qdel complains about those that have ended, which is not wrong."""
        known = [job for job in jobs if job_id(job)]
        if not known:
            return ""
        answer = yield Command(argv=("qdel", *known), timeout=60.0, unset=queue.UNSET)
        if answer.status == 0 or _all_ended(answer):
            return ""
        return refusals.understood(answer)[0]

    def reason(self, word: str) -> str:
        """Return why a job waits, in plain words; a comment of the scheduler is returned as it is."""
        return reasons.plain(word)

    def stuck(self, word: str) -> str:
        """Return what ends a wait that never ends by itself, with JOB and RUN in it; nothing where it may end."""
        return reasons.stuck(word)


def _jobs(user: str, *, ended: bool) -> Talk[list[Job] | Silent]:
    """Ask for a user's jobs, also those that have `ended` and are remembered."""
    answer = yield queue.user_jobs(user)
    if answer.status != 0:
        return Silent(refusals.understood(answer)[0])
    found = listed(answer.stdout)
    if not found and answer.stdout.strip():
        return Silent(f"qstat's answer cannot be read: {answer.stdout.strip()[:200]!r}")
    numbers = [number for number, letter in found if ended or letter != "C"]
    told = yield from _details(numbers, queue.rows)
    return told


def _details(numbers: Sequence[str], read: Callable[[str, Sequence[str]], list[T]]) -> Talk[list[T] | Silent]:
    """Ask for all about some jobs; those that are gone by now are left out."""
    found: list[T] = []
    for question in queue.details(numbers):
        answer = yield question
        if answer.status not in (0, UNKNOWN_JOB):
            return Silent(refusals.understood(answer)[0])
        found += read(answer.stdout, numbers)
    return found


def _all_ended(answer: Answer) -> bool:
    """Tell whether qdel complains about nothing but jobs that have ended."""
    lines = [line for line in answer.stderr.splitlines() if line.strip()]
    ended = ("nonexistent job id", "Unknown Job Id", "state for job - COMPLETE")
    return answer.status in (UNKNOWN_JOB, WRONG_STATE) and all(
        any(one in line for one in ended) for line in lines
    )
