"""What the environment of tasks offers, on this machine or on a site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from packhorse.runtime.interpreter import Interpreter
from packhorse.runtime.programs import Program


class TaskEnvironment(Protocol):
    """Interpreter, programs and variables of a study's tasks."""

    interpreter: Interpreter
    notes: tuple[str, ...]  # sentences for the user
    path: tuple[str, ...]  # folders to put first on the PATH that tasks inherit

    def program(self, command: tuple[str, ...]) -> Program:
        """Return a command whose first word is resolved to a path."""

    def changed(self) -> dict[str, str]:
        """Return the variables that tasks have beside those that they inherit."""

    def unset(self) -> tuple[str, ...]:
        """Return the variables that tasks do not inherit."""

    def editable(self, argv: tuple[str, ...]) -> Sequence[str]:
        """Return the folders of the project that the interpreter imports from by an editable installation."""

    def provenance(self, argv: tuple[str, ...], data: Mapping[str, Any]) -> dict[str, Any]:
        """Return the provenance of code, data, machine and environment."""
