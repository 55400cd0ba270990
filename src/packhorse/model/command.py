"""A command of another program, its reply, and a dialogue of several commands: values without I/O."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeAlias, TypeVar

from msgspec import Struct, field


class Command(Struct, frozen=True, kw_only=True):
    """A command to run. `timeout` is in seconds; clients of a scheduler can hang for a minute."""

    argv: tuple[str, ...]
    timeout: float = 30.0
    env: dict[str, str] = field(default_factory=dict)  # added to the environment
    folder: str = ""  # the working directory; empty: that of the caller
    unset: tuple[str, ...] = ()  # variables to remove from the environment: names, or prefixes such as PBS_*


class Answer(Struct, frozen=True, kw_only=True):
    """The reply to a command. `status` is the exit code; None: it timed out or could not be started."""

    status: int | None
    stdout: str = ""
    stderr: str = ""


T = TypeVar("T")
# A generator that yields commands, receives their answers, and returns what they mean.
Dialogue: TypeAlias = Generator[Command, Answer, T]
