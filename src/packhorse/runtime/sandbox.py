"""Sandbox for checks and trial tasks: a working copy of the snapshot with the environment of a task."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from msgspec import Struct

from packhorse.runtime.guarded import run_guarded
from packhorse.worker.tasks.environment import base_environment
from packhorse.worker.tasks.slot_folders import SlotFolders, make_image
from packhorse.worker.work_file import with_directory


class Sandbox(Struct, frozen=True, kw_only=True):
    """A working copy of the snapshot, and the environment variables of tasks in it."""

    work: Any  # a work file as a worker uses it
    folders: SlotFolders
    environment: dict[str, str]

    @property
    def folder(self) -> str:
        """The folder of the working copy in which tasks start."""
        return self.folders.start


class CommandResult(Struct, frozen=True, kw_only=True):
    """Result of a command; status None where it timed out or could not start, with the reason in `how`."""

    status: int | None
    how: str
    output: str
    seconds: float


def create_sandbox(work: dict[str, Any], run: Path, scratch: Path) -> Sandbox:
    """Create a working copy under `scratch`."""
    full = with_directory(work, str(run))
    folders = SlotFolders(str(scratch), 0, full)
    folders.make(make_image(full, str(run / full["snapshot"]), str(scratch)))
    return Sandbox(work=full, folders=folders, environment=base_environment(full, folders, dict(os.environ)))


def run_in_sandbox(argv: list[str], sandbox: Sandbox, seconds: float) -> CommandResult:
    """Run a command in a sandbox, for at most `seconds`."""
    begun = time.monotonic()
    program = shutil.which(argv[0], path=sandbox.environment.get("PATH", os.defpath)) or argv[0]
    try:
        done = run_guarded(
            [program, *argv[1:]], sandbox.folder, sandbox.environment, seconds, stderr=subprocess.STDOUT
        )
    except subprocess.TimeoutExpired:
        return CommandResult(
            status=None, how=f"did not exit within {seconds:g} s", output="", seconds=seconds
        )
    except OSError as error:
        return CommandResult(status=None, how="could not be started", output=str(error), seconds=0.0)
    return CommandResult(
        status=done.returncode,
        how=f"failed with exit status {done.returncode}",
        output=done.stdout.decode("utf-8", "replace"),
        seconds=round(time.monotonic() - begun, 3),
    )
