"""A warm Python, seen from the launcher: it forks the tasks, waits for them, and tells how they ended."""

import os
import struct

from packhorse.worker import process
from packhorse.worker.warm import reasons
from packhorse.worker.warm.command import Cold, Command
from packhorse.worker.warm.warm_process import FORK_SECONDS, Ended, WarmProcess, server_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from packhorse.worker.warm.warm_process import Ending, Variables

# What wait4(2) has written, as `plain_wait` of python_server.py keeps it: struct rusage (sys/resource.h), and the status.
ENDING = struct.Struct("5l%dxi" % (13 * struct.calcsize("l")))
SERVER = "packhorse_importlib_bootstrap.py"  # see the docstring of python_server.py


class WarmPython(WarmProcess):
    """One warm interpreter, a child of ours, whose children are the tasks."""

    unfit = (
        "PYTHONINSPECT",
        "PYTHONPROFILEIMPORTTIME",
        "PYTHONVERBOSE",
        "PYTHONDUMPREFS",
        "PYTHONMALLOCSTATS",
    )

    def __init__(self, command: Command, program: str, folder: str, variables: "Variables") -> None:
        """Start the interpreter; `folder` is where its file is written, `variables` are the tasks'."""
        WarmProcess.__init__(self, command, variables)
        self.variables = dict(variables)
        self.watched: "list[str]" = []  # files and folders of the environment
        self.stamp: "list[str]" = []  # what they were when the interpreter began
        self.prepared: "tuple[str, str] | None" = None  # path and stamp of the script that it has read
        self.path = os.path.join(os.path.realpath(folder), SERVER)
        if not os.path.exists(self.path):
            with open(self.path, "wb") as stream:
                stream.write(server_source("python_server.py"))
        ours = os.pipe()
        theirs = os.pipe()
        for descriptor in (ours[0], theirs[1]):
            os.set_inheritable(descriptor, True)
        argv = command.interpreter + [self.path, str(ours[0]), str(theirs[1]), command.kind]
        try:
            self.pid = process.spawn(program, argv, variables)
        except OSError:
            os.close(ours[1])
            os.close(theirs[0])
            raise
        finally:
            os.close(ours[0])
            os.close(theirs[1])
        self.requests, self.replies = ours[1], theirs[0]

    def warm(
        self, modules: "Sequence[str]", folder: str, wanted: "Callable[[], bool]" = lambda: True
    ) -> "list[str]":
        """Import modules as a task would that starts in a folder; return those that failed."""
        if self.command.kind == "script":
            folder = os.path.dirname(os.path.realpath(os.path.join(folder, self.command.name)))
        text = self._ask_to_load([folder] + list(modules), wanted)
        failed, self.watched, self.stamp = [part.split("\n") if part else [] for part in text.split("\0")]
        return failed

    def start(self, command: Command, variables: "Variables", folder: str, *, learns: bool = False) -> int:
        """Start a task in a folder; return its process id, or raise Cold."""
        if [stamp(name) for name in self.watched] != self.stamp:
            raise Cold(reasons.PACKAGES_CHANGED)
        self._prepare(command, folder)
        fields = [os.fsencode(folder), b"%d" % len(command.argv), b"%d" % len(command.interpreter)]
        fields += [os.fsencode(word) for word in command.argv]
        if list(variables) == list(self.variables):
            known = self.variables
            fields.append(b"some")
            fields += [name + b"=" + value for name, value in variables.items() if value != known[name]]
        else:
            fields.append(b"all")
            fields += [name + b"=" + value for name, value in variables.items()]
        self._send((b"l" if learns else b"r") + b"\0".join(fields))
        kind, text = self._receive(FORK_SECONDS)
        if kind != "p":
            raise Cold(text) if kind == "c" else Ended(reasons.ENDED)
        return int(text)

    def _prepare(self, command: Command, folder: str) -> None:
        """Let the interpreter prepare for a command, unless it is prepared for just this one."""
        path = os.path.join(folder, command.name)
        state = ""
        if command.kind == "script":
            try:
                state = "%s %d" % (stamp(path), os.stat(path).st_ctime_ns)
            except OSError as error:
                raise Cold("%s: %s" % (path, error.strerror)) from None
        if self.prepared != (path, state):
            self._send(b"s" + b"\0".join(os.fsencode(word) for word in (command.kind, command.name, folder)))
            kind, text = self._receive(FORK_SECONDS)
            if kind != "o":
                raise Cold(text) if kind == "c" else Ended(reasons.ENDED)
            self.prepared = path, state

    def wait(self, pid: int) -> "Ending":
        """Wait for a task; its process is a child of the interpreter, which tells how it ended."""
        modules: "list[str] | None" = None
        while True:
            kind, text = self._receive(None)
            if kind == "m":
                modules = text.split("\n")
            elif kind == "e":
                status, user, system, peak = text.split()
                return int(status), float(user) + float(system), int(peak), modules
            else:
                return self._ending_without_reply(pid)

    def _ending_without_reply(self, pid: int) -> "Ending":
        """Return how a task ended whose interpreter has died; its child becomes ours, unless it had ended before."""
        self._end()  # the child does not become ours before the whole of its parent has ended
        try:
            _, status, used = os.wait4(pid, 0)
            return status, used.ru_utime + used.ru_stime, used.ru_maxrss, None
        except ChildProcessError:
            pass  # the interpreter has waited for it, and left in its file what wait4(2) has written
        user = user_part = system = system_part = peak = status = 0
        try:
            with open(self.path + ".ending", "rb") as stream:
                user, user_part, system, system_part, peak, status = ENDING.unpack(stream.read())
        except (OSError, struct.error):
            pass  # as of an interpreter without ctypes
        if not peak:
            raise Ended(reasons.ENDED_WITH_TASK)
        return status, user + system + (user_part + system_part) / 1e6, peak, None


def stamp(name: str) -> str:
    """Return what a file or folder is now, as the function of this name in python_server.py."""
    try:
        about = os.stat(name)
    except OSError:
        return "missing"
    return "%d %d %d" % (about.st_mtime_ns, about.st_size, about.st_ino)
