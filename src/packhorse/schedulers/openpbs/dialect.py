"""The talks with OpenPBS: submit, jobs, find, ended, cancel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

from packhorse.model.command import Answer, Command, Dialogue
from packhorse.model.job import Details, Ended, Job, Request, SubmissionRefused, SubmissionUnknown, Submitted
from packhorse.model.queues import QueueState, Start
from packhorse.schedulers.openpbs import options, queue, queues, reasons, refusals, unsupported
from packhorse.schedulers.openpbs.fields import records
from packhorse.schedulers.openpbs.queue import Record
from packhorse.schedulers.pbs import head
from packhorse.schedulers.pbs.job_ids import element_of, job_id, listed, numeral, same_job
from packhorse.schedulers.pbs.job_output import FOLLOWS, LAST, WAVE, first_lines
from packhorse.schedulers.scheduler import NoReply
from packhorse.schedulers.script import Shell, Variables
from packhorse.schedulers.script_headers import ScriptHeader

T = TypeVar("T")
UNKNOWN_JOB, HISTORY = 153, 35  # PBSE_UNKJOBID and PBSE_HISTJOBID, of which a shell sees the last byte
# Of an element that was deleted: the server's signal where it ran; where it waited, a substate or a comment.
CANCELLED = r"Exit_status = 271$|substate = 91$|comment = Subjob finished$"


class OpenPBS:
    """OpenPBS and PBS Pro. Needs qsub, qstat, qdel and qrls; the history of jobs is asked where there is one."""

    name = "openpbs"
    programs: tuple[str, ...] = ("qsub", "qstat", "qdel", "qrls")
    # qsub(1B). An element's job is 24[3].server, its array's 24[].server.
    variables = Variables(
        element='"${PBS_ARRAY_INDEX:-0}"',
        job=r'"${PBS_JOBID/\[*\]/[]}"',
        restart="",  # nothing tells a job that it was started before
        wave=WAVE,
        last=LAST,
        follows=FOLLOWS,
    )
    shell = Shell(
        submit="qsub",
        index="PBS_ARRAY_INDEX",
        launcher="mpirun",
        own_log="NAME.oNUMBER, which is there when the job has ended",
        folder=('cd "$PBS_O_WORKDIR" || exit',),
    )
    memory_words: tuple[str, ...] = ("job killed: mem ", "job killed: vmem ")
    node_words: tuple[str, ...] = ()
    # PBS_DPREFIX would name other lines than #PBS. What a job has in its environment reaches no other: there is no -V.
    unset: tuple[str, ...] = ("PBS_DPREFIX",)
    not_in_names = r"[^\w.+-]"

    def directives(self, request: Request) -> list[str]:
        """Return the #PBS lines of a job script."""
        return options.directives(request)

    def startup_lines(self, output: str, /) -> list[str]:
        """Return the lines that make a job print where others can read it while it runs."""
        return first_lines(output, self.variables.element)

    def unsupported(self, request: Request) -> list[str]:
        """Return what the #PBS lines cannot carry as the user has said it."""
        return unsupported.unsupported(request)

    def threads(self, request: Request) -> str:
        """Return the cores of a process: those of the job on a node, shared out among its processes."""
        return '"${NCPUS:-1}"' if request.tasks == 1 else f'"{max(1, request.cores // request.tasks)}"'

    def submit_argv(self, script: str, arguments: list[str], request: Request) -> list[str]:
        """Return the argv that submits a script, with what differs from one submission to the next."""
        return options.submission(script, arguments, request)

    def submit_template(self, request: Request, *, after: bool = False) -> list[str]:
        """Return the argv of `submit` with places to be filled, as one argument each; a wave is submitted held."""
        arguments = ["{wave}"] if after else ["{wave}", "{last}", "{follows}"]
        return options.template(arguments, request, wave=not after)

    def release_argv(self, job: str, /) -> list[str]:
        """Return the argv that releases a wave; what is to follow an unknown job is accepted and deleted."""
        return ["qrls", job]

    def notification_argv(self, script: str) -> list[str]:
        """Return the argv that submits a script under the name {text}, which its mail names."""
        return ["qsub", "-f", "-N{text}", "-o/dev/null", script]

    def read_submission(self, answer: Answer) -> Submitted | SubmissionRefused | SubmissionUnknown:
        """Read qsub's answer."""
        return refusals.submitted(answer)

    def jobs(self, user: str) -> Dialogue[list[Job] | NoReply]:
        """Ask for all of a user's jobs that wait or run, the elements of arrays one by one."""
        return _jobs(user)

    def find(self, token: str, user: str) -> Dialogue[str | NoReply | None]:
        """Ask for the job that has a token in its variables, also one that ended, where the site keeps a history.

        Of several (a job was submitted twice) a living one is named, and of those the first.
        """
        found = yield from _jobs(user)
        ended = yield from _jobs(user, "-x")
        if isinstance(found, NoReply):
            return found
        alive = [job for job in found if job.token == token and job.state != "GONE"]
        over = [job for job in ended if job.token == token] if not isinstance(ended, NoReply) else []
        return min((job.job for job in alive or over), key=numeral, default=None)

    def cancelled_query(self, job: str) -> tuple[list[str], str]:
        """Return what prints all about an array's elements while the server remembers them, and what says deleted."""
        return ["qstat", "-x", "-f", "-t", job], CANCELLED

    def ended(self, jobs: list[str]) -> Dialogue[list[Ended] | NoReply]:
        """Ask how jobs ended. Silent where a site keeps no history."""
        return _details([job for job in jobs if job_id(job)], queue.endings, "-x")

    def cancel(self, jobs: list[str]) -> Dialogue[str]:
        """Cancel jobs with all their elements; qdel complains about those that have ended, which is not wrong."""
        known = [job for job in jobs if job_id(job)]
        if not known:
            return ""
        answer = yield Command(argv=("qdel", *known), timeout=60.0)
        if answer.status == 0 or _all_ended(answer):
            return ""
        return refusals.understood(answer)[0]

    def is_job(self, word: str) -> bool:
        """Tell whether a word is the number of a job, an array or an element: 26, 26[], 26[3], with the server or not."""
        return job_id(word) is not None

    def split(self, word: str) -> tuple[str, int | None]:
        """Return a job's number, of an element that of its array, and the number of the element."""
        found = job_id(word)
        return (found.job, found.element) if found else (word, None)

    def same_job(self, typed: str, job: str) -> bool:
        """Tell whether a number, with the server and the brackets of an array or without, is that of a job."""
        return same_job(typed, job)

    def element_of(self, job: str, element: int) -> str:
        """Return the number of an element of an array: 26[3].server."""
        return element_of(job, element)

    def submit_script_argv(self, script: str, arguments: list[str], token: str, name: str = "") -> list[str]:
        """Return the argv that submits a user's script, whose own head says what it asks for."""
        return options.own(script, arguments, token, name)

    def read_header(self, text: str) -> ScriptHeader:
        """Return what the #PBS lines of a user's script ask for."""
        return head.head(text)

    def history(self, user: str, _days: int, /) -> Dialogue[list[Ended] | NoReply]:
        """Ask how a user's jobs ended, as long as the site keeps its history."""
        numbers = yield from _numbers(user, "-x")
        if isinstance(numbers, NoReply):
            return numbers
        ends = yield from _details(numbers, queue.endings, "-x")
        return ends

    def details(self, job: str) -> Dialogue[list[Details] | NoReply]:
        """Ask where a job works and writes, an element each; nothing where nobody knows such a job."""
        found = yield from _details([job] if job_id(job) else [], queue.details_of, "-x")
        if found == [] and job.isdigit():  # an array without its brackets
            found = yield from _details([f"{job}[]"], queue.details_of, "-x")
        return found

    def queues(self, _user: str, /) -> Dialogue[list[QueueState] | NoReply]:
        """Ask which queues there are. OpenPBS does not say what is free in them."""
        answer = yield queues.QUESTION
        found = queues.states(answer.stdout) if answer.status == 0 else None
        return NoReply(refusals.understood(answer)[0]) if found is None else found

    def estimate_start(self, _queue: QueueState, /) -> Dialogue[Start | SubmissionRefused | NoReply]:
        """Say that OpenPBS cannot say when a job would start."""
        return _unknown()

    def explain_reason(self, word: str) -> str:
        """Return why a job waits, in plain words; a comment of the scheduler is returned as it is."""
        return reasons.plain(word)

    def wait_kind(self, word: str) -> Literal["waiting", "held", "dependent"]:
        """Return by a reason whether a job waits for its turn, is held, or waits for another job."""
        return reasons.waits(word)

    def remedy(self, word: str) -> str:
        """Return what ends a wait that never ends by itself, with JOB and RUN in it; nothing where it may end."""
        return reasons.stuck(word)


def _unknown() -> Dialogue[Start | SubmissionRefused | NoReply]:
    yield from ()
    return NoReply("OpenPBS does not say when a job would start")


def _jobs(user: str, *options: str) -> Dialogue[list[Job] | NoReply]:
    """Ask for a user's jobs; with -x also those that have ended and are remembered."""
    numbers = yield from _numbers(user, *options)
    if isinstance(numbers, NoReply):
        return numbers
    found = yield from _details(numbers, queue.rows, *options)
    return found


def _numbers(user: str, *options: str) -> Dialogue[list[str] | NoReply]:
    answer = yield queue.user_jobs(user, *options)
    if answer.status != 0:
        return NoReply(refusals.understood(answer)[0])
    found = listed(answer.stdout)
    if found is None:
        return NoReply(f"qstat's answer cannot be read: {answer.stdout.strip()[:200]!r}")
    return [number for number, _ in found]


def _details(
    numbers: Sequence[str], read: Callable[[Sequence[Record], Sequence[str]], list[T]], *options: str
) -> Dialogue[list[T] | NoReply]:
    """Ask for all about some jobs; those that are gone by now are left out.

    The status is looked at first: also a server that cannot be reached is answered with JSON, and one that keeps no
    history with nothing and status 0.
    """
    found: list[T] = []
    for question in queue.details(numbers, *options):
        answer = yield question
        if answer.status not in (0, UNKNOWN_JOB, HISTORY):
            return NoReply(refusals.understood(answer)[0])
        if not answer.stdout.strip():
            if answer.status == 0:
                return NoReply(refusals.understood(answer)[0])
            continue
        said = records(answer.stdout)
        if said is None:
            return NoReply(f"qstat's answer cannot be read: {answer.stdout.strip()[:200]!r}")
        found += read(said, numbers)
    return found


def _all_ended(answer: Answer) -> bool:
    """Tell whether qdel complains about nothing but jobs that have ended."""
    lines = [line for line in answer.stderr.splitlines() if line.strip()]
    ended = ("Unknown Job Id", "Job has finished")
    return answer.status in (UNKNOWN_JOB, HISTORY) and all(
        any(one in line for one in ended) for line in lines
    )
