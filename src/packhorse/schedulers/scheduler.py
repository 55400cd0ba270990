"""The protocol of a scheduler dialect. A dialogue yields a command, receives its answer, and returns what it means."""

from __future__ import annotations

from typing import Literal, Protocol

from msgspec import Struct

from packhorse.model.command import Answer, Command, Dialogue
from packhorse.model.job import (
    Details,
    Ended,
    HeadOptions,
    Job,
    Request,
    SubmissionRefused,
    SubmissionUnknown,
    Submitted,
)
from packhorse.model.queues import QueueState, Start
from packhorse.model.site_facts import SiteFacts
from packhorse.schedulers.script import Shell, Variables
from packhorse.schedulers.script_headers import ScriptHeader

__all__ = ["Answer", "Command", "Dialogue", "NoReply", "Scheduler"]


class NoReply(Struct, frozen=True):
    """The scheduler did not answer a question; that is never an empty queue."""

    why: str


class Scheduler(Protocol):
    """A dialect. Every dialogue returns a value for any answer of a scheduler; none raises."""

    name: str
    programs: tuple[str, ...]  # that it needs on the PATH
    variables: Variables
    shell: Shell
    memory_words: tuple[str, ...]  # in a job's output, in lower case: it was killed because of its memory
    node_words: tuple[str, ...]  # in a refusal, in lower case: a node to exclude is unknown
    final_refusals: tuple[str, ...]  # regular expressions of refusals for size or time, which stay refused
    ending_words: frozenset[str]  # words of `Job.word`: it has been ended, and its last files are written
    purge: str  # the command with which the site's staff removes a job, with JOB and NODE in it
    # Variables to remove from the environment of `submit_argv` and `cancelled_query`: they would change the meaning.
    unset: tuple[str, ...]
    not_in_names: str  # a regular expression: the characters that a job's name cannot have

    # --- Job scripts ---

    def directives(self, request: Request) -> list[str]:
        """Return the scheduler's lines at the beginning of a job script."""

    def startup_lines(self, output: str, /) -> list[str]:
        """Return the first shell lines of a job script: what this scheduler leaves to its jobs.

        `output` is the path of the job's output, in which {wave} and {element} are replaced by the numbers.
        """

    def unsupported(self, request: Request) -> list[str]:
        """Return a sentence for each part of a request that `directives` cannot express."""

    def charged_options(self, options: tuple[str, ...], /) -> tuple[str, ...]:
        """Return those of a user's options that say who is charged and what is reserved: account, project, group, QOS.

        They go with every job of a run, also with those that are not waves.
        """

    def contradictions(self, options: tuple[str, ...], /) -> list[str]:
        """Return a sentence for each of a user's options that contradicts what a study's jobs are given."""

    def threads(self, request: Request) -> str:
        """Return the shell word, in double quotes, for the number of cores of one of a job's processes."""

    def read_header(self, text: str) -> ScriptHeader:
        """Return what the header of a user's script asks for, as far as it is understood."""

    # --- Submitting ---

    def submit_argv(self, script: str, arguments: list[str], request: Request) -> list[str]:
        """Return the argv that submits a script; its options override the script's directives."""

    def submit_template(self, request: Request, *, after: bool = False) -> list[str]:
        """Return the argv of `submit_argv` with the placeholders of worker/waves/scheduler_commands.py.

        `after` is for the job that follows a wave: it is not an array, and its script takes only the wave.
        """

    def release_argv(self, job: str, /) -> list[str]:
        """Return the argv that releases a wave; empty where `submit_template` does not hold it.

        A wave is held where its scheduler refuses, or deletes, a job that depends on one that has ended.
        """

    def submit_script_argv(self, script: str, arguments: list[str], token: str, name: str = "") -> list[str]:
        """Return the argv that submits a user's script, whose own header says what it asks for."""

    def head_option_argv(self, wanted: HeadOptions) -> list[str]:
        """Return the options of a submission that overrule those in the script's head.

        Raises UsageError for one that this scheduler cannot overrule.
        """

    def notification_argv(self, script: str) -> list[str]:
        """Return the argv that submits a script as a job whose name is the {text} of an email about it."""

    def interactive_argv(self, request: Request) -> list[str]:
        """Return the argv that waits for a job and opens a shell in it."""

    def read_submission(self, answer: Answer) -> Submitted | SubmissionRefused | SubmissionUnknown:
        """Read the answer to `submit_argv`."""

    # --- Job numbers ---

    def is_job(self, word: str) -> bool:
        """Return whether a word is the number of a job, or of an element of an array."""

    def split(self, word: str) -> tuple[str, int | None]:
        """Return a job's number, as `Job.job` has it, and that of the element; None: the whole job."""

    def same_job(self, typed: str, job: str) -> bool:
        """Return whether a number that a user typed, as `split` returns it, is that of a job, as `Job.job` has it."""

    def element_of(self, job: str, element: int) -> str:
        """Return the number of an element of an array."""

    # --- Jobs ---

    def jobs(self, user: str) -> Dialogue[list[Job] | NoReply]:
        """Ask for all of a user's jobs that wait or run."""

    def find(self, token: str, user: str) -> Dialogue[str | NoReply | None]:
        """Ask for the number of the job that has a token: one that waits, runs or has just ended; None: no such job.

        Of several (a job was submitted twice), the first one that has not ended is returned, else the first.
        """

    def ended(self, jobs: list[str]) -> Dialogue[list[Ended] | NoReply]:
        """Ask the accounting, where there is one, how jobs ended; those it does not know are absent."""

    def cancelled_query(self, job: str) -> tuple[list[str], str]:
        """Return an argv that prints how an array's elements ended, and the pattern of a cancelled one.

        The pattern is searched for in each part of the output, parts being separated by empty lines; ^ and $ match at
        lines.
        """

    def cancel(self, jobs: list[str]) -> Dialogue[str]:
        """Cancel jobs; return what went wrong, or "". A job that has ended is not an error."""

    def history(self, user: str, days: int, /) -> Dialogue[list[Ended] | NoReply]:
        """Ask how all of a user's jobs of the last days ended, as far as the scheduler still knows."""

    def details(self, job: str, script: str = "", /) -> Dialogue[list[Details] | NoReply]:
        """Ask where a job works and writes, an element each; nothing where the scheduler does not know the job.

        `script` is the text of its script, whose directives name files that an accounting may not have.
        """

    def script_outputs(self, job: str, script: str, folder: str, user: str, name: str, /) -> list[Details]:
        """Return where the elements of an array write, by the directives of its script; nothing where that is not known.

        `name` is the script's file name, which a job has without one of its own.
        """

    # --- Queues and the site ---

    def queues(self, user: str, /) -> Dialogue[list[QueueState] | NoReply]:
        """Ask which queues there are, what is free in them, and which of them the user may use."""

    def estimate_start(self, queue: QueueState, /) -> Dialogue[Start | SubmissionRefused | NoReply]:
        """Ask when a small job would start in a queue, without submitting one; NoReply where a scheduler cannot say."""

    def profile(self, user: str, /) -> Dialogue[SiteFacts | NoReply]:
        """Ask for partitions, nodes and limits; nothing is changed."""

    # --- Why a job waits ---

    def explain_reason(self, word: str) -> str:
        """Return why a job waits, in plain words."""

    def wait_kind(self, word: str) -> Literal["waiting", "held", "dependent"]:
        """Return by a job's reason whether it waits for its turn, is held, or waits for another job."""

    def never_starts(self, word: str) -> bool:
        """Return by a job's reason whether it can never start, whatever ends or is released."""

    def remedy(self, word: str) -> str:
        """Return what ends a wait that lasts until a user acts, with JOB and RUN for both; "" where it may end by itself."""
