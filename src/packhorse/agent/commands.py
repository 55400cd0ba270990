"""Running a command on a login node, which ends at its time limit, and when the laptop has gone."""

import os
import select
import signal
import subprocess
import time

from packhorse.agent.paths import to_bytes

POLL_SECONDS = 0.5  # between two looks whether the laptop is still there
# poll(2): the other end of a pipe, or of a socket (Linux), was closed.
CLOSED = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)


def output_of(argv, environ, seconds, folder=None):
    """Run a command without input; return (status, standard output, standard error) in bytes.

    After `seconds` its process group is killed, and the status is None. Raises OSError if it does not start.
    """
    process = subprocess.Popen(
        [to_bytes(word) for word in argv],
        cwd=to_bytes(folder) if folder else None,
        env={to_bytes(name): to_bytes(value) for name, value in environ.items()},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    give_up = time.time() + seconds
    while True:
        try:
            out, err = process.communicate(timeout=max(0.0, min(POLL_SECONDS, give_up - time.time())))
            return process.returncode, out, err
        except subprocess.TimeoutExpired:
            gone = laptop_has_gone()
            if gone or time.time() >= give_up:
                os.killpg(process.pid, signal.SIGKILL)
                out, err = process.communicate()
                if gone:
                    raise SystemExit(1) from None
                return None, out, err


def laptop_has_gone():
    """Return whether our standard input was closed, whatever it still holds."""
    watched = select.poll()
    watched.register(0, CLOSED)
    return any(event & CLOSED for _, event in watched.poll(0))
