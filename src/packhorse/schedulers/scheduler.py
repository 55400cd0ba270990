"""What every dialect can say and read. A talk yields a command, receives its answer, and returns what it means."""

from __future__ import annotations

from typing import Literal, Protocol

from msgspec import Struct

from packhorse.model.command import Answer, Command, Dialogue
from packhorse.model.job import Details, Ended, Job, Request, SubmissionRefused, SubmissionUnknown, Submitted
from packhorse.model.queues import QueueState, Start
from packhorse.schedulers.script import Shell, Variables
from packhorse.schedulers.script_headers import ScriptHeader

__all__ = ["Answer", "Command", "Dialogue", "NoReply", "Scheduler"]


class NoReply(Struct, frozen=True):
    """The scheduler did not answer a question; that is never an empty queue."""

    why: str


class Scheduler(Protocol):
    """A dialect. Every talk returns a value for anything that a scheduler may say; none raises."""

    name: str
    programs: tuple[str, ...]  # that it needs on the PATH
    variables: Variables
    shell: Shell
    memory_words: tuple[str, ...]  # in a job's output, in lower case: it was killed for its memory as a whole
    node_words: tuple[str, ...]  # in a refusal, in lower case: a node that was to be left out is not known
    # What to take from the environment of `submit` and `asked`, since it would change their meaning.
    unset: tuple[str, ...]
    not_in_names: str  # a regular expression: the characters that a job's name cannot have

    def directives(self, request: Request) -> list[str]:
        """Return the lines at the head of a job script."""

    def startup_lines(self, output: str, /) -> list[str]:
        """Return the shell lines that come first in a job script: what this scheduler leaves to its jobs.

        `output` is the path of the job's output, in which {wave} and {element} stand for the numbers.
        """

    def unsupported(self, request: Request) -> list[str]:
        """Return a sentence for each thing that a user asks for and the head of a script cannot carry as it is."""

    def threads(self, request: Request) -> str:
        """Return what a job's shell calls the number of cores that one of its processes has, in double quotes."""

    def submit_argv(self, script: str, arguments: list[str], request: Request) -> list[str]:
        """Return the argv that submits a script; what the command line says overrules the script's head."""

    def submit_template(self, request: Request, *, after: bool = False) -> list[str]:
        """Return the argv of `submit` with places to be filled (worker/commands.py), and those that the request has.

        `after` is for the job that follows a wave: it is no array, and its script takes the wave alone.
        """

    def release_argv(self, job: str, /) -> list[str]:
        """Return the argv that lets a wave start; nothing where `template` does not hold it back.

        A wave is held back where its scheduler refuses, or forgets, a job that is to follow one that has ended.
        """

    def notification_argv(self, script: str) -> list[str]:
        """Return the argv that submits a script as a job whose name is the {text} of a mail about it."""

    def read_submission(self, answer: Answer) -> Submitted | SubmissionRefused | SubmissionUnknown:
        """Read the answer to `submit`."""

    def jobs(self, user: str) -> Dialogue[list[Job] | NoReply]:
        """Ask for all of a user's jobs that wait or run."""

    def find(self, token: str, user: str) -> Dialogue[str | NoReply | None]:
        """Ask for the number of the job that has a token: one that waits, runs or has just ended; None: no such job."""

    def ended(self, jobs: list[str]) -> Dialogue[list[Ended] | NoReply]:
        """Ask the accounting, where there is one, how jobs ended; those it does not know are absent."""

    def cancelled_query(self, job: str) -> tuple[list[str], str]:
        """Return an argv that prints how an array's elements ended, and a regular expression that finds a cancelled one.

        It is searched for in each part of what is printed, parts being set apart by empty lines; ^ and $ are those of lines.
        """

    def cancel(self, jobs: list[str]) -> Dialogue[str]:
        """Cancel jobs; return what went wrong, or nothing. A job that has ended is not wrong."""

    def is_job(self, word: str) -> bool:
        """Tell whether a word is the number of a job, or of an element of an array."""

    def split(self, word: str) -> tuple[str, int | None]:
        """Return a job's number, as `Job.job` has it, and that of the element; None: the whole job."""

    def same_job(self, typed: str, job: str) -> bool:
        """Tell whether a number that a user typed, as `split` returns it, is that of a job, as `Job.job` has it."""

    def element_of(self, job: str, element: int) -> str:
        """Return the number of an element of an array."""

    def submit_script_argv(self, script: str, arguments: list[str], token: str, name: str = "") -> list[str]:
        """Return the argv that submits a user's script, whose own head says what it asks for."""

    def read_header(self, text: str) -> ScriptHeader:
        """Return what the head of a user's script asks for, as far as it is understood."""

    def history(self, user: str, days: int, /) -> Dialogue[list[Ended] | NoReply]:
        """Ask how a user's jobs of the last days ended, also those of nobody's run, as far as anything still knows."""

    def details(self, job: str) -> Dialogue[list[Details] | NoReply]:
        """Ask where a job works and writes, an element each; nothing where nobody knows such a job."""

    def queues(self, user: str, /) -> Dialogue[list[QueueState] | NoReply]:
        """Ask which queues there are, what is free in them, and which of them the user may use."""

    def estimate_start(self, queue: QueueState, /) -> Dialogue[Start | SubmissionRefused | NoReply]:
        """Ask when a small job would start in a queue, without sending one; Silent where a scheduler cannot say."""

    def explain_reason(self, word: str) -> str:
        """Return why a job waits, in plain words."""

    def wait_kind(self, word: str) -> Literal["waiting", "held", "dependent"]:
        """Return by a job's reason whether it waits for its turn, is held, or waits for another job."""

    def remedy(self, word: str) -> str:
        """Return what to do about a wait that never ends by itself, JOB and RUN standing for both; "" where it may end."""
