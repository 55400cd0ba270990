"""Running commands without starting an interpreter for each.

A server imports Packhorse once and forks for every command. A command is still a process of its own, with its own
directory, environment, session and exit status. Only the start of Python and the imports are shared, which take half of
the CPU time of a small run; tests/house/test_start.py and the pages of docs/ start the installed program.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import json
import os
import select
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

COMMAND = str(Path(sys.executable).with_name("packhorse"))
# Python and libraries read these variables when they start: each value of them has a server of its own.
READ_AT_START = ("PYTHON", "LC_", "LANG", "LD_", "MALLOC_", "POLARS_", "RAYON_", "TZ")
MAX_BYTES = 1 << 16  # of standard input, which is written to a pipe at once


class Used:
    """CPU seconds of all commands and of what they waited for, which the test's own process does not see."""

    seconds = 0.0


def run_command(
    words: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    input: str | None = None,  # noqa: A002 - the word of subprocess.run
    merged: bool = False,
    timeout: float,
) -> subprocess.CompletedProcess[str]:
    """Run `packhorse WORDS` in a session of its own until its output ends; `merged` has its errors in the output.

    Raises subprocess.TimeoutExpired, with what was printed, after killing the command's process group.
    """
    argv = [COMMAND, *words]
    with contextlib.ExitStack() as pipes:
        ours, theirs = [], []
        for _ in ("output", "errors", "status"):
            reader, writer = os.pipe()
            ours.append(pipes.enter_context(os.fdopen(reader, "rb", buffering=0)))
            theirs.append(writer)
        stdin, typed = os.pipe()
        os.write(typed, (input or "").encode()[:MAX_BYTES])
        os.close(typed)
        request = json.dumps({"argv": argv, "cwd": str(cwd), "env": dict(env)}).encode()
        fds = [stdin, theirs[0], theirs[0] if merged else theirs[1], theirs[2]]
        socket.send_fds(_server(_start_variables(env)), [request], fds)
        for fd in (stdin, *theirs):
            os.close(fd)
        pid = int(ours[2].readline())
        output, errors, told = _read_all(ours, time.monotonic() + timeout)
    texts = [text.decode().replace("\r\n", "\n") for text in (output, errors)]
    if not told:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        raise subprocess.TimeoutExpired(argv, timeout, *texts)
    status, seconds = json.loads(told)
    Used.seconds += seconds
    return subprocess.CompletedProcess(argv, status, *texts)


def _read_all(files: Sequence[IO[bytes]], until: float) -> list[bytes]:
    """Read files side by side to their ends, or until a time."""
    found = [b""] * len(files)
    with selectors.DefaultSelector() as selector:
        for number, file in enumerate(files):
            selector.register(file, selectors.EVENT_READ, number)
        while selector.get_map():
            ready = selector.select(max(0.0, until - time.monotonic()))
            if not ready:
                break
            for key, _ in ready:
                piece = os.read(key.fd, 1 << 16)
                found[key.data] += piece
                if not piece:
                    selector.unregister(key.fileobj)
    return found


def _start_variables(env: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, value) for name, value in env.items() if name.startswith(READ_AT_START)))


@functools.cache
def _server(variables: tuple[tuple[str, str], ...]) -> socket.socket:
    """Start a server; it ends when this process has closed the socket, at the latest by its own end."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, __file__, str(theirs.fileno())],
            cwd="/",
            env={"PATH": os.environ["PATH"], **dict(variables)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
    process.returncode = 0  # nobody waits for it
    return ours


def serve(requests: socket.socket) -> dict[str, Any]:
    """Fork for each request; return it in the child, ready to run."""
    poll = select.poll()
    poll.register(requests.fileno(), select.POLLIN)
    running: dict[
        int, tuple[int, int]
    ] = {}  # by the descriptor of a process: its number, where its status goes
    while True:
        for ready, _ in poll.poll():
            if ready in running:
                pid, told = running.pop(ready)
                _, status, used = os.wait4(pid, 0)
                seconds = round(used.ru_utime + used.ru_stime, 4)
                with contextlib.suppress(BrokenPipeError):
                    os.write(told, json.dumps([os.waitstatus_to_exitcode(status), seconds]).encode())
                poll.unregister(ready)
                os.close(ready)
                os.close(told)
                continue
            text, fds, _, _ = socket.recv_fds(requests, 1 << 20, 4)
            if not text:
                sys.exit()
            pid = os.fork()
            if pid == 0:
                for one, (_, told) in running.items():
                    os.close(one)
                    os.close(told)
                requests.close()
                request: dict[str, Any] = json.loads(text)
                prepare(request, fds)
                return request
            process = os.pidfd_open(pid)
            os.write(fds[3], f"{pid}\n".encode())
            running[process] = (pid, fds[3])
            poll.register(process, select.POLLIN)
            for fd in fds[:3]:
                os.close(fd)


def prepare(request: dict[str, Any], fds: list[int]) -> None:
    """Make this process what a started program is."""
    os.setsid()
    for target, fd in enumerate(fds[:3]):
        os.dup2(fd, target)
    for fd in fds:
        os.close(fd)
    os.chdir(request["cwd"])
    at_start = dict(_start_variables(os.environ))  # Python itself may have set LC_CTYPE (PEP 538)
    os.environ.clear()
    os.environ.update({**request["env"], **at_start})
    sys.argv = request["argv"]


def load() -> None:
    """Import what commands import."""
    import click
    import polars  # noqa: F401
    import ruamel.yaml  # noqa: F401

    from packhorse.cli.commands import packhorse

    groups: list[click.Group] = [packhorse]
    while groups:
        group = groups.pop()
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            if isinstance(command, click.Group):
                groups.append(command)
    gc.collect()
    gc.freeze()  # the children copy no pages only to look for garbage


def end_quickly() -> None:
    """Run the command and exit as Python does, but for taking down each of its modules, which takes 20 ms."""
    from packhorse.cli import main

    try:
        main()
    except SystemExit as ended:
        threading._shutdown()  # type: ignore[attr-defined] # noqa: SLF001 - as processes of multiprocessing end
        atexit._run_exitfuncs()  # noqa: SLF001
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(ended.code if isinstance(ended.code, int) else 1)


if __name__ == "__main__":
    sys.path[0] = str(Path(COMMAND).parent)  # as the installed program has it
    load()
    serve(socket.socket(fileno=int(sys.argv[1])))
    end_quickly()
