"""The one driver of all talks: starts each command of a talk, and gives the talk its answer."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping

from packhorse.model.command import Answer, Command, Dialogue, T

SLICE = 0.5  # seconds between two looks at whether the command ended while something else holds its output


def run_dialogue(steps: Dialogue[T], run: Callable[[Command], Answer] | None = None) -> T:
    """Lead a talk to its end and return what it means; `run` answers its commands (default: `ask`)."""
    answer_to = run or run_command
    try:
        command = next(steps)
        while True:
            command = steps.send(answer_to(command))
    except StopIteration as end:
        meaning: T = end.value
        return meaning


def run_command(command: Command) -> Answer:
    """Run a command to its end, without input and in the C locale; at its timeout its process group is killed."""
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
            return _listen(process, command)
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)


def command_environment(command: Command, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a command: what is inherited, without what it unsets, in the C locale."""
    beginnings = tuple(name[:-1] for name in command.unset if name.endswith("*"))
    kept = {
        name: value
        for name, value in inherited.items()
        if name not in command.unset and not name.startswith(beginnings)
    }
    kept.pop("LANGUAGE", None)
    return {**kept, "LC_ALL": "C", **command.env}


def _listen(process: subprocess.Popen[bytes], command: Command) -> Answer:
    """Collect what a command says until it ends; a child that keeps its output open is not waited for."""
    give_up = time.monotonic() + command.timeout
    ended = False
    while True:
        try:
            left = max(0.0, give_up - time.monotonic())
            out, err = process.communicate(timeout=min(SLICE, left))
            return _answer(process.returncode, out, err)
        except subprocess.TimeoutExpired as late:
            said = late.stdout or b"", late.stderr or b""
        if ended:  # all that it wrote was there when it ended, and has been read since
            return _answer(process.returncode, *said)
        if time.monotonic() >= give_up:
            late_words = f"{command.argv[0]}: did not answer within {command.timeout:g} s\n".encode()
            return _answer(None, said[0], said[1] + late_words)
        ended = process.poll() is not None


def _answer(status: int | None, out: bytes, err: bytes) -> Answer:
    return Answer(status=status, stdout=out.decode(errors="replace"), stderr=err.decode(errors="replace"))
