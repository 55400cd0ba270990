"""Calls that a user's Python made: functions and arguments from the folder `calls` of a run, and results of any type.

A task of such a run is one call; its only parameter is the number of the call. What is plain JSON travels as JSON, the rest
as pickles of the user's own process: a pickle is loaded only from a file that its user owns, that no other user can write,
and whose digest is the one that was written beside the call.
"""

import base64
import bisect
import hashlib
import importlib
import io
import json
import mmap
import os
import pickle  # noqa: TID251 - of the user's own process, checked before it is loaded
import sys
import traceback
from array import array

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from packhorse.worker.work_file import Work

MODULE, CALL = "packhorse.worker.calls", "call"  # what a study of calls has as its function
PICKLED = "pickled_"  # before the digest of a pickled function, in the place of its name
FOLDER = "calls"
RESULT = ".result"  # after the digest of a pickled result, in the name of its file
LARGE = 1 << 20  # bytes of a pickled result that gets a file of its own
RAISED = 1 << 16  # bytes of a pickled exception that its record holds
SHORT = 1000  # items of a list or dict that is kept as JSON
INTEGERS = 1 << 63  # larger ones lose digits in some readers of JSON
SCALARS = frozenset([bool, str, type(None)])


def is_plain(value: "Any") -> bool:
    """Return whether a value is the same after a way through JSON: exact types, finite numbers, text that is Unicode."""
    kind = type(value)
    if kind is int:
        return bool(-INTEGERS <= value < INTEGERS)
    if kind is float:
        return bool(value - value == 0.0)  # neither NaN nor infinite
    if kind is str:
        return not _has_surrogates(value)
    if kind in SCALARS:
        return True
    if kind is list:
        return all(map(is_plain, value))
    if kind is dict:
        return all(type(name) is str and is_plain(name) and is_plain(one) for name, one in value.items())
    return False


def _has_surrogates(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def digest_of(data: "Any") -> str:
    """Return the digest by which a pickle is checked."""
    return hashlib.sha256(data).hexdigest()


class Refused(Exception):
    """A pickle is not loaded, since it may not be what the user's process wrote."""


def open_private(path: str) -> "io.BufferedReader":
    """Open a file that only its user can write; raise Refused for any other."""
    stream = io.open(path, "rb")  # noqa: SIM115 - the caller closes it
    status = os.fstat(stream.fileno())
    if status.st_uid == os.geteuid() and not status.st_mode & 0o022:
        return stream
    stream.close()
    raise Refused("%s is not loaded: another user owns it or can write it; chmod go-w %s" % (path, path))


def read_private(path: str, offset: int = 0, length: "int | None" = None) -> bytes:
    """Return bytes of a file that only its user can write; raise Refused for any other."""
    with open_private(path) as stream:
        stream.seek(offset)
        return stream.read() if length is None else stream.read(length)


def check_digest(data: "Any", digest: str, what: str) -> None:
    """Raise Refused where the digest of bytes is another."""
    if digest_of(data) != digest:
        raise Refused("%s is not loaded: its digest is not the one that was written with the call" % what)


def load_checked(data: bytes, digest: str, what: str, buffers: "Any" = ()) -> "Any":
    """Return the object of a pickle with this digest; raise Refused where the digest is another."""
    check_digest(data, digest, what)
    if buffers:  # of a Python that has them
        return pickle.loads(data, buffers=buffers)  # novermin  # noqa: S301 - checked above
    return pickle.loads(data)  # noqa: S301 - checked above


def dumps(value: "Any") -> bytes:
    """Return the pickle of a value; of one that only cloudpickle can take, by that."""
    try:
        return pickle.dumps(value, 4 if sys.version_info < (3, 8) else 5)
    except Exception:
        import cloudpickle

        data: bytes = cloudpickle.dumps(value)
        return data


class CallFile(object):
    """One file of calls, which may still grow: line 0 is its header, line n the call `first` + n - 1."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.first = int(os.path.basename(path).split(".")[0])
        self.starts = array("Q")  # offsets of the calls' lines
        self.end = 0  # of the last complete line
        self.stream = io.open(path, "rb")  # noqa: SIM115 - it stays open as long as the process

    def line(self, number: int) -> "bytes | None":
        """Return the line of a call, or None where it is not there yet."""
        at = number - self.first + 1
        if at >= len(self.starts):
            self._read_on()
        if at >= len(self.starts):
            return None
        stop = self.starts[at + 1] if at + 1 < len(self.starts) else self.end
        return os.pread(self.stream.fileno(), stop - self.starts[at], self.starts[at])

    def _read_on(self) -> None:
        self.stream.seek(self.end)
        data = self.stream.read()
        start = 0
        while True:
            stop = data.find(b"\n", start)
            if stop < 0:
                break
            self.starts.append(self.end + start)
            start = stop + 1
        self.end += start


class ChunkFailed(Exception):
    """Calls of a chunk raised exceptions; `packhorse_raised` holds the outcome of every call."""

    packhorse_raised: "dict[str, str]" = {}


class Caller(object):
    """Calls the function of one call with its arguments: the function of every task of a run of calls."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.folder = os.path.join(directory, FOLDER)
        self.functions: "dict[str, Callable[..., Any]]" = {}
        self.files: "list[CallFile]" = []
        self.checked: "set[str]" = set()
        self.mapped: "dict[str, mmap.mmap]" = {}  # by digest
        self.last: "tuple[int, dict[int, Any]]" = (
            -1,
            {},
        )  # the chunk of calls before, and results by position

    def __call__(self, call: int) -> "Any":
        """Make one call, or a chunk of them; return what the record of the task can hold."""
        entry, file = self._entry(call)
        position = None
        if "of" in entry:
            call, position = entry["of"]
            entry, file = self._entry(call)
        function = self._function(entry["function"])
        args, kwargs = self._arguments(call, entry, file)
        if position is not None:
            args = args[position]
        elif "chunk" in entry:
            return self._chunk(call, function, args)
        try:
            return kept_result(self.folder, function(*args, **kwargs))
        except BaseException as error:
            note_raised(error)
            raise

    def _arguments(self, call: int, entry: "dict[str, Any]", file: CallFile) -> "tuple[Any, dict[str, Any]]":
        """Return the arguments of a call by position and by name; of a chunk, a list of those by position."""
        args, kwargs = entry.get("args", ()), entry.get("kwargs", {})
        if "pickle" in entry:
            offset, length, digest = entry["pickle"]
            path = file.path[: -len("ndjson")] + "pickles"
            buffers = [
                self._buffer(name, shared=bool(entry.get("shared"))) for name in entry.get("buffers", ())
            ]
            what = "an argument of call %d" % call
            args, kwargs = load_checked(read_private(path, offset, length), digest, what, buffers)
        return args, kwargs

    def _chunk(self, call: int, function: "Callable[..., Any]", chunk: "list[Any]") -> "list[Any]":
        """Make the calls of a chunk; return their results. Raise ChunkFailed, which has them too, if a call raises."""
        earlier = self.last[1] if self.last[0] == call else {}  # of the attempt before
        results: "dict[int, Any]" = {}
        raised: "dict[int, dict[str, str]]" = {}
        first = ""
        for position, args in enumerate(chunk):
            try:
                results[position] = (
                    earlier[position] if position in earlier else kept_result(self.folder, function(*args))
                )
            except MemoryError:  # each call is made again by itself, with more memory where the study says so
                raise
            except BaseException as error:
                note_raised(error)
                raised[position] = getattr(error, "packhorse_raised", {})
                first = first or "%s: %s" % (type(error).__name__, error)
        self.last = (call, results)
        if not raised:
            return [results[position] for position in range(len(chunk))]
        failed = ChunkFailed("%d of %d calls failed, the first with %s" % (len(raised), len(chunk), first))
        outcomes = [
            [position in results, results.get(position, raised.get(position))]
            for position in range(len(chunk))
        ]
        failed.packhorse_raised = kept_outcomes(self.folder, outcomes)
        raise failed

    def _buffer(self, digest: str, *, shared: bool) -> "Any":
        """Return the bytes of a large array: mapped once and not writable if `shared`, else a copy of the call's own."""
        path = os.path.join(self.folder, digest + ".buffer")
        if not shared:
            data = bytearray(read_private(path))
            if digest not in self.checked:
                check_digest(data, digest, path)
                self.checked.add(digest)
            return data
        if digest not in self.mapped:
            with open_private(path) as stream:
                mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
            check_digest(mapped, digest, path)
            self.mapped[digest] = mapped
        return self.mapped[digest]

    def _entry(self, call: int) -> "tuple[dict[str, Any], CallFile]":
        for again in (False, True):
            at = bisect.bisect_right([file.first for file in self.files], call) - 1
            line = self.files[at].line(call) if at >= 0 else None
            if line is not None:
                return json.loads(line.decode("utf-8")), self.files[at]
            if not again:
                self._find_files()
        raise RuntimeError("call %d is in no file of %s" % (call, self.folder))

    def _find_files(self) -> None:
        known = {file.path for file in self.files}
        names = sorted(name for name in os.listdir(self.folder) if name.endswith(".ndjson"))
        paths = [os.path.join(self.folder, name) for name in names if name[:1].isdigit()]
        self.files += [CallFile(path) for path in paths if path not in known]
        self.files.sort(key=lambda file: file.first)

    def _function(self, name: str) -> "Callable[..., Any]":
        found = self.functions.get(name)
        if found is None:
            found = self.functions[name] = named_function(self.directory, name)
        return found


class Mapped(object):
    """A pickled function of a study, whose results may be of any type; levels that are not plain are named as it is."""

    def __init__(self, directory: str, name: str) -> None:
        self.directory, self.folder = directory, os.path.join(directory, FOLDER)
        self.function = named_function(directory, name)
        self.__wrapped__ = self.function  # for its signature
        self.values: "dict[str, Any]" = {}

    def __call__(self, **arguments: "Any") -> "Any":
        """Call the function; return its result in a form that the record of the task can hold."""
        arguments = {name: self._value(value) for name, value in arguments.items()}
        try:
            value = self.function(**arguments)
            return value if value is None else kept_result(self.folder, value)
        except BaseException as error:
            note_raised(error)
            raise

    def _value(self, value: "Any") -> "Any":
        if type(value) is not str or not value.startswith(PICKLED) or len(value) != len(PICKLED) + 64:
            return value
        if value not in self.values:
            self.values[value] = named_function(self.directory, value)
        return self.values[value]


WRAPPED = frozenset(["value", "pickle", "file", "sha256"])


def kept_result(folder: str, value: "Any") -> "Any":
    """Return a result in a form that the record of a task can hold: JSON, or a pickle in base64, or in a file of its own."""
    if type(value) is dict and value and is_row(value):
        return value
    if (type(value) not in (list, dict) or len(value) <= SHORT) and is_plain(value):
        return {"value": value}
    data = dumps(value)
    if len(data) <= LARGE:
        return {"pickle": base64.b64encode(data).decode("ascii")}
    return _kept_file(folder, data)


def kept_outcomes(folder: str, outcomes: "list[Any]") -> "dict[str, str]":
    """Return where a record finds the outcomes of a chunk, each `[true, result]` or `[false, exception]`, as JSON."""
    text = json.dumps(outcomes, separators=(",", ":"))
    return {"outcomes": text} if len(text) <= RAISED else _kept_file(folder, text.encode("ascii"))


def _kept_file(folder: str, data: bytes) -> "dict[str, str]":
    digest = digest_of(data)
    name = digest + RESULT
    private = os.path.join(folder, ".%s.%d" % (name, os.getpid()))
    descriptor = os.open(private, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    with io.open(descriptor, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    os.rename(private, os.path.join(folder, name))
    return {"file": name, "sha256": digest}


def is_row(value: "dict[Any, Any]") -> bool:
    """Return whether a dict is a row of the table as it is: names and plain values that are not nested."""
    if WRAPPED.intersection(value) or "" in value:
        return False
    return all(type(one) not in (dict, list) for one in value.values()) and is_plain(value)


def named_function(directory: str, name: str) -> "Callable[..., Any]":
    """Return a function by `module:name`, or a pickled one by its digest, from the folder `calls` of a run."""
    if name.startswith(PICKLED):
        path = os.path.join(directory, FOLDER, name)
        found: "Callable[..., Any]" = load_checked(read_private(path), name[len(PICKLED) :], "the function")
        return found
    module, _, attribute = name.partition(":")
    value: "Any" = importlib.import_module(module)
    for part in attribute.split("."):
        value = getattr(value, part)
    function: "Callable[..., Any]" = value
    return function


def function_of(work: "Work") -> "Callable[..., Any]":
    """Return the function of a study: one that is imported, a pickled one, or the one that makes calls."""
    target = work["function"]
    assert target is not None
    if target["module"] != MODULE:
        return named_function(work["directory"], "%s:%s" % (target["module"], target["name"]))
    if target["name"] == CALL:
        return Caller(work["directory"])
    return Mapped(work["directory"], target["name"])


def note_raised(error: BaseException) -> None:
    """Put an exception and its traceback, as text, into an attribute of it, which the record of the task will hold."""
    rows = traceback.format_exception(type(error), error, error.__traceback__ and error.__traceback__.tb_next)
    text = "".join(rows)[-RAISED // 2 :]
    try:
        data = dumps(error)
    except BaseException:
        data = b""
    if len(data) > RAISED:
        data = b""
    raised = {"pickle": base64.b64encode(data).decode("ascii"), "traceback": text}
    try:
        error.packhorse_raised = raised  # type: ignore[attr-defined]
    except Exception:  # noqa: S110 - an exception without attributes; its record then has the cause alone
        pass
