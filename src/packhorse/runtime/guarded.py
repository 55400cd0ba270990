"""Commands of the user that end when this process ends, however it ends: `packhorse.worker.guard` stands between."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

END_SECONDS = 10.0  # for a guard to end its command: longer than it waits after SIGTERM
# The guard runs with this process's Python and variables, whatever the environment of the command is.
GUARD = "import sys; sys.path.insert(0, sys.argv[1]); from packhorse.worker.guard import main; main(int(sys.argv[2]))"


@contextmanager
def guarded(
    argv: Sequence[str],
    folder: str | Path,
    environ: Mapping[str, str],
    *,
    stdin: int | None = None,
    stdout: int | None = None,
    stderr: int | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a command and yield its process; `argv[0]` is a path, the streams are as Popen has them.

    When the block is left, also by an exception, all processes of the command have ended; they end too if this process
    is killed. Raises OSError where the command cannot be started.
    """
    ours, theirs = socket.socketpair()
    with ours, theirs:
        start = [sys.executable, "-S", "-E", "-c", GUARD, str(Path(__file__).resolve().parents[2])]
        start += [str(theirs.fileno())]
        process = subprocess.Popen(
            start, cwd=folder, pass_fds=[theirs.fileno()], stdin=stdin, stdout=stdout, stderr=stderr
        )
        theirs.close()
        with process:
            try:
                order = {"path": argv[0], "argv": list(argv), "environ": dict(environ)}
                ours.sendall(json.dumps(order).encode("ascii") + b"\n")
                yield process
            finally:
                failure = _end(process, ours)
    if failure:
        raise OSError(failure, os.strerror(failure), argv[0])


def _end(process: subprocess.Popen[bytes], link: socket.socket) -> int:
    """End what is left of a command; return the error number with which it did not start, or 0."""
    link.shutdown(socket.SHUT_WR)
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()
    try:
        return int(link.recv(16) or 0)
    except ConnectionResetError:
        return 0


def run_guarded(
    argv: Sequence[str],
    folder: str | Path,
    environ: Mapping[str, str],
    seconds: float,
    *,
    stderr: int = subprocess.PIPE,
) -> subprocess.CompletedProcess[bytes]:
    """Run a command without input to its end and return its output.

    Raises subprocess.TimeoutExpired after `seconds`, OSError where it cannot be started.
    """
    with guarded(
        argv, folder, environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr
    ) as process:
        out, err = process.communicate(timeout=seconds)
    return subprocess.CompletedProcess(list(argv), process.returncode, out, err or b"")
