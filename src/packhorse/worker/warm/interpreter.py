"""The launcher's side of warm processes: which commands they can run, and one process at work."""

import os
import pkgutil
import re
import select
import time

from packhorse.worker import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Variables = dict[bytes, bytes]

PYTHON = re.compile(r"^python[0-9.]*$")
SERVER = "packhorse_importlib_bootstrap.py"  # see the docstring of server.py
# Options of the interpreter that a forked child has by inheritance; with any other one a task starts cold.
FLAGS = re.compile(
    r"^-([uOEsIPqbB]+|W.+|X(utf8(=[01])?|dev|faulthandler|no_debug_ranges|int_max_str_digits=\d+))$"
)
WITH_VALUE = ("-W", "-X")
IMPORT_SECONDS = 300.0  # that warming may take: a shared file system can be slow
FORK_SECONDS = 30.0
ENDED = "the warm process has ended"
UNFIT = ("PYTHONINSPECT", "PYTHONPROFILEIMPORTTIME", "PYTHONVERBOSE", "PYTHONDUMPREFS", "PYTHONMALLOCSTATS")


class Cold(Exception):
    """A task cannot be run by a warm process; the text says why."""


class Ended(Cold):
    """The warm process has ended, perhaps because it was killed."""


class Command(object):
    """How a command line is understood: interpreter with its options, and the script or module."""

    def __init__(self, kind: str, interpreter: "list[str]", name: str, argv: "list[str]") -> None:
        self.kind = kind  # script or module
        self.interpreter = interpreter  # the words with which the interpreter is started
        self.name = name
        self.argv = argv  # the whole command line as the interpreter gets it
        self.key = (kind, tuple(interpreter), name)


def understand(argv: "list[str]", program: str) -> Command:
    """Return the Command of an argv whose program was found at a path, or raise Cold."""
    if PYTHON.match(os.path.basename(argv[0])):
        return _python(argv)
    first = _interpreter_line(program)
    if first and PYTHON.match(os.path.basename(first[0])):
        return _python(first + [program] + argv[1:])
    raise Cold("%s is not a Python script" % argv[0])


def _python(argv: "list[str]") -> Command:
    position = 1
    while position < len(argv) and argv[position].startswith("-") and argv[position] != "-":
        word = argv[position]
        if word == "-m" and position + 1 < len(argv):
            return Command("module", argv[:position], argv[position + 1], argv)
        if word in WITH_VALUE and position + 1 < len(argv):
            word += argv[position + 1]
            position += 1
        if not FLAGS.match(word):
            raise Cold("the interpreter's option %s" % word)
        position += 1
    if position == len(argv) or argv[position] == "-":
        raise Cold("the interpreter reads its standard input")
    return Command("script", argv[:position], argv[position], argv)


def _interpreter_line(program: str) -> "list[str] | None":
    """Return the words of a script's `#!` line (execve(2)), or None."""
    try:
        with open(program, "rb") as stream:
            line = stream.readline(1024)
    except OSError:
        return None
    if not line.startswith(b"#!") or not line.endswith(b"\n"):
        return None
    argv = os.fsdecode(line[2:].strip()).split(None, 1)
    if len(argv) == 2 and os.path.basename(argv[0]) == "env" and not re.search(r"[\s=-]", argv[1]):
        argv = argv[1:]
    return argv


class WarmPython(object):
    """One warm interpreter, a child of ours, whose children are the tasks."""

    def __init__(self, command: Command, program: str, folder: str, variables: "Variables") -> None:
        """Start the interpreter; `folder` is where its file is written, `variables` are the tasks'."""
        self.command, self.variables = command, dict(variables)
        self.watched: "list[str]" = []  # files and folders of the environment
        self.stamp: "list[str]" = []  # what they were when the interpreter began
        self.prepared: "tuple[str, str] | None" = None  # path and stamp of the script that it has read
        self.alive = True  # as far as is known
        for name in UNFIT:
            if os.fsencode(name) in variables:
                raise Cold("the variable %s" % name)
        self.buffer = b""
        path = os.path.join(os.path.realpath(folder), SERVER)
        if not os.path.exists(path):
            write_server(path)
        ours = os.pipe()
        theirs = os.pipe()
        for descriptor in (ours[0], theirs[1]):
            os.set_inheritable(descriptor, True)
        argv = command.interpreter + [path, str(ours[0]), str(theirs[1]), command.kind]
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
        """Import modules as a task would that starts in a folder; return those that failed.

        Raises Unfit, or Cold when the process is gone.
        """
        if self.command.kind == "script":
            folder = os.path.dirname(os.path.realpath(os.path.join(folder, self.command.name)))
        self._send(b"w" + b"\0".join(os.fsencode(word) for word in [folder] + list(modules)))
        kind, text = self._receive(IMPORT_SECONDS, wanted)
        if kind == "b":
            module, _, why = text.partition("\n")
            raise Unfit(module, why)
        if kind != "o":
            raise Ended(ENDED)
        failed, self.watched, self.stamp = [part.split("\n") if part else [] for part in text.split("\0")]
        return failed

    def start(self, command: Command, variables: "Variables", folder: str, *, learns: bool = False) -> int:
        """Start a task in a folder; return its process id, or raise Cold."""
        if [stamp(name) for name in self.watched] != self.stamp:
            raise Cold("the environment has changed")
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
            raise Cold(text) if kind == "c" else Ended(ENDED)
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
                raise Cold(text) if kind == "c" else Ended(ENDED)
            self.prepared = path, state

    def wait(self, pid: int) -> "tuple[int, float, int, list[str] | None]":
        """Wait for a task; return (status, seconds of CPU, peak of memory as the system counts it, modules or None)."""
        modules: "list[str] | None" = None
        while True:
            kind, text = self._receive(None)
            if kind == "m":
                modules = text.split("\n")
            elif kind == "e":
                status, user, system, peak = text.split()
                return int(status), float(user) + float(system), int(peak), modules
            else:  # it has died; its child becomes ours, but not before the whole of it has ended
                self._end()
                try:
                    _, number, usage = os.wait4(pid, 0)
                except ChildProcessError:
                    raise Ended(ENDED + ", and its task with it") from None
                return number, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, None

    def close(self) -> None:
        """End the process."""
        for descriptor in (self.requests, self.replies):
            os.close(descriptor)
        if self.alive:
            self._end()

    def _end(self) -> None:
        self.alive = False
        process.kill_group(self.pid, 9)
        try:
            os.waitpid(self.pid, 0)
        except ChildProcessError:
            pass

    def _send(self, data: bytes) -> None:
        data = len(data).to_bytes(4, "big") + data
        try:
            while data:
                data = data[os.write(self.requests, data) :]
        except OSError:
            raise Ended(ENDED) from None

    def _receive(
        self, seconds: "float | None", wanted: "Callable[[], bool]" = lambda: True
    ) -> "tuple[str, str]":
        """Return one message as (kind, text), or ("", "") when there is none in time or will be none."""
        end = None if seconds is None else time.monotonic() + seconds
        while True:
            if len(self.buffer) >= 4:
                size = int.from_bytes(self.buffer[:4], "big") + 4
                if len(self.buffer) >= size:
                    text = self.buffer[4:size].decode("utf-8", "surrogateescape")
                    self.buffer = self.buffer[size:]
                    return text[:1], text[1:]
            if end is not None and not select.select([self.replies], [], [], 0.2)[0]:
                if time.monotonic() > end or not wanted():
                    return "", ""
                continue
            read = os.read(self.replies, 1 << 16)
            if not read:
                return "", ""
            self.buffer += read


def stamp(name: str) -> str:
    """Return what a file or folder is now, as the function of this name in server.py."""
    try:
        about = os.stat(name)
    except OSError:
        return "missing"
    return "%d %d %d" % (about.st_mtime_ns, about.st_size, about.st_ino)


class Unfit(Exception):
    """A warm process must not be forked: the module that is at fault, and what it does."""

    def __init__(self, module: str, why: str) -> None:
        Exception.__init__(self, "%s %s" % (module, why))
        self.module, self.why = module, why


def write_server(path: str) -> None:
    """Write the file that a warm interpreter runs; it comes from the archive that we run from."""
    source = pkgutil.get_data("packhorse.worker.warm", "server.py")
    assert source is not None
    with open(path, "wb") as stream:
        stream.write(source)
