"""Where the tasks of a run execute, as the shared steps of a run see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from packhorse.environments.local import LocalTaskEnvironment
from packhorse.environments.task_environment import TaskEnvironment
from packhorse.project.reporter import Reporter
from packhorse.project.source import Source


class ExecutionTarget(Protocol):
    """This machine, the nodes of a site that share this file system, or a site over ssh."""

    attached: bool  # whether the worker is a child of this command, so that task output can be passed on
    checks_note: str  # where the checks of a study run, if not where its tasks do

    def environment(self, source: Source) -> TaskEnvironment:
        """Return the environment of the tasks."""

    def data_paths(self, source: Source, data: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
        """Return the path of each data file or folder as tasks see it."""

    def upload_data(self, source: Source, data: Mapping[str, Mapping[str, Any]], reporter: Reporter) -> None:
        """Upload the study's data that the target lacks."""

    def claim_wave(self, wave: int) -> bool:
        """Claim a wave where the run lives; return False where another command claimed it first."""


class LocalTarget:
    """This machine, or (`attached` false) nodes that share its file system."""

    checks_note = ""

    def __init__(self, *, attached: bool = True) -> None:
        self.attached = attached

    def environment(self, source: Source) -> TaskEnvironment:
        """Return the environment of this machine."""
        return LocalTaskEnvironment(source)

    def data_paths(self, source: Source, data: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
        """Return the paths of the data here."""
        return {name: str((source.folder / name).resolve()) for name in data}

    def upload_data(self, source: Source, data: Mapping[str, Mapping[str, Any]], reporter: Reporter) -> None:
        """Do nothing: tasks see the data here."""

    def claim_wave(self, wave: int) -> bool:  # noqa: ARG002 - the wave's folder is the claim
        """Return True: the wave's folder here is the claim."""
        return True
