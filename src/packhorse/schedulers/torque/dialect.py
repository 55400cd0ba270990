"""The talks with TORQUE: submit, jobs, find, ended, cancel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

from packhorse.model.command import Answer, Command, Dialogue
from packhorse.model.job import Details, Ended, Job, Request, SubmissionRefused, SubmissionUnknown, Submitted
from packhorse.model.queues import QueueState, Start
from packhorse.schedulers.pbs import head
from packhorse.schedulers.pbs.job_ids import element_of, job_id, listed, numeral, same_job
from packhorse.schedulers.pbs.job_output import FOLLOWS, LAST, WAVE, first_lines
from packhorse.schedulers.pbs.unsupported import unsupported
from packhorse.schedulers.scheduler import NoReply
from packhorse.schedulers.script import Shell, Variables
from packhorse.schedulers.script_headers import ScriptHeader
from packhorse.schedulers.torque import options, queue, queues, reasons, refusals

T = TypeVar("T")
UNKNOWN_JOB, WRONG_STATE = 153, 170  # PBSE_UNKJOBID and PBSE_BADSTATE, of which a shell sees the last byte
# Of an element that was deleted: the server's signal where it ran, no status at all where it waited.
CANCELLED = r"exit_status = 271$|\A(?![\s\S]*exit_status)[\s\S]*job_state = C$"


class Torque:
    """TORQUE 4.2 and 6.1. Needs qsub, qstat, qdel and qrls; no accounting."""

    name = "torque"
    programs: tuple[str, ...] = ("qsub", "qstat", "qdel", "qrls")
    # qsub(1B). An element's job is 26[3].host, its array's 26[].host.
    variables = Variables(
        element='"${PBS_ARRAYID:-0}"',
        job=r'"${PBS_JOBID/\[*\]/[]}"',
        restart="",  # nothing tells a job that it was started before
        wave=WAVE,
        last=LAST,
        follows=FOLLOWS,
    )
    shell = Shell(
        submit="qsub",
        index="PBS_ARRAYID",
        launcher="mpirun",
        own_log="NAME.oNUMBER, which is there when the job has ended",
        folder=('cd "$PBS_O_WORKDIR" || exit',),
    )
    memory_words: tuple[str, ...] = tuple(f"job killed: {word} " for word in ("mem", "vmem", "pmem", "pvmem"))
    node_words: tuple[str, ...] = ()
    # PBS_DPREFIX would name other lines than #PBS. What a job has in its environment reaches no other: there is no -V.
    unset: tuple[str, ...] = (*queue.UNSET, "PBS_DPREFIX")
    not_in_names = r"[^\w.+-]"

    def directives(self, request: Request) -> list[str]:
        """Return the #PBS lines of a job script."""
        return options.directives(request)

    def startup_lines(self, output: str, /) -> list[str]:
        """Return the lines that make a job print where others can read it while it runs."""
        return first_lines(output, self.variables.element)

    def unsupported(self, request: Request) -> list[str]:
        """Return what the #PBS lines cannot carry as the user has said it."""
        return list(unsupported(request, "TORQUE"))

    def threads(self, request: Request) -> str:
        """Return the cores of a process: those of the job on a node, shared out among its processes."""
        return '"${PBS_NUM_PPN:-1}"' if request.tasks == 1 else f'"{max(1, request.cores // request.tasks)}"'

    def submit_argv(self, script: str, arguments: list[str], request: Request) -> list[str]:
        """Return the argv that submits a script, with what differs from one submission to the next."""
        last = str(request.elements - 1) if request.elements else ""
        return options.submission(script, arguments, request, last)

    def submit_template(self, request: Request, *, after: bool = False) -> list[str]:
        """Return the argv of `submit` with places to be filled, as one argument each; a wave is submitted held."""
        if after:
            return options.submission("{script}", ["{wave}"], request, "")
        arguments = ["{wave}", "{last}", "{follows}"]
        return options.submission("{script}", arguments, request, "{last}", held=True)

    def release_argv(self, job: str, /) -> list[str]:
        """Return the argv that releases a wave; what is to follow an array that has ended is refused, or waits for ever."""
        return ["qrls", job]

    def notification_argv(self, script: str) -> list[str]:
        """Return the argv that submits a script under the name {text}, which its mail names."""
        return ["qsub", "-N{text}", "-o/dev/null", script]

    def read_submission(self, answer: Answer) -> Submitted | SubmissionRefused | SubmissionUnknown:
        """Read qsub's answer."""
        return refusals.submitted(answer)

    def jobs(self, user: str) -> Dialogue[list[Job] | NoReply]:
        """Ask for all of a user's jobs that wait or run, the elements of arrays one by one."""
        return _jobs(user, ended=False)

    def find(self, token: str, user: str) -> Dialogue[str | NoReply | None]:
        """Ask for the job that has a token in its variables, also one that ended within keep_completed seconds.

        Of several (a job was submitted twice) a living one is named, and of those the first.
        """
        found = yield from _jobs(user, ended=True)
        if isinstance(found, NoReply):
            return found
        ours = [job for job in found if job.token == token]
        alive = [job for job in ours if job.state != "GONE"]
        return min((job.job for job in alive or ours), key=numeral, default=None)

    def cancelled_query(self, job: str) -> tuple[list[str], str]:
        """Return what prints all about an array's elements while the server remembers them, and what says deleted."""
        return list(queue.details([job])[0].argv), CANCELLED

    def ended(self, jobs: list[str]) -> Dialogue[list[Ended] | NoReply]:
        """Ask how jobs ended; the server forgets them keep_completed seconds later, at many sites at once."""
        return _details([job for job in jobs if job_id(job)], queue.endings)

    def cancel(self, jobs: list[str]) -> Dialogue[str]:
        """Cancel jobs with all their elements; qdel complains about those that have ended, which is not wrong."""
        known = [job for job in jobs if job_id(job)]
        if not known:
            return ""
        answer = yield Command(argv=("qdel", *known), timeout=60.0, unset=queue.UNSET)
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
        """Ask how a user's jobs ended that the server still remembers, keep_completed seconds long."""
        numbers = yield from _numbers(user, ended=True)
        if isinstance(numbers, NoReply):
            return numbers
        ends = yield from _details(numbers, queue.endings)
        return ends

    def details(self, job: str) -> Dialogue[list[Details] | NoReply]:
        """Ask where a job works and writes, an element each; nothing where nobody knows such a job."""
        found = yield from _details([job] if job_id(job) else [], queue.details_of)
        if found == [] and job.isdigit():  # an array without its brackets
            found = yield from _details([f"{job}[]"], queue.details_of)
        return found

    def queues(self, _user: str, /) -> Dialogue[list[QueueState] | NoReply]:
        """Ask which queues there are. TORQUE does not say what is free in them."""
        answer = yield queues.QUESTION
        return queues.states(answer.stdout) if answer.status == 0 else NoReply(refusals.understood(answer)[0])

    def estimate_start(self, _queue: QueueState, /) -> Dialogue[Start | SubmissionRefused | NoReply]:
        """Say that TORQUE cannot say when a job would start."""
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
    return NoReply("TORQUE does not say when a job would start")


def _jobs(user: str, *, ended: bool) -> Dialogue[list[Job] | NoReply]:
    """Ask for a user's jobs, also those that have `ended` and are remembered."""
    numbers = yield from _numbers(user, ended=ended)
    if isinstance(numbers, NoReply):
        return numbers
    found = yield from _details(numbers, queue.rows)
    return found


def _numbers(user: str, *, ended: bool) -> Dialogue[list[str] | NoReply]:
    answer = yield queue.user_jobs(user)
    if answer.status != 0:
        return NoReply(refusals.understood(answer)[0])
    found = listed(answer.stdout)
    if found is None:
        return NoReply(f"qstat's answer cannot be read: {answer.stdout.strip()[:200]!r}")
    return [number for number, letter in found if ended or letter != "C"]


def _details(
    numbers: Sequence[str], read: Callable[[str, Sequence[str]], list[T]]
) -> Dialogue[list[T] | NoReply]:
    """Ask for all about some jobs; those that are gone by now are left out."""
    found: list[T] = []
    for question in queue.details(numbers):
        answer = yield question
        if answer.status not in (0, UNKNOWN_JOB):
            return NoReply(refusals.understood(answer)[0])
        found += read(answer.stdout, numbers)
    return found


def _all_ended(answer: Answer) -> bool:
    """Tell whether qdel complains about nothing but jobs that have ended."""
    lines = [line for line in answer.stderr.splitlines() if line.strip()]
    ended = ("nonexistent job id", "Unknown Job Id", "state for job - COMPLETE")
    return answer.status in (UNKNOWN_JOB, WRONG_STATE) and all(
        any(one in line for one in ended) for line in lines
    )
