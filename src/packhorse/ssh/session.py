"""One session on a login node: a single ssh process on the master, and `packhorse.agent` at its other end.

The porter's source goes along with the first request, so that a question and its answer are one round trip.
"""

from __future__ import annotations

import json
import os
import secrets
import select
import subprocess
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from packhorse.model.command import Answer, Command
from packhorse.model.errors import RunError, Unreachable
from packhorse.ssh.login import Login
from packhorse.ssh.replies import REPLY_TYPES, check_reply, malformed_reply
from packhorse.ssh.session_slots import session_slot

ANSWER_SECONDS = 60.0  # without a byte from the other end
START_SECONDS = 60.0  # for shell and Python at the other end; a home on a busy server can be slow
BLOCK = 1 << 16  # what a pipe holds; blocks of 1 MiB, which no cache holds, took three times the time
LARGE_REPLY = 1 << 15  # bytes to send before which the answers that are under way are read
LONGEST = 1 << 28  # bytes of a line; that of a folder of a million files has less
LOST = 255  # of ssh: the connection, not the command

# The login shell may be any; what stands between single quotes means the same to all of them (no newline, no
# exclamation mark, which csh would take). The Python of RHEL 8 that is always there is platform-python.
START = (
    "exec /bin/sh -c 'for p in python3 python3.14 python3.13 python3.12 python3.11 python3.10 python3.9 python3.8 "
    "python3.6 /usr/bin/python3 "
    "/usr/libexec/platform-python /usr/local/bin/python3; do "
    '"$p" -S -E -c "import sys; sys.exit(sys.version_info < (3, 6))" 2>/dev/null && '
    'exec "$p" -S -E -c "import sys, zlib; s = sys.stdin.buffer; '
    'exec(compile(zlib.decompress(s.read(int(s.readline()))), \\"agent\\", \\"exec\\"))" "$0"; '
    'done; echo; echo "$0 none"\' '
)

HERE = Path(__file__).parent.parent / "agent"
AGENT = (
    "paths",
    "login",
    "files",
    "environments",
    "runs",
    "surroundings",
    "serve",
)  # each after those that it imports
LOADER = """
import types
for name, text in {modules!r}:
    module = types.ModuleType(name)
    sys.modules[name] = module
    exec(compile(text, name, "exec"), module.__dict__)
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, module)
module.main()
"""


class Session:
    """Asks the porter; usable from one thread, in a `with` statement."""

    def __init__(self, login: Login, sessions: int = 6) -> None:
        self.login, self.sessions = login, sessions
        self.process: subprocess.Popen[bytes] | None = None
        self.waiting: dict[int, dict[str, Any] | None] = {}
        self.asked: dict[int, str] = {}  # the verbs
        self.number = 0
        self.sent = self.received = 0  # bytes
        self._buffer = bytearray()
        self._open = False

    def __enter__(self) -> Session:
        self._turn = session_slot(self.login, self.sessions)
        self._turn.__enter__()
        try:
            self._start()
        except BaseException:
            self._turn.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._end()
        finally:
            self._turn.__exit__(None, None, None)

    def _start(self) -> None:
        self.word = f"packhorse-{secrets.token_hex(8)}"
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the session
        argv = [*self.login.session_argv(), START + self.word]
        try:
            self.process = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, bufsize=0
            )
        except FileNotFoundError:
            self.errors.close()
            raise RunError("there is no ssh on this machine", "install the OpenSSH client") from None
        source = _source()
        self.write(b"%d\n" % len(source) + source)

    def _end(self) -> None:
        assert self.process is not None
        process = self.process
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(OSError):
            process.stdin.close()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
        self.errors.close()

    # Questions and answers

    def send(self, do: str, *, much: bool = False, **said: Any) -> int:
        """Send a question without waiting, and return its number; `much` of raw bytes may follow it."""
        self.number += 1
        line = json.dumps({"id": self.number, "do": do, **said}).encode() + b"\n"
        if much or len(line) > LARGE_REPLY:
            self.settle()
        self.waiting[self.number], self.asked[self.number] = None, do
        self.write(line)
        return self.number

    def result(self, number: int, patience: float = ANSWER_SECONDS) -> dict[str, Any]:
        """Return the answer to a question; raise RunError where it went wrong or does not come."""
        self._await(number, patience)
        found, do = self.waiting.pop(number), self.asked.pop(number)
        assert found is not None
        if "wrong" in found:
            raise RunError(f"{self.login.site}: {found['wrong']}", _cure(found, self.login.site))
        return check_reply(self.login.site, found, REPLY_TYPES[do]) if do in REPLY_TYPES else found

    def call(self, do: str, patience: float = ANSWER_SECONDS, **said: Any) -> dict[str, Any]:
        """Ask, and return the answer."""
        return self.result(self.send(do, **said), patience)

    def settle(self, before: int | None = None) -> None:
        """Read the answers that are under way (or those to earlier questions), so that neither end waits for the other."""
        for number in [number for number, answer in self.waiting.items() if answer is None]:
            if before is None or number < before:
                self._await(number, ANSWER_SECONDS)
        if before is not None and not self._open:
            self._hello()

    def _await(self, number: int, patience: float) -> None:
        while self.waiting[number] is None:
            if not self._open:
                self._hello()
            self.take(self.said(self.line(patience)))

    def said(self, line: bytes) -> dict[str, Any]:
        """Return what a line of the porter says."""
        try:
            answer = json.loads(line)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise malformed_reply(self.login.site, line.decode("utf-8", "replace"))
        return answer

    def take(self, answer: dict[str, Any]) -> None:
        """Take an answer to a question that waits for one."""
        number = answer.pop("id", None)
        if not isinstance(number, int) or self.waiting.get(number, answer) is not None:
            raise malformed_reply(self.login.site, "to no question")
        self.waiting[number] = answer

    def start_command(self, command: Command) -> int:
        """Send a command without waiting for what it says."""
        return self.send(
            "run",
            argv=list(command.argv),
            timeout=command.timeout,
            env=command.env,
            unset=list(command.unset),
            folder=command.folder or None,
        )

    def command_result(self, number: int, command: Command) -> Answer:
        """Return what a command said that was sent before."""
        said = self.result(number, command.timeout + ANSWER_SECONDS)
        return Answer(status=said["status"], stdout=said["stdout"], stderr=said["stderr"])

    def ask(self, command: Command) -> Answer:
        """Run a command there, as `packhorse.run.talking.ask` does here."""
        return self.command_result(self.start_command(command), command)

    def _hello(self) -> None:
        """Skip what the shell's files print, up to the porter's word."""
        marker = f"\n{self.word}\n".encode()
        none = f"\n{self.word} none\n".encode()
        while marker not in self._buffer:
            if none in self._buffer:
                raise RunError(
                    f"no Python of 3.6 or newer was found on {self.login.site}",
                    "ask the site for one; Packhorse looks for python3 on the PATH of a plain command",
                )
            self._more(START_SECONDS)
        del self._buffer[: self._buffer.index(marker) + len(marker)]
        self._open = True

    # Bytes

    def line(self, patience: float = ANSWER_SECONDS) -> bytes:
        """Return the next line."""
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > LONGEST:
                raise malformed_reply(self.login.site, "a line without an end")
            self._more(patience)
        found = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return found

    def raw(self, size: int) -> Iterator[bytes]:
        """Yield so many raw bytes of an answer, in blocks."""
        while size:
            if not self._buffer:
                self._more(ANSWER_SECONDS)
            block = bytes(self._buffer[:size])
            del self._buffer[:size]
            size -= len(block)
            yield block

    def _more(self, patience: float) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        handle = self.process.stdout.fileno()
        ready, _, _ = select.select([handle], [], [], patience)
        if not ready:
            self.process.kill()
            raise Unreachable(
                f"{self.login.site} did not answer within {patience:.0f} s",
                f"packhorse connect {self.login.site} --check; the same command tries again",
            )
        block = os.read(handle, BLOCK)
        if not block:
            raise self._gone()
        self.received += len(block)
        self._buffer += block

    def write(self, data: bytes) -> None:
        """Send raw bytes."""
        assert self.process is not None
        assert self.process.stdin is not None
        view = memoryview(data)
        handle = self.process.stdin.fileno()
        try:
            while view:
                _, ready, _ = select.select([], [handle], [], ANSWER_SECONDS)
                if not ready:
                    self.process.kill()
                    raise Unreachable(
                        f"the connection to {self.login.site} takes no bytes",
                        f"packhorse connect {self.login.site} --check; the same command goes on",
                    )
                written = os.write(handle, view[: 1 << 16])
                self.sent += written
                view = view[written:]
        except BrokenPipeError:
            raise self._gone() from None

    def _gone(self) -> RunError:
        """Return why the other end said no more."""
        assert self.process is not None
        try:
            status = self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        if status == LOST or status < 0:
            return self.login.lost()
        self.errors.seek(0)
        words = self.errors.read().decode("utf-8", "replace").strip().splitlines()
        return RunError(
            f"{self.login.site} ended the session (status {status}){': ' + words[-1] if words else ''}",
            f"packhorse shell {self.login.site} shows what a login there says",
        )


@cache
def _source() -> bytes:
    """Return the porter's modules as one text that makes them and serves, compressed as it is sent."""
    modules = [("packhorse", ""), ("packhorse.agent", "")]
    for name in AGENT:
        modules.append((f"packhorse.agent.{name}", (HERE / f"{name}.py").read_text(encoding="utf-8")))
    return zlib.compress(LOADER.format(modules=modules).encode(), 9)


def _cure(answer: dict[str, Any], site: str) -> str:
    import errno

    full = (errno.ENOSPC, errno.EDQUOT)
    if answer.get("errno") in full:
        return f"make space there, or name another area; packhorse sites show {site} lists its areas"
    return "the same command tries again"
