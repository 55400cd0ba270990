"""A command of another program, what it said, and a talk of several: values, without input or output."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeAlias, TypeVar

from msgspec import Struct, field


class Command(Struct, frozen=True, kw_only=True):
    """A command of a scheduler; `timeout` in seconds, since its clients can hang for a minute."""

    argv: tuple[str, ...]
    timeout: float = 30.0
    env: dict[str, str] = field(default_factory=dict)  # added to the environment
    folder: str = ""  # in which it starts; nothing: where whoever asks stands
    unset: tuple[str, ...] = ()  # names, or beginnings that end with *, taken from the environment


class Answer(Struct, frozen=True, kw_only=True):
    """What a command said. `status` is None when it did not end in time or could not be started."""

    status: int | None
    stdout: str = ""
    stderr: str = ""


T = TypeVar("T")
Dialogue: TypeAlias = Generator[Command, Answer, T]
