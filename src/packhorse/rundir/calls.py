"""Files of calls: what an executor was asked to call, by the number of the call (folder `calls` of a run)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from packhorse.rundir.files import write_once
from packhorse.worker.calls import FOLDER, PICKLED, CallFile, digest_of

FORMAT = "packhorse-calls"
VERSION = 1
SHARED = 1 << 12  # bytes of pickled arguments from which equal ones are written once


class Call(Struct, frozen=True, kw_only=True):
    """One call: the name of its function (`module:name`, or that of a pickle), and its arguments, plain or pickled.

    A chunk is several calls of one function, which are one task: `chunk` is their number, and `args` has one tuple of
    arguments for each. A call with `of` is one of a chunk by itself: the number of the chunk, and its position there.
    """

    function: str
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}
    pickle: bytes = b""
    buffers: tuple[str, ...] = ()  # digests of large arrays, which the pickle leaves out
    shared: bool = False  # whether a node maps them once, and calls cannot write them
    chunk: int = 0
    of: tuple[int, int] | None = None

    def key(self, *identity: str) -> str:
        """Return a digest of the call, and of what else decides its result."""
        content = msgspec.json.encode([self.function, self.args, self.kwargs, *identity], order="sorted")
        return digest_of(content + self.pickle + "".join(self.buffers).encode())


class CallLog:
    """Writes calls to one new file, from number `first` on. One process at a time: the run's lock decides."""

    def __init__(self, run: Path, first: int) -> None:
        self.folder = run / FOLDER
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.path = self.folder / f"{first:012d}.ndjson"
        self.next = first
        self.descriptor: int | None = None  # before the first call
        self.pickles: int | None = None
        self.size = 0  # of the file of pickles
        self.known: dict[str, tuple[int, int, str]] = {}
        header = {"format": FORMAT, "version": VERSION, "first": first}
        self.lines = [msgspec.json.encode(header)]
        self.data: list[bytes] = []

    def add(self, call: Call) -> int:
        """Add a call; return its number. `flush` writes it."""
        entry: dict[str, Any] = {"function": call.function}
        if call.chunk:
            entry["chunk"] = call.chunk
        if call.of:
            entry["of"] = call.of
        if call.pickle:
            entry["pickle"] = self._extent(call.pickle)
            if call.buffers:
                entry |= {"buffers": call.buffers, "shared": call.shared}
        else:
            if call.args:
                entry["args"] = call.args
            if call.kwargs:
                entry["kwargs"] = call.kwargs
        self.lines.append(msgspec.json.encode(entry))
        self.next += 1
        return self.next - 1

    def _extent(self, data: bytes) -> tuple[int, int, str]:
        digest = digest_of(data)
        found = self.known.get(digest)
        if found is None:
            found = (self.size, len(data), digest)
            self.size += len(data)
            self.data.append(data)
            if len(data) >= SHARED:
                self.known[digest] = found
        return found

    def flush(self) -> None:
        """Write what was added: pickles first, since a line names its pickle."""
        if self.data:
            if self.pickles is None:
                self.pickles = _new_file(self.path.with_suffix(".pickles"))
            _write_all(self.pickles, b"".join(self.data))
            self.data.clear()
        if len(self.lines) > (self.descriptor is None):  # not the header alone
            if self.descriptor is None:
                self.descriptor = _new_file(self.path)
            _write_all(self.descriptor, b"\n".join(self.lines) + b"\n")
            self.lines.clear()

    def close(self, *, durable: bool = True) -> None:
        """Write what was added, and close the files."""
        self.flush()
        for descriptor in (self.pickles, self.descriptor):
            if descriptor is not None:
                if durable:
                    os.fsync(descriptor)
                os.close(descriptor)
        self.pickles = None


def _new_file(path: Path) -> int:
    """Make a file, in place of one of a killed session that holds no whole call."""
    path.unlink(missing_ok=True)
    return os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o600)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def keep_function(run: Path, data: bytes) -> str:
    """Keep a pickled function in a run, under its digest; return the name by which calls name it."""
    name = PICKLED + digest_of(data)
    (run / FOLDER).mkdir(mode=0o700, exist_ok=True)
    if not (run / FOLDER / name).exists():
        write_once(run / FOLDER / name, data)
    return name


def keep_buffers(run: Path, buffers: Iterable[tuple[str, bytes]]) -> None:
    """Keep large arrays in a run, each under its digest."""
    for digest, data in buffers:
        path = run / FOLDER / f"{digest}.buffer"
        if not path.exists():
            write_once(path, data)


def read_calls(run: Path) -> list[Call | None]:
    """Return every call of a run by its number; None for one whose line is missing or damaged."""
    found: list[Call | None] = []
    for path in sorted((run / FOLDER).glob("[0-9]*.ndjson")):
        file = CallFile(str(path))
        found += [None] * (file.first - len(found))
        while (line := file.line(len(found))) is not None:
            found.append(_call(line, path))
        file.stream.close()
    return found


def _call(line: bytes, path: Path) -> Call | None:
    try:
        entry = msgspec.json.decode(line)
        data = b""
        if "pickle" in entry:
            offset, length, digest = entry["pickle"]
            with path.with_suffix(".pickles").open("rb") as stream:
                stream.seek(offset)
                data = stream.read(length)
            if digest_of(data) != digest:
                return None
        return Call(
            function=entry["function"],
            args=tuple(entry.get("args", ())),
            kwargs=entry.get("kwargs", {}),
            pickle=data,
            buffers=tuple(entry.get("buffers", ())),
            shared=entry.get("shared", False),
            chunk=entry.get("chunk", 0),
            of=tuple(entry["of"]) if "of" in entry else None,
        )
    except (OSError, ValueError, KeyError, TypeError, msgspec.MsgspecError):
        return None


def count_calls(run: Path) -> int:
    """Return the number of calls of a run: one more than the highest number."""
    files = sorted((run / FOLDER).glob("[0-9]*.ndjson"))
    if not files:
        return 0
    file = CallFile(str(files[-1]))
    file.line(1 << 62)
    file.stream.close()
    return file.first + max(0, len(file.starts) - 1)


def note_cancelled(run: Path, calls: list[int]) -> None:
    """Note calls that were cancelled before they began, so that they never run."""
    descriptor = os.open(run / FOLDER / "cancelled", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    _write_all(descriptor, "".join(f"{call}\n" for call in calls).encode())
    os.close(descriptor)


def cancelled_calls(run: Path) -> set[int]:
    """Return the calls that were cancelled before they began."""
    try:
        text = (run / FOLDER / "cancelled").read_text("ascii")
    except FileNotFoundError:
        return set()
    return {int(line) for line in text.splitlines() if line.isdigit()}
