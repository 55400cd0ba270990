"""One session on a login node: an ssh process on the control master, with the remote agent (`packhorse.agent`) at its end.

The agent's source is sent together with the first request, so that a request and its reply take one round trip.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import select
import subprocess
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from functools import cache
from pathlib import Path
from typing import IO, Any

from packhorse.model.command import Answer, Command
from packhorse.model.errors import RunError, Unreachable
from packhorse.ssh.login import Login
from packhorse.ssh.replies import REPLY_TYPES, check_reply, malformed_reply
from packhorse.ssh.session_slots import session_slot

REPLY_SECONDS = 60.0  # without a byte from the site
START_SECONDS = 60.0  # for shell and Python to start; a home on a busy file server can be slow
BLOCK = (
    1 << 16
)  # bytes, the capacity of a pipe; blocks of 1 MiB, larger than the CPU cache, took three times as long
LARGE_REQUEST = 1 << 15  # bytes; before a request of this size, all pending replies are read
LONGEST_LINE = 1 << 28  # bytes; the list of a folder of a million files is shorter
NO_LENGTH = "ValueError: invalid literal for int()"  # the first line that reached START was not ours
CONNECTION_LOST = 255  # exit status of ssh when the connection failed, not the command

# The login shell is unknown. Text between single quotes means the same to every shell, without newlines and exclamation
# marks, which csh interprets. RHEL 8 always has a Python named platform-python.
START = (
    "exec /bin/sh -c 'for p in python3 python3.14 python3.13 python3.12 python3.11 python3.10 python3.9 python3.8 "
    "python3.6 /usr/bin/python3 "
    "/usr/libexec/platform-python /usr/local/bin/python3; do "
    '"$p" -S -E -c "import sys; sys.exit(sys.version_info < (3, 6))" 2>/dev/null && '
    'exec "$p" -S -E -c "import sys, zlib; s = sys.stdin.buffer; '
    'exec(compile(zlib.decompress(s.read(int(s.readline()))), \\"agent\\", \\"exec\\"))" "$0"; '
    'done; echo; echo "$0 none"\' '
)

AGENT_FOLDER = Path(__file__).parent.parent / "agent"
AGENT_MODULES = (
    "paths",
    "commands",
    "login",
    "files",
    "environments",
    "runs",
    "software",
    "serve",
)  # each after the modules that it imports
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
    """Requests to the remote agent. Use it in a `with` statement, from one thread."""

    def __init__(self, login: Login, sessions: int = 6) -> None:
        self.login, self.sessions = login, sessions
        self.process: subprocess.Popen[bytes] | None = None
        self.replies: dict[int, dict[str, Any] | None] = {}  # by request number; None while pending
        self.verbs: dict[int, str] = {}  # by request number
        self.number = 0
        self.sent = self.received = 0  # bytes
        self.marker = f"packhorse-{secrets.token_hex(8)}"  # the agent prints it before its first reply
        self.errors: IO[bytes] | None = None  # standard error of ssh
        self._slot = ExitStack()
        self._buffer = bytearray()
        self._open = False

    def __enter__(self) -> Session:
        self._slot.enter_context(session_slot(self.login, self.sessions))
        try:
            self._start()
        except BaseException:
            self._slot.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._end()
        finally:
            self._slot.close()

    def _start(self) -> None:
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the session
        argv = [*self.login.session_argv(), START + self.marker]
        try:
            self.process = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, bufsize=0
            )
        except FileNotFoundError:
            self.errors.close()
            raise RunError("ssh is not installed on this machine", "install the OpenSSH client") from None
        source = _agent_source()
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
        if self.errors is not None:
            self.errors.close()

    # Requests and replies

    def send(self, do: str, *, raw_follows: bool = False, **arguments: Any) -> int:
        """Send a request without waiting, and return its number; `raw_follows` announces raw bytes after it."""
        self.number += 1
        line = json.dumps({"id": self.number, "do": do, **arguments}).encode() + b"\n"
        if raw_follows or len(line) > LARGE_REQUEST:
            self.settle()
        self.replies[self.number], self.verbs[self.number] = None, do
        self.write(line)
        return self.number

    def result(self, number: int, patience: float = REPLY_SECONDS) -> dict[str, Any]:
        """Return the reply to a request; raise RunError where the request failed or no reply arrives in time."""
        self._await(number, patience)
        reply, do = self.replies.pop(number), self.verbs.pop(number)
        assert reply is not None
        if "wrong" in reply:
            raise RunError(f"{self.login.site}: {reply['wrong']}", _failure_hint(reply, self.login.site))
        return check_reply(self.login.site, reply, REPLY_TYPES[do]) if do in REPLY_TYPES else reply

    def call(self, do: str, patience: float = REPLY_SECONDS, **arguments: Any) -> dict[str, Any]:
        """Send a request, and return its reply."""
        return self.result(self.send(do, **arguments), patience)

    def settle(self, before: int | None = None) -> None:
        """Read all pending replies, or those to requests before one, so that the two ends cannot block each other."""
        for number in [number for number, reply in self.replies.items() if reply is None]:
            if before is None or number < before:
                self._await(number, REPLY_SECONDS)
        if before is not None and not self._open:
            self._skip_login_output()

    def _await(self, number: int, patience: float) -> None:
        while self.replies[number] is None:
            if not self._open:
                self._skip_login_output()
            self.accept_reply(self.parse_reply(self.line(patience)))

    def parse_reply(self, line: bytes) -> dict[str, Any]:
        """Parse a line of the agent; raise RunError where it is not a JSON object."""
        try:
            reply = json.loads(line)
        except ValueError:
            reply = None
        if not isinstance(reply, dict):
            raise malformed_reply(self.login.site, line.decode("utf-8", "replace"))
        return reply

    def accept_reply(self, reply: dict[str, Any]) -> None:
        """Store the reply to a pending request; raise RunError where its request is not pending."""
        number = reply.pop("id", None)
        if not isinstance(number, int) or self.replies.get(number, reply) is not None:
            raise malformed_reply(self.login.site, "to no request")
        self.replies[number] = reply

    def start_command(self, command: Command) -> int:
        """Start a command on the site without waiting for its reply; return the request's number."""
        return self.send(
            "run",
            argv=list(command.argv),
            timeout=command.timeout,
            env=command.env,
            unset=list(command.unset),
            folder=command.folder or None,
        )

    def command_result(self, number: int, command: Command) -> Answer:
        """Return the result of a command that `start_command` started."""
        reply = self.result(number, command.timeout + REPLY_SECONDS)
        return Answer(status=reply["status"], stdout=reply["stdout"], stderr=reply["stderr"])

    def ask(self, command: Command) -> Answer:
        """Run a command on the site, as `packhorse.runtime.dialogue.run_command` does on this machine."""
        return self.command_result(self.start_command(command), command)

    def _skip_login_output(self) -> None:
        """Skip the output of the shell's startup files, up to the agent's marker."""
        marker = f"\n{self.marker}\n".encode()
        no_python = f"\n{self.marker} none\n".encode()
        while marker not in self._buffer:
            if no_python in self._buffer:
                raise RunError(
                    f"{self.login.site} has no Python 3.6 or newer",
                    "ask the site's support for one; Packhorse looks for python3 on the PATH of a non-interactive shell",
                )
            self._receive(START_SECONDS)
        del self._buffer[: self._buffer.index(marker) + len(marker)]
        self._open = True

    # Bytes

    def line(self, patience: float = REPLY_SECONDS) -> bytes:
        """Return the next line from the agent."""
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > LONGEST_LINE:
                raise malformed_reply(self.login.site, "a line without an end")
            self._receive(patience)
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    def raw(self, size: int) -> Iterator[bytes]:
        """Yield `size` raw bytes of a reply, in blocks."""
        while size:
            if not self._buffer:
                self._receive(REPLY_SECONDS)
            block = bytes(self._buffer[:size])
            del self._buffer[:size]
            size -= len(block)
            yield block

    def _receive(self, patience: float) -> None:
        """Read more bytes into the buffer; raise Unreachable where none arrive within `patience` seconds."""
        assert self.process is not None
        assert self.process.stdout is not None
        handle = self.process.stdout.fileno()
        ready, _, _ = select.select([handle], [], [], patience)
        if not ready:
            self.process.kill()
            raise Unreachable(
                f"{self.login.site} did not reply within {patience:.0f} s",
                f"test the connection: packhorse connect {self.login.site} --check",
            )
        block = os.read(handle, BLOCK)
        if not block:
            raise self._session_ended()
        self.received += len(block)
        self._buffer += block

    def write(self, data: bytes) -> None:
        """Send raw bytes; raise Unreachable where the connection stalls."""
        assert self.process is not None
        assert self.process.stdin is not None
        view = memoryview(data)
        handle = self.process.stdin.fileno()
        try:
            while view:
                _, ready, _ = select.select([], [handle], [], REPLY_SECONDS)
                if not ready:
                    self.process.kill()
                    raise Unreachable(
                        f"the connection to {self.login.site} accepted no data for {REPLY_SECONDS:.0f} s",
                        f"test the connection: packhorse connect {self.login.site} --check",
                    )
                written = os.write(handle, view[: 1 << 16])
                self.sent += written
                view = view[written:]
        except BrokenPipeError:
            raise self._session_ended() from None

    def _session_ended(self) -> RunError:
        """Return the error for a session that the site or the network ended."""
        assert self.process is not None
        try:
            status = self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        if status == CONNECTION_LOST or status < 0:
            return self.login.lost()
        assert self.errors is not None
        self.errors.seek(0)
        lines = self.errors.read().decode("utf-8", "replace").strip().splitlines()
        if not self._open and lines and lines[-1].startswith(NO_LENGTH):
            return RunError(
                f"a startup file of your shell on {self.login.site} reads standard input, which is not for it",
                "in ~/.bashrc there, before the line that reads: [[ $- == *i* ]] || return",
            )
        return RunError(
            f"{self.login.site} ended the session (exit status {status}){': ' + lines[-1] if lines else ''}",
            f"see what a login there prints: packhorse shell {self.login.site}",
        )


@cache
def _agent_source() -> bytes:
    """Return the agent as one compressed text that defines its modules and runs the last one."""
    modules = [("packhorse", ""), ("packhorse.agent", "")]
    for name in AGENT_MODULES:
        modules.append((f"packhorse.agent.{name}", (AGENT_FOLDER / f"{name}.py").read_text(encoding="utf-8")))
    return zlib.compress(LOADER.format(modules=modules).encode(), 9)


def _failure_hint(reply: dict[str, Any], site: str) -> str:
    if reply.get("errno") in (errno.ENOSPC, errno.EDQUOT):
        return f"free some space there, or choose another storage area: packhorse sites show {site}"
    return "run this command again"
