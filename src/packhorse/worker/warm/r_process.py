"""A warm R, seen from the launcher, which is the parent of the tasks.

The process that waits becomes the task and leaves a copy of itself behind (r_server.R). It reads the script from the
file that it was started with, beyond its end: processes that are forked share the position in an open file (fork(2)),
so the script is put where the last task has stopped reading.
"""

import os
import re
import stat

from packhorse.worker import process
from packhorse.worker.warm import reasons
from packhorse.worker.warm.command import Cold, Command
from packhorse.worker.warm.warm_process import (
    FORK_SECONDS,
    IMPORT_SECONDS,
    Ended,
    WarmProcess,
    server_source,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from packhorse.worker.warm.warm_process import Ending, Variables

# Startup(7 of ?Startup in R): a user's files that R reads when it starts, once for all tasks of a warm process.
PROFILES = ("R_PROFILE_USER", ".Rprofile"), ("R_ENVIRON_USER", ".Renviron")
# A profile that asks for one of these may do something else for each task.
ASKS_FOR_TASK = re.compile(rb"PACKHORSE_|commandArgs")


class WarmR(WarmProcess):
    """One warm R."""

    def __init__(self, command: Command, program: str, folder: str, variables: "Variables") -> None:
        """Start R; `folder` is where its files are written, `variables` are the tasks'."""
        WarmProcess.__init__(self, command, variables)
        self.variables = variables  # those of the process; a task that has others is told so
        self.watched = _profiles(variables)
        for path in self.watched:
            if ASKS_FOR_TASK.search(_content(path)):
                raise Cold(reasons.PROFILE % path)
        folder = os.path.realpath(folder)
        self.learnt = os.path.join(folder, "packages")
        paths = [os.path.join(folder, name) for name in ("warm.R", "requests", "replies")]
        for path in paths:
            if os.path.lexists(path):
                os.unlink(path)
        self.script = os.open(paths[0], os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(self.script, server_source("r_server.R"))
        for path in paths[1:]:
            os.mkfifo(path, 0o600)
        # Opened for both, a pipe of ours waits for no reader; R's end of it has ended when we are gone.
        self.requests = os.open(paths[1], os.O_RDWR)
        self.replies = os.open(paths[2], os.O_RDONLY | os.O_NONBLOCK)
        self.alive = False
        try:
            self.pid = process.spawn(program, command.interpreter + paths, variables)
            self.alive = True
            self.watched += self._connect()
            self.stamp = self._stamp()
            self.descriptor = self._descriptor()
        except (Cold, OSError):
            self.close()
            raise
        finally:
            for path in paths:
                os.unlink(path)

    def _connect(self) -> "list[str]":
        """Wait until R has opened its end of the pipes; return the folders of its packages."""
        kind, text = self._receive(IMPORT_SECONDS, self._lives)
        if kind != "s":
            raise Ended(reasons.R_DID_NOT_START)
        os.set_blocking(self.replies, True)
        return text.split("\n")

    def _lives(self) -> bool:
        self.alive = self.alive and not os.waitpid(self.pid, os.WNOHANG)[0]
        return self.alive

    def _descriptor(self) -> str:
        """Return the path of the descriptor from which R reads its script."""
        folder = "/proc/%d/fd" % self.pid
        about = os.fstat(self.script)
        for name in os.listdir(folder):
            try:
                found = os.stat(os.path.join(folder, name))
            except OSError:
                continue  # a pipe or a socket
            if (found.st_dev, found.st_ino) == (about.st_dev, about.st_ino):
                return name
        raise Cold(reasons.R_CLOSED_SCRIPT)

    def _stamp(self) -> "list[tuple[int, int] | None]":
        found: "list[tuple[int, int] | None]" = []
        for name in self.watched:
            try:
                about = os.stat(name)
                found.append((about.st_mtime_ns, about.st_size))
            except OSError:
                found.append(None)
        return found

    def warm(
        self, modules: "Sequence[str]", folder: str, wanted: "Callable[[], bool]" = lambda: True
    ) -> "list[str]":
        """Load packages; return those that failed."""
        reply = self._ask_to_load(modules, wanted).split("\n")
        self._goes_on_as(int(reply[0]))
        return reply[1:]

    def _goes_on_as(self, pid: int) -> None:
        os.waitpid(self.pid, 0)
        self.pid = pid

    def start(self, command: Command, variables: "Variables", folder: str, *, learns: bool = False) -> int:
        """Start a task in a folder; return its process id, or raise Cold."""
        if self._stamp() != self.stamp:
            raise Cold(reasons.PACKAGES_CHANGED)
        self._write_script(os.path.join(folder, command.name))
        arguments = command.argv[len(command.interpreter) + 1 :]
        fields = [os.fsencode(word) for word in (folder, self.learnt if learns else "")]
        fields += [b"%d" % len(arguments), os.fsencode(command.name)]
        fields += [os.fsencode(word) for word in arguments]
        fields += [name for name in self.variables if name not in variables]
        fields += [
            name + b"=" + value for name, value in variables.items() if self.variables.get(name) != value
        ]
        self._send(b"r" + b"\0".join(fields))
        kind, text = self._receive(FORK_SECONDS)
        if kind != "p":
            raise Cold(text) if text else Ended(reasons.ENDED)
        task, self.pid = self.pid, int(text)
        return task

    def _write_script(self, path: str) -> None:
        """Put a script where R reads on."""
        try:
            if not stat.S_ISREG(os.stat(path).st_mode):
                raise Cold(reasons.NOT_A_FILE % path)
            with open(path, "rb") as stream:
                text = stream.read()
        except OSError as error:
            raise Cold(str(error)) from error
        try:
            with open("/proc/%d/fdinfo/%s" % (self.pid, self.descriptor)) as stream:
                position = int(stream.readline().split()[1])  # `pos:` in proc(5)
        except (OSError, ValueError, IndexError):
            raise Ended(reasons.ENDED) from None
        os.ftruncate(self.script, 0)  # what is before the position takes no space
        os.pwrite(self.script, text, position)

    def wait(self, pid: int) -> "Ending":
        """Wait for a task, our child."""
        _, status, usage = os.wait4(pid, 0)
        packages: "list[str] | None" = None
        if os.path.exists(self.learnt):
            packages = _content(self.learnt).decode("utf-8", "surrogateescape").split("\n")[:-1]
            os.unlink(self.learnt)
        return status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, packages

    def close(self) -> None:
        """End the process that waits."""
        WarmProcess.close(self)
        os.close(self.script)


def _profiles(variables: "Variables") -> "list[str]":
    """Return the files of a user that R may read when it starts, here or in the home folder."""
    home = os.fsdecode(variables.get(b"HOME", b""))
    found = []
    for variable, name in PROFILES:
        named = os.fsdecode(variables.get(os.fsencode(variable), b""))
        found += [named] if named else [os.path.abspath(name), os.path.join(home, name)]
    return found


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except FileNotFoundError:
        return b""
