"""One warm process of any interpreter, a child of the launcher: what it is asked, what it replies, and its end."""

import os
import pkgutil
import select
import time

from packhorse.worker import process
from packhorse.worker.warm import reasons
from packhorse.worker.warm.command import Cold, Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Variables = dict[bytes, bytes]
    # Status, seconds of CPU, peak of memory as the system counts it, modules that were loaded (if they were recorded)
    Ending = tuple[int, float, int, "list[str] | None"]

IMPORT_SECONDS = 300.0  # that warming may take: a shared file system can be slow
FORK_SECONDS = 30.0


class Ended(Cold):
    """The warm process has ended, perhaps because it was killed."""


class Unfit(Exception):
    """A warm process must not be forked: the module that is at fault, and what it does."""

    def __init__(self, module: str, why: str) -> None:
        Exception.__init__(self, "%s %s" % (module, why))
        self.module, self.why = module, why


class WarmProcess(object):
    """A process that loads modules once, and becomes or forks each task."""

    unfit = ()  # type: tuple[str, ...]  # variables with which no task may start warm

    def __init__(self, command: Command, variables: "Variables") -> None:
        self.command = command
        self.alive = True  # as far as is known
        self.buffer = b""
        self.pid = self.requests = self.replies = -1
        for name in self.unfit:
            if os.fsencode(name) in variables:
                raise Cold(reasons.VARIABLE % name)

    def warm(
        self, modules: "Sequence[str]", folder: str, wanted: "Callable[[], bool]" = lambda: True
    ) -> "list[str]":
        """Load modules as a task would that starts in a folder; return those that failed.

        `wanted` returns whether to go on. Raises Unfit, or Cold when the process is gone.
        """
        raise NotImplementedError

    def start(self, command: Command, variables: "Variables", folder: str, *, learns: bool = False) -> int:
        """Start a task in a folder; return its process id, or raise Cold. `learns`: record what it loads."""
        raise NotImplementedError

    def wait(self, pid: int) -> "Ending":
        """Wait for a task that was started; raise Ended if the process died and its task with it."""
        raise NotImplementedError

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

    def _ask_to_load(self, fields: "Sequence[str]", wanted: "Callable[[], bool]") -> str:
        """Send a request to load modules; return the reply, or raise as `warm` does."""
        self._send(b"w" + b"\0".join(os.fsencode(word) for word in fields))
        kind, text = self._receive(IMPORT_SECONDS, wanted)
        if kind == "b":
            module, _, why = text.partition("\n")
            raise Unfit(module, why)
        if kind == "c":
            raise Cold(text)
        if kind != "o":
            raise Ended(reasons.ENDED)
        return text

    # Messages: four bytes of length, most significant first, and a text

    def _send(self, data: bytes) -> None:
        data = len(data).to_bytes(4, "big") + data
        try:
            while data:
                data = data[os.write(self.requests, data) :]
        except OSError:
            raise Ended(reasons.ENDED) from None

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


def server_source(name: str) -> bytes:
    """Return a file that a warm interpreter runs; it comes from the archive that we run from."""
    source = pkgutil.get_data("packhorse.worker.warm", name)
    assert source is not None
    return source
