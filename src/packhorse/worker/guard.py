"""A guard between Packhorse and a command of the user: it ends all that the command started when Packhorse has ended.

It stays in the terminal's foreground with the command, which reads the terminal as if there were no guard. A socket
connects it with Packhorse: it receives the command, and it closes when Packhorse ends, in whatever way.
"""

import json
import os
import resource
import select
import signal
import socket
import sys
import time

from packhorse.worker import process
from packhorse.worker.slots import usage
from packhorse.worker.slots.running_command import GRACE

# Sent to the whole foreground by a terminal, or to our group: Packhorse decides what they mean, by closing the socket.
LEFT_TO_PACKHORSE = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def main(descriptor: int) -> None:
    """Run one command, and exit as it did."""
    for number in LEFT_TO_PACKHORSE:
        signal.signal(number, signal.SIG_IGN)
    wakes, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    process.adopt_orphans()
    os.set_inheritable(descriptor, False)
    link = socket.socket(fileno=descriptor)
    leader = _start(link)
    if leader:
        status = _wait(leader, link, wakes)
        process.end_orphans()
        _exit_alike(status)


def _start(link: socket.socket) -> int:
    """Start the command that Packhorse sends; return 0 if that cannot be, after reporting why."""
    text = b""
    while not text.endswith(b"\n"):
        data = link.recv(1 << 16)
        if not data:
            return 0  # Packhorse has ended
        text += data
    order = json.loads(text.decode("ascii"))
    environ = {os.fsencode(name): os.fsencode(value) for name, value in order["environ"].items()}
    try:
        return process.fork_exec(order["path"], order["argv"], environ, session=False)
    except OSError as error:
        link.sendall(b"%d" % (error.errno or 0))
        return 0


def _wait(leader: int, link: socket.socket, wakes: int) -> int:
    """Wait for the command, and end it once Packhorse has ended; return its status."""
    gone_at = 0.0
    watched = [link.fileno(), wakes]
    while True:
        pid, status = os.waitpid(leader, os.WNOHANG)
        if pid:
            return status
        if link.fileno() in select.select(watched, [], [], 0.1 if gone_at else None)[0]:
            watched, gone_at = [wakes], time.monotonic()
            _signal_all(leader, signal.SIGTERM)
        elif gone_at and time.monotonic() - gone_at > GRACE:
            _signal_all(leader, signal.SIGKILL)
        while wakes in select.select([wakes], [], [], 0)[0]:
            os.read(wakes, 1024)


def _signal_all(leader: int, number: int) -> None:
    for pid in {leader, *usage.below(process.children(os.getpid()))}:
        try:
            os.kill(pid, number)
        except OSError:
            pass  # it has just ended


def _exit_alike(status: int) -> None:
    """Exit with the status of the command, or die of the signal that it died of."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the command has left one, if it should
        os.kill(os.getpid(), number)
    sys.exit(os.WEXITSTATUS(status))
