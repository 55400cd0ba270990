"""Driver of scheduler dialogues: run each command that a dialogue yields, and send it the answer."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping

from packhorse.model.command import Answer, Command, Dialogue, T

POLL_SECONDS = 0.5  # between checks whether the command exited while a child keeps its output open


def run_dialogue(steps: Dialogue[T], run: Callable[[Command], Answer] | None = None) -> T:
    """Run a dialogue to its end and return its value; `run` runs its commands (default: `run_command`)."""
    answer_to = run or run_command
    try:
        command = next(steps)
        while True:
            command = steps.send(answer_to(command))
    except StopIteration as end:
        value: T = end.value
        return value


def run_command(command: Command) -> Answer:
    """Run a command without input and in the C locale; kill its process group at its timeout.

    A command that cannot be started or that times out has an answer with status None and a reason in `stderr`.
    """
    try:
        process = subprocess.Popen(
            command.argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=command_environment(command, os.environ),
            cwd=command.folder or None,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        missing = error.filename if error.filename == command.folder else command.argv[0]
        return Answer(status=None, stderr=f"{missing}: not found")
    except OSError as error:
        return Answer(status=None, stderr=f"{command.argv[0]}: could not be started: {error.strerror}")
    with process:
        try:
            return _collect_output(process, command)
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)


def command_environment(command: Command, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a command: `inherited` without the variables it unsets, in the C locale."""
    prefixes = tuple(name[:-1] for name in command.unset if name.endswith("*"))
    variables = {
        name: value
        for name, value in inherited.items()
        if name not in command.unset and not name.startswith(prefixes)
    }
    variables.pop("LANGUAGE", None)
    return {**variables, "LC_ALL": "C", **command.env}


def _collect_output(process: subprocess.Popen[bytes], command: Command) -> Answer:
    """Collect the output of a command until it exits; do not wait for a child that keeps the output open."""
    give_up = time.monotonic() + command.timeout
    exited = False
    while True:
        try:
            left = max(0.0, give_up - time.monotonic())
            out, err = process.communicate(timeout=min(POLL_SECONDS, left))
            return _answer(process.returncode, out, err)
        except subprocess.TimeoutExpired as late:
            out, err = late.stdout or b"", late.stderr or b""
        if exited:  # all of its output was written before it exited, and has been read since
            return _answer(process.returncode, out, err)
        if time.monotonic() >= give_up:
            reason = f"{command.argv[0]}: did not answer within {command.timeout:g} s\n".encode()
            return _answer(None, out, err + reason)
        exited = process.poll() is not None


def _answer(status: int | None, out: bytes, err: bytes) -> Answer:
    return Answer(status=status, stdout=out.decode(errors="replace"), stderr=err.decode(errors="replace"))
