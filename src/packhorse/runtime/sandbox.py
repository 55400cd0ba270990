"""Sandbox for checks and trial tasks: a working copy of the snapshot with the environment of a task."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from msgspec import Struct

<<<<<<< HEAD
from packhorse.worker.tasks.environment import base_environment
from packhorse.worker.tasks.slot_folders import SlotFolders, make_image
=======
from packhorse.worker.space import Space
from packhorse.worker.tasks.environment import base_environment, task_environment, write_task_json
from packhorse.worker.tasks.parameter_files import write_parameter_files
from packhorse.worker.tasks.slot_folders import SlotFolders, make_image
from packhorse.worker.tasks.task import Task, fill_command, fill_template
>>>>>>> typed
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
        done = subprocess.run(
            [program, *argv[1:]],
            cwd=sandbox.folder,
            env=sandbox.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=False,
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
<<<<<<< HEAD
=======


def run_in_foreground(sandbox: Sandbox, frozen: dict[str, Any], index: int) -> tuple[int, Path | None]:
    """Run one task with the terminal's input and output; return its exit status and its result file.

    `frozen` is the parameter space as in its file. The path is None for a result from standard output.
    """
    work, space = sandbox.work, Space(frozen)
    task = Task(work, space, sandbox.folders, index)
    write_parameter_files(task, work["files"])
    if task.checkpoint:
        Path(task.checkpoint).mkdir(parents=True, exist_ok=True)
    target = None
    if work["result"]["kind"] == "file":
        target = Path(sandbox.folder, fill_template(work["result"]["file"], task))
        target.parent.mkdir(parents=True, exist_ok=True)
    variables = task_environment(task, sandbox.environment)
    write_task_json(task)
    argv = _task_argv(work, task)
    program = shutil.which(argv[0], path=variables.get("PATH", os.defpath)) or argv[0]
    status = subprocess.call([program, *argv[1:]], cwd=sandbox.folder, env=variables)
    return status, target


FUNCTION_CALL = (
    "import importlib, json, os, sys\n"
    "sys.path[0:0] = json.loads(sys.argv[3])\n"
    "from packhorse import task\n"
    "function = importlib.import_module(sys.argv[1])\n"
    "for name in sys.argv[2].split('.'):\n"
    "    function = getattr(function, name)\n"
    "import inspect\n"
    "known = inspect.signature(function).parameters\n"
    "if 'PACKHORSE_TASK' in os.environ:\n"
    "    facts = json.loads(os.environ['PACKHORSE_TASK'])\n"
    "else:\n"
    "    facts = json.load(open(os.environ['PACKHORSE_TASK_FILE']))\n"
    "arguments = facts['params']\n"
    "for name in ('seed', 'seed32', 'replicate', 'index', 'count', 'checkpoint', 'scratch', 'deadline'):\n"
    "    if name in known and name not in arguments:\n"
    "        arguments[name] = facts[name]\n"
    "if 'rng' in known and 'rng' not in arguments:\n"
    "    arguments['rng'] = task.rng()\n"
    "print(function(**arguments))\n"
)


def _task_argv(work: dict[str, Any], task: Task) -> list[str]:
    function = work["function"]
    if not function:
        return fill_command(work["command"], task)
    search = json.dumps([*task.folders.search, task.folders.study])
    return [
        *work["python"],
        "-c",
        FUNCTION_CALL,
        function["module"],
        function["name"],
        search,
    ]
>>>>>>> typed
