"""What qsub, qstat and qdel do alike on TORQUE and OpenPBS; the two dialects are its subclasses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

from packhorse.model.command import Answer, Command, Dialogue
from packhorse.model.job import Details, Ended, Job, Request, SubmissionRefused, SubmissionUnknown, Submitted
from packhorse.model.queues import QueueState, Start
from packhorse.model.site_facts import SiteFacts
from packhorse.schedulers import reply_rules
from packhorse.schedulers.pbs import header, user_options
from packhorse.schedulers.pbs.job_ids import element_of, job_id, listed, numeral, same_job
from packhorse.schedulers.pbs.job_output import FOLLOWS, LAST, WAVE, first_lines
from packhorse.schedulers.pbs.profile import profile
from packhorse.schedulers.pbs.queue import Record
from packhorse.schedulers.pbs.reasons import WaitReasons
from packhorse.schedulers.pbs.refusals import JOB_NUMBER, error_lines
from packhorse.schedulers.reply_rules import Meaning, Verdict
from packhorse.schedulers.scheduler import NoReply
from packhorse.schedulers.script import Shell, Variables
from packhorse.schedulers.script_headers import ScriptHeader, header_words

T = TypeVar("T")
Reader = Callable[[Sequence[Record], Sequence[str]], list[T]]
UNKNOWN_JOB = 153  # PBSE_UNKJOBID, of which a shell sees the last byte
ENDED_STATES = frozenset("CF")  # qstat(1B): C on TORQUE, F on OpenPBS


def variables(element: str) -> Variables:
    """Return what a job's shell calls its numbers; the job of element 26[3].server is the array 26[].server."""
    return Variables(
        element=element,
        job=r'"${PBS_JOBID/\[*\]/[]}"',
        restart="",  # no variable tells a job that it was started before
        wave=WAVE,
        last=LAST,
        follows=FOLLOWS,
    )


def shell(index: str) -> Shell:
    """Return what a user's script needs to know; `index` is the variable with an element's number."""
    return Shell(
        submit="qsub",
        index=index,
        launcher="mpirun",
        own_log="NAME.oNUMBER, written when the job has ended",
        folder=('cd "$PBS_O_WORKDIR" || exit',),
    )


class PBS(ABC):
    """The common part of a dialect with qsub, qstat, qdel and qrls. A subclass says in what its server differs."""

    # What each server has of its own.
    name: str
    title: str  # the server's name in messages
    variables: Variables
    shell: Shell
    memory_words: tuple[str, ...]
    cores_variable: str  # of a job's shell: the cores of its node
    qstat_unset: tuple[str, ...] = ()
    # Exit statuses that mean no more than that some of the jobs have ended, and the messages that come with qdel's.
    qstat_ended: frozenset[int]
    qdel_ended: frozenset[int]
    ended_messages: tuple[str, ...]
    # Finds in qstat's output that an element was cancelled.
    cancelled: str
    meanings: tuple[Meaning, ...]
    reasons: WaitReasons
    final_refusals: tuple[str, ...]
    purge: str
    ending_words: frozenset[str] = frozenset({"E"})

    programs: tuple[str, ...] = ("qsub", "qstat", "qdel", "qrls")
    node_words: tuple[str, ...] = ()
    # PBS_DPREFIX would name other lines than #PBS. Without -V, a job's environment does not reach the jobs it submits.
    unset: tuple[str, ...] = ("PBS_DPREFIX",)
    not_in_names = r"[^\w.+-]"

    # --- What differs ---

    @abstractmethod
    def directives(self, request: Request) -> list[str]:
        """Return the #PBS lines of a job script."""

    @abstractmethod
    def job_list(self, user: str, *, ended: bool) -> Command:
        """Return the question for the numbers of a user's jobs, also of those that have `ended`."""

    @abstractmethod
    def job_details(self, numbers: Sequence[str], *, ended: bool) -> list[Command]:
        """Return the questions for all attributes of some jobs and of each element of an array."""

    @abstractmethod
    def read_records(self, answer: Answer) -> list[Record] | NoReply:
        """Return the jobs of an answer to `job_details` whose status is known not to be an error."""

    @abstractmethod
    def read_jobs(self, records: Sequence[Record], numbers: Sequence[str]) -> list[Job]:
        """Return the jobs that were asked for."""

    @abstractmethod
    def read_ended(self, records: Sequence[Record], numbers: Sequence[str]) -> list[Ended]:
        """Return how the jobs that were asked for ended; those that have not ended are left out."""

    @abstractmethod
    def read_details(self, records: Sequence[Record], numbers: Sequence[str]) -> list[Details]:
        """Return where the jobs that were asked for work and write."""

    def error_lines(self, text: str) -> list[str]:
        """Return the lines of an error message that say what went wrong."""
        return error_lines(text)

    # --- Submitting ---

    def startup_lines(self, output: str, /) -> list[str]:
        """Return the lines that make a job print where its output can be read while it runs."""
        return first_lines(output, self.variables.element)

    def charged_options(self, options: tuple[str, ...], /) -> tuple[str, ...]:
        """Return account, project, group, QOS and reservation among a user's options."""
        return user_options.charged(options)

    def contradictions(self, options: tuple[str, ...], /) -> list[str]:
        """Return a sentence for each of a user's options that a study cannot have."""
        return user_options.contradictions(options)

    def threads(self, request: Request) -> str:
        """Return the cores of a process: those of the job on a node, divided among its processes."""
        if request.tasks == 1:
            return f'"${{{self.cores_variable}:-1}}"'
        return f'"{max(1, request.cores // request.tasks)}"'

    def release_argv(self, job: str, /) -> list[str]:
        """Return the argv that releases a wave.

        A wave is submitted held: on TORQUE a job that depends on an array that has ended is refused, or waits for ever;
        on OpenPBS a job that depends on an unknown one is accepted and deleted.
        """
        return ["qrls", job]

    def interactive_argv(self, request: Request) -> list[str]:
        """Return the argv that waits for a job and opens its shell; qsub(1B), -I."""
        return ["qsub", "-I", *header_words(self.directives(request))]

    def read_submission(self, answer: Answer) -> Submitted | SubmissionRefused | SubmissionUnknown:
        """Read qsub's answer. A site's own notices may precede the number."""
        return reply_rules.submitted(answer, JOB_NUMBER.findall(answer.stdout), *self._error(answer))

    def read_header(self, text: str) -> ScriptHeader:
        """Return what the #PBS lines of a user's script ask for."""
        return header.read_header(text)

    # --- Job numbers ---

    def is_job(self, word: str) -> bool:
        """Return whether a word is the number of a job, an array or an element: 26, 26[], 26[3], with the server or not."""
        return job_id(word) is not None

    def split(self, word: str) -> tuple[str, int | None]:
        """Return a job's number, of an element that of its array, and the number of the element."""
        found = job_id(word)
        return (found.job, found.element) if found else (word, None)

    def same_job(self, typed: str, job: str) -> bool:
        """Return whether a number, with the server and the brackets of an array or without, is that of a job."""
        return same_job(typed, job)

    def element_of(self, job: str, element: int) -> str:
        """Return the number of an element of an array: 26[3].server."""
        return element_of(job, element)

    # --- Jobs ---

    def jobs(self, user: str) -> Dialogue[list[Job] | NoReply]:
        """Ask for all of a user's jobs that wait or run, the elements of arrays one by one."""
        return self._user_jobs(user, self.read_jobs, ended=False)

    def history(self, user: str, _days: int, /) -> Dialogue[list[Ended] | NoReply]:
        """Ask how a user's jobs ended, as long as the server remembers them."""
        return self._user_jobs(user, self.read_ended, ended=True)

    def ended(self, jobs: list[str]) -> Dialogue[list[Ended] | NoReply]:
        """Ask how jobs ended, as long as the server remembers them; NoReply where it keeps no history."""
        return self._jobs([job for job in jobs if job_id(job)], self.read_ended, ended=True)

    def details(self, job: str, _script: str = "") -> Dialogue[list[Details] | NoReply]:
        """Ask where a job works and writes, an element each; nothing where the server does not know the job."""
        found = yield from self._jobs([job] if job_id(job) else [], self.read_details, ended=True)
        if found == [] and job.isdigit():  # an array without its brackets
            found = yield from self._jobs([f"{job}[]"], self.read_details, ended=True)
        return found

    def script_outputs(self, _job: str, _script: str, _folder: str, _user: str, _name: str) -> list[Details]:
        """Return nothing: qstat names the files of each element."""
        return []

    def cancel(self, jobs: list[str]) -> Dialogue[str]:
        """Cancel jobs with all their elements; errors about jobs that have ended do not count."""
        known = [job for job in jobs if job_id(job)]
        if not known:
            return ""
        answer = yield Command(argv=("qdel", *known), timeout=60.0, unset=self.qstat_unset)
        return "" if answer.status == 0 or self._all_ended(answer) else self._error(answer)[0]

    def _all_ended(self, answer: Answer) -> bool:
        lines = [line for line in answer.stderr.splitlines() if line.strip()]
        return answer.status in self.qdel_ended and all(
            any(message in line for message in self.ended_messages) for line in lines
        )

    def cancelled_query(self, job: str) -> tuple[list[str], str]:
        """Return what prints all attributes of an array's elements, and the pattern of a cancelled one."""
        return list(self.job_details([job], ended=True)[0].argv), self.cancelled

    # --- Queues and the site ---

    def estimate_start(self, _queue: QueueState, /) -> Dialogue[Start | SubmissionRefused | NoReply]:
        """Return NoReply: qsub does not estimate a start."""
        yield from ()
        return NoReply(f"{self.title} does not say when a job would start")

    def profile(self, user: str, /) -> Dialogue[SiteFacts | NoReply]:
        """Ask for queues, nodes and limits."""
        return profile(user)

    # --- Why a job waits ---

    def explain_reason(self, word: str) -> str:
        """Return why a job waits, in plain words; a comment of the scheduler is returned as it is."""
        return self.reasons.explain(word)

    def wait_kind(self, word: str) -> Literal["waiting", "held", "dependent"]:
        """Return by a reason whether a job waits for its turn, is held, or waits for another job."""
        return self.reasons.wait_kind(word)

    def never_starts(self, word: str) -> bool:
        """Return whether a job with this reason can never start."""
        return self.reasons.never_starts(word)

    def remedy(self, word: str) -> str:
        """Return what ends a wait that lasts until a user acts, with JOB and RUN in it; "" where it may end by itself."""
        return self.reasons.remedy(word)

    # --- Dialogues ---

    def _error(self, answer: Answer) -> tuple[str, Verdict]:
        """Return why a command failed, in plain words followed by its own, and whether to ask again."""
        return reply_rules.understood(answer, self.meanings, self.error_lines)

    def _no_reply(self, answer: Answer) -> NoReply:
        return NoReply(self._error(answer)[0])

    def _user_jobs(self, user: str, read: Reader[T], *, ended: bool) -> Dialogue[list[T] | NoReply]:
        """Ask for the numbers of a user's jobs, then for their attributes: `qstat -f` takes no user's name."""
        answer = yield self.job_list(user, ended=ended)
        if answer.status != 0:
            return self._no_reply(answer)
        rows = listed(answer.stdout)
        if rows is None:
            return unreadable(answer)
        numbers = [number for number, letter in rows if ended or letter not in ENDED_STATES]
        return (yield from self._jobs(numbers, read, ended=ended))

    def _jobs(self, numbers: Sequence[str], read: Reader[T], *, ended: bool) -> Dialogue[list[T] | NoReply]:
        """Ask for the attributes of some jobs; those that have left the server are left out."""
        found: list[T] = []
        for question in self.job_details(numbers, ended=ended):
            answer = yield question
            if answer.status not in (0, *self.qstat_ended):
                return self._no_reply(answer)
            records = self.read_records(answer)
            if isinstance(records, NoReply):
                return records
            found += read(records, numbers)
        return found


def unreadable(answer: Answer) -> NoReply:
    """Return that qstat's answer has a form that is not known."""
    return NoReply(f"qstat's answer cannot be read: {answer.stdout.strip()[:200]!r}")


def first_with_token(jobs: Sequence[Job], token: str) -> str | None:
    """Return the job that has a token; of several (it was submitted twice) the first that waits or runs."""
    ours = [job for job in jobs if job.token == token]
    alive = [job for job in ours if job.state != "GONE"]
    return min((job.job for job in alive or ours), key=numeral, default=None)
