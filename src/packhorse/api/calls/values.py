"""Functions, arguments, results and exceptions of calls, on their way between this process and its tasks."""

from __future__ import annotations

import base64
from collections.abc import Callable
from concurrent.futures import BrokenExecutor
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary
from zlib import crc32

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from packhorse.api.calls.importable import function_name, pickled
from packhorse.api.calls.source_lines import remember_lines, with_source_lines
from packhorse.results.journal import Record
from packhorse.rundir.calls import Call
from packhorse.worker.calls import (
    FOLDER,
    PICKLED,
    check_digest,
    digest_of,
    is_plain,
    load_checked,
    read_private,
)
from packhorse.worker.results.judgement import parse_json

LARGE = 1 << 16  # bytes of an array that is kept beside the pickles


class CallLost(BrokenExecutor):
    """A call has no result, since the process that made it died, was ended at a limit, or never ran."""


class RemoteTraceback(Exception):  # noqa: N818 - it is the cause of an exception, and named as in concurrent.futures
    """The traceback of an exception in the process that made the call, as text."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f'\n"""\n{self.text}"""'


# To a task


class Function:
    """A function as tasks get it: its name, and its pickle where it cannot be imported."""

    __slots__ = ("data", "name", "root")

    def __init__(self, function: Callable[..., Any], root: Path) -> None:
        self.root = root
        self.name, self.data = function_name(function, root), b""
        if not self.name:
            self.data = pickled(function, root)
            self.name = PICKLED + digest_of(self.data)
            remember_lines(self.name, function)

    def call(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], buffers: Buffers
    ) -> tuple[Call, list[Buffer]]:
        """Return a call with these arguments, as JSON where that keeps them, and the large arrays among them."""
        if all(map(is_plain, args)) and (not kwargs or is_plain(kwargs)):
            return Call(function=self.name, args=args, kwargs=kwargs), []
        large: list[Buffer] = []
        data = pickled((args, kwargs), self.root, buffers.callback(large))
        digests = tuple(one.digest for one in large)
        return Call(function=self.name, pickle=data, buffers=digests, shared=buffers.shared), large

    def chunk(self, calls: list[tuple[Any, ...]], buffers: Buffers) -> tuple[Call, list[Buffer]]:
        """Return the call that makes a chunk of calls, each with its arguments by position."""
        number = len(calls)
        if all(is_plain(one) for args in calls for one in args):
            return Call(function=self.name, args=tuple(calls), chunk=number), []
        call, large = self.call(tuple(calls), {}, buffers)  # pickled, since a tuple is not plain
        return replace(call, chunk=number), large


class Buffer:
    """The bytes of a large array, and their digest."""

    __slots__ = ("__weakref__", "data", "digest")

    def __init__(self, digest: str, data: bytes) -> None:
        self.digest, self.data = digest, data


class Buffers:
    """The large arrays among the arguments of calls that are not written yet: equal ones are held, and written, once.

    With `shared`, a node maps an array once for all calls, which cannot write it then. `remembered` has the digests of
    arrays that do not change meanwhile, by identity.
    """

    def __init__(self, *, shared: bool = False) -> None:
        self.shared = shared
        self.held: WeakValueDictionary[str, Buffer] = WeakValueDictionary()
        self.remembered: dict[int, tuple[Any, Buffer]] | None = None

    def callback(self, found: list[Buffer]) -> Callable[[Any], bool]:
        """Return what a pickler calls with the buffer of each array; it returns whether the pickle must hold the bytes."""

        def take(buffer: Any) -> bool:
            try:
                raw = buffer.raw()
            except BufferError:  # not contiguous
                return True
            if raw.nbytes < LARGE:
                return True
            found.append(self._held(raw))
            return False

        return take

    def _held(self, raw: memoryview) -> Buffer:
        known = (self.remembered or {}).get(id(raw.obj))
        if known is not None and known[0] is raw.obj and len(known[1].data) == raw.nbytes:
            return known[1]
        digest = digest_of(raw)
        held = self.held.get(digest)
        if held is None:
            held = self.held[digest] = Buffer(digest, bytes(raw))
        if self.remembered is not None:
            self.remembered[id(raw.obj)] = (raw.obj, held)
        return held


# From a task


def result_of(record: Record, pack: Path, function: str = "") -> Any:
    """Return the result of a call, or raise its exception. Raises CallLost where it has neither."""
    if record.outcome != "OK":
        raise exception_of(record, pack.parent.parent, function)
    return _kept_value(_kept(record, pack), pack)


def outcomes_of(record: Record, pack: Path, function: str = "") -> list[Any | CallRaised] | None:
    """Return the outcome of each call of a chunk: its result, or what it raised; None where the chunk was lost.

    Raises CallLost, Refused where the outcomes cannot be read.
    """
    if record.outcome == "OK":
        return [_kept_value(value, pack) for value in _kept(record, pack)]
    raised = record.raised or {}
    if "outcomes" in raised:
        data = raised["outcomes"].encode()
    elif "file" in raised:
        path = pack.parent.parent / FOLDER / Path(raised["file"]).name
        data = read_private(str(path))
        check_digest(data, raised["sha256"], f"{path}")
    else:
        return None
    run = pack.parent.parent
    return [
        _kept_value(value, pack)
        if done
        else CallRaised(exception_of(replace(record, raised=value), run, function))
        for done, value in msgspec.json.decode(data)
    ]


class CallRaised:
    """The exception of one call of a chunk."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


def _kept(record: Record, pack: Path) -> Any:
    return parse_json(_packed(record, pack)) if record.json is UNSET else record.json


def _kept_value(value: Any, pack: Path) -> Any:
    if type(value) is not dict:
        return value
    names = set(value)
    if names == {"value"}:
        return value["value"]
    if names == {"pickle"}:
        data = base64.b64decode(value["pickle"])
        return load_checked(data, digest_of(data), "the result")
    if names == {"file", "sha256"}:
        path = pack.parent.parent / FOLDER / Path(value["file"]).name
        return load_checked(read_private(str(path)), value["sha256"], f"{path}")
    return value


def _packed(record: Record, pack: Path) -> bytes:
    if record.text is not None:
        return record.text.encode()
    if record.pack is None:
        raise CallLost(f"call {record.index} has no result in its record")
    offset, length, check = record.pack
    data = read_private(str(pack), offset, length)
    if len(data) != length or crc32(data) != check:
        raise CallLost(f"the result of call {record.index} in {pack} has a wrong checksum")
    return data


def exception_of(record: Record, run: Path, function: str = "") -> BaseException:
    """Return the exception of a call that failed, with its traceback there as its cause."""
    cause = record.cause or record.outcome
    lost = CallLost(f"call {record.index}: {record.outcome}: {cause}")
    lost.add_note(f"packhorse logs {run.name} {record.index}")
    if not record.raised:
        return lost
    text = record.raised.get("traceback", "")
    data = base64.b64decode(record.raised.get("pickle", ""))
    error: BaseException = lost
    try:
        found = load_checked(data, digest_of(data), "the exception") if data else lost
        error = found if isinstance(found, BaseException) else lost
    except Exception as failure:  # noqa: BLE001 - an exception of any library, whose pickle may raise anything
        lost.add_note(f"the exception itself cannot be read here: {failure!r}")
    error.__cause__ = RemoteTraceback(with_source_lines(text, function))
    return error
