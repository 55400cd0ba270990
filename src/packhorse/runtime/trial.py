"""One task in the foreground, as `packhorse try` runs it: with the terminal's input and output."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from msgspec import Struct

from packhorse.runtime.guarded import guarded
from packhorse.runtime.sandbox import Sandbox
from packhorse.worker.results.refusal import NoResult
from packhorse.worker.results.result import LARGEST, ResultFiles, result_files, result_from_output
from packhorse.worker.space import Space
from packhorse.worker.tasks.environment import task_environment, write_task_json
from packhorse.worker.tasks.parameter_files import write_parameter_files
from packhorse.worker.tasks.task import Task, fill_command


class Trial(Struct, frozen=True, kw_only=True):
    """One task in the foreground: its exit status, and its result as the worker judges it.

    `cause` is why a result is missing or refused; `result` is its name and content, and `record` what a worker records.
    """

    status: int
    cause: str = ""
    result: tuple[str, bytes] | None = None
    record: dict[str, Any] = {}


def run_in_foreground(sandbox: Sandbox, frozen: dict[str, Any], index: int) -> Trial:
    """Run one task with the terminal's input and output; `frozen` is the parameter space as in its file."""
    work, space = sandbox.work, Space(frozen)
    task = Task(work, space, sandbox.folders, index)
    write_parameter_files(task, work["files"])
    if task.checkpoint:
        Path(task.checkpoint).mkdir(parents=True, exist_ok=True)
    kind = work["result"]["kind"]
    files = result_files(work, task) if kind == "file" else None
    if files:
        files.prepare()
    variables = task_environment(task, sandbox.environment)
    write_task_json(task)
    commands = [_task_argv(work, task)]
    if work["result"].get("convert"):
        commands.append(fill_command(work["result"]["convert"], task))
    status, printed = 0, b""
    for argv in commands:
        if not status:
            status, printed = _run_shown(argv, sandbox.folder, variables, keep=kind in ("auto", "json"))
    return Trial(status=status) if status else _judged(sandbox, files, printed)


def _judged(sandbox: Sandbox, files: ResultFiles | None, printed: bytes) -> Trial:
    """Return the trial of a task that succeeded, with its result as the worker takes it."""
    kind = sandbox.work["result"]["kind"]
    given = Path(sandbox.folders.root, "output")
    if not files and given.exists():
        files = ResultFiles({}, [str(given)], ["json"])
    record: dict[str, Any] = {}
    packed = None
    try:
        if files:
            packed = files.take(record)
        elif kind in ("auto", "json"):
            packed, _ = result_from_output(record, printed, kind)
    except NoResult as reason:
        return Trial(status=0, cause=str(reason))
    content = record["text"].encode() if "text" in record else packed
    result = None  # the last line is on the terminal already
    if files and content is not None:
        result = (" and ".join(map(os.path.basename, files.paths)), content)
    if packed is not None:
        record["text"] = packed.decode("utf-8", "surrogateescape")
    return Trial(status=0, cause=record.get("cause", ""), result=result, record=record)


def _run_shown(argv: list[str], folder: str, variables: dict[str, str], *, keep: bool) -> tuple[int, bytes]:
    """Run a command in the terminal; return its exit status, and with `keep` the end of what it printed."""
    program = shutil.which(argv[0], path=variables.get("PATH", os.defpath)) or argv[0]
    if not keep:
        with guarded([program, *argv[1:]], folder, variables) as process:
            status = process.wait()
        return status, b""
    # Both streams come through here, since a line of one must not overtake an earlier line of the other.
    pipe = subprocess.PIPE
    with guarded([program, *argv[1:]], folder, variables, stdout=pipe, stderr=pipe) as process:
        printed = _relay(process)
        status = process.wait()
    return status, printed


def _relay(process: subprocess.Popen[bytes]) -> bytes:
    """Show what a process prints until it closes its streams; return the end of its standard output."""
    assert process.stdout is not None
    assert process.stderr is not None
    printed = b""
    targets = {process.stdout.fileno(): sys.stdout, process.stderr.fileno(): sys.stderr}
    while targets:
        ready = select.select(targets, [], [])[0]
        # Where both are ready, the output was there first: errors are read when they arrive.
        for descriptor in (one for one in (process.stdout.fileno(), process.stderr.fileno()) if one in ready):
            data = os.read(descriptor, 1 << 16)
            if not data:
                del targets[descriptor]
                continue
            targets[descriptor].buffer.write(data)
            targets[descriptor].flush()
            if descriptor == process.stdout.fileno():
                printed = (printed + data)[-LARGEST:]
    return printed


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
    "value = function(**arguments)\n"
    "print(value)\n"
    "from packhorse.task_values import plain\n"
    "json.dumps(value, default=plain)\n"
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
