"""Standing where a task stands: a working copy of the snapshot with the task's environment, for checks and trials."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from msgspec import Struct

from packhorse.worker.space import Space
from packhorse.worker.tasks.environment import base_environment, task_environment
from packhorse.worker.tasks.parameter_files import write_parameter_files
from packhorse.worker.tasks.slot_folders import SlotFolders, unpack
from packhorse.worker.tasks.task import Task, fill_template
from packhorse.worker.work_file import with_directory


class Sandbox(Struct, frozen=True, kw_only=True):
    """A working copy, and the environment that tasks have in it."""

    work: Any  # a work file as a worker uses it
    folders: SlotFolders
    environment: dict[str, str]

    @property
    def folder(self) -> str:
        """The study's folder in the working copy."""
        return self.folders.study


class Done(Struct, frozen=True, kw_only=True):
    """How a command ended; status None where it never did or never began."""

    status: int | None
    how: str
    output: str
    seconds: float


def create_sandbox(work: dict[str, Any], run: Path, scratch: Path) -> Sandbox:
    """Make a working copy under `scratch`."""
    full = with_directory(work, str(run))
    folders = SlotFolders(str(scratch), 0, full)
    folders.make(unpack(str(run / full["snapshot"]), str(scratch / "code")), full["links"])
    return Sandbox(work=full, folders=folders, environment=base_environment(full, folders, dict(os.environ)))


def run_here(argv: list[str], standing: Sandbox, seconds: float) -> Done:
    """Run a command in a working copy and wait for it."""
    begun = time.monotonic()
    program = shutil.which(argv[0], path=standing.environment.get("PATH", os.defpath)) or argv[0]
    try:
        done = subprocess.run(
            [program, *argv[1:]],
            cwd=standing.folder,
            env=standing.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Done(status=None, how=f"took over {seconds:g} s", output="", seconds=seconds)
    except OSError as error:
        return Done(status=None, how="cannot start", output=str(error), seconds=0.0)
    return Done(
        status=done.returncode,
        how=f"failed with exit status {done.returncode}",
        output=done.stdout.decode("utf-8", "replace"),
        seconds=round(time.monotonic() - begun, 3),
    )


def run_in_foreground(standing: Sandbox, frozen: dict[str, Any], index: int) -> tuple[int, Path | None]:
    """Run one task with the terminal's own input and output; return its exit status and its result file."""
    work, space = standing.work, Space(frozen)
    task = Task(work, space, standing.folders, index)
    write_parameter_files(task, work["files"])
    if task.checkpoint:
        Path(task.checkpoint).mkdir(parents=True, exist_ok=True)
    target = None
    if work["result"]["kind"] == "file":
        target = Path(standing.folder, fill_template(work["result"]["file"], task))
        target.parent.mkdir(parents=True, exist_ok=True)
    variables = task_environment(task, standing.environment)
    argv = _argv(work, task)
    program = shutil.which(argv[0], path=variables.get("PATH", os.defpath)) or argv[0]
    status = subprocess.call([program, *argv[1:]], cwd=standing.folder, env=variables)
    return status, target


CALL = (
    "import importlib, json, os, sys\n"
    "sys.path[0:0] = json.loads(sys.argv[3])\n"
    "from packhorse import task\n"
    "function = importlib.import_module(sys.argv[1])\n"
    "for name in sys.argv[2].split('.'):\n"
    "    function = getattr(function, name)\n"
    "arguments = json.loads(sys.argv[4])\n"
    "import inspect\n"
    "known = inspect.signature(function).parameters\n"
    "said = json.loads(os.environ['PACKHORSE_TASK'])\n"
    "for name in ('seed', 'seed32', 'replicate', 'index', 'count', 'checkpoint', 'scratch', 'deadline'):\n"
    "    if name in known and name not in arguments:\n"
    "        arguments[name] = said[name]\n"
    "if 'rng' in known and 'rng' not in arguments:\n"
    "    arguments['rng'] = task.rng()\n"
    "print(function(**arguments))\n"
)


def _argv(work: dict[str, Any], task: Task) -> list[str]:
    if not work["function"]:
        return [fill_template(parts, task) for parts in work["command"]]
    import json

    said = work["function"]
    search = json.dumps([*task.folders.search, task.folders.study])
    return [*work["python"], "-c", CALL, said["module"], said["name"], search, json.dumps(task.parameters)]
