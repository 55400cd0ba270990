"""A talk with a machine: a generator that yields a command, receives its answer, and returns what it means."""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol, TypeAlias, TypeVar

from msgspec import Struct, field

from packhorse.model.job import Ended, Job, Refused, Request, Submitted, Unsure


class Command(Struct, frozen=True, kw_only=True):
    """A command of a scheduler; `timeout` in seconds, since its clients can hang for a minute."""

    argv: tuple[str, ...]
    timeout: float = 30.0
    env: dict[str, str] = field(default_factory=dict)  # added to the environment
    unset: tuple[str, ...] = ()  # names, or beginnings that end with *, taken from the environment


class Answer(Struct, frozen=True, kw_only=True):
    """What a command said. `status` is None when it did not end in time or could not be started."""

    status: int | None
    stdout: str = ""
    stderr: str = ""


T = TypeVar("T")
Talk: TypeAlias = Generator[Command, Answer, T]


class Silent(Struct, frozen=True):
    """The scheduler did not answer a question; that is never an empty queue."""

    why: str


class Scheduler(Protocol):
    """A dialect. Every talk returns a value for anything that a scheduler may say; none raises."""

    name: str

    def directives(self, request: Request) -> list[str]:
        """Return the lines at the head of a job script."""

    def submit(self, script: str, arguments: list[str], request: Request) -> list[str]:
        """Return the argv that submits a script; what the command line says overrules the script's head."""

    def submitted(self, answer: Answer) -> Submitted | Refused | Unsure:
        """Read the answer to `submit`."""

    def jobs(self, user: str) -> Talk[list[Job] | Silent]:
        """Ask for all of a user's jobs that wait or run."""

    def ended(self, jobs: list[str]) -> Talk[list[Ended] | Silent]:
        """Ask the accounting, where there is one, how jobs ended; those it does not know are absent."""

    def cancel(self, jobs: list[str]) -> Talk[str]:
        """Cancel jobs; return what went wrong, or nothing. A job that has ended is not wrong."""

    def reason(self, word: str) -> str:
        """Return why a job waits, in plain words."""
