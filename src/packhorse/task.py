"""What a script can use while it runs as a task: parameters, seeds, deadline, result, checkpoint.

    from packhorse import task

    rng = task.rng()
    task.result(mean=rng.normal(size=task.params["n"]).mean())

Everything is read from the environment at each access, because one process may serve many tasks in turn.
Outside a run, the same script has no parameters, and a new seed is drawn and printed once.
Standard library only, Python 3.6: this file is copied to every run.
"""

import atexit
import errno
import json
import math
import os
import pathlib
import random as _random
import shutil
import sys
import tempfile
import time
import types

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing is slow to import for a script of 20 ms
    from collections.abc import Callable
    from typing import Any

# For type checkers and readers: these are properties of the module, see _Module.
params: "Params"
index: int
count: int
replicate: int
seed: int
seed32: int
deadline: "float | None"
scratch: pathlib.Path
checkpoint: "pathlib.Path | None"


class Params(dict):  # type: ignore[type-arg]
    """The task's parameters: a dict whose values are also attributes."""

    def __missing__(self, name: str) -> "Any":
        known = ", ".join(map(str, self)) or "none"
        raise KeyError(f"this task has no parameter {name!r}; its parameters: {known}")

    def __getattr__(self, name: str) -> "Any":
        try:
            return self[name]
        except KeyError as error:
            raise AttributeError(error.args[0]) from None


class _Task:
    """One task: the values from its environment, and its result so far."""

    def __init__(self, source: "str | None") -> None:
        self.source = source  # JSON, or the path of a file with it
        self.result: "Any" = None
        facts = _facts(source) if source else _outside_run()
        self.params = Params(facts.get("params") or {})
        self.index = facts.get("index", 0)
        self.count = facts.get("count", 1)
        self.replicate = facts.get("replicate", 0)
        self.deadline = facts.get("deadline")
        self._seed, self._seed32 = facts.get("seed"), facts.get("seed32")
        self._scratch, self._checkpoint = facts.get("scratch"), facts.get("checkpoint")

    def seeds(self) -> "tuple[int, int]":
        """Return (seed, seed32); outside a run they are drawn once and printed, so that the script can be repeated."""
        if self._seed is None:
            self._seed = _random.SystemRandom().getrandbits(63)
            sys.stderr.write(
                f"packhorse: not inside a run, so a seed was drawn; to repeat: PACKHORSE_SEED={self._seed}\n"
            )
        if self._seed32 is None:
            self._seed32 = self._seed & 0x7FFFFFFF
        return self._seed, self._seed32

    def scratch(self) -> pathlib.Path:
        """Return the scratch folder; outside a run a temporary one that is removed when the process exits."""
        if not self._scratch:
            self._scratch = tempfile.mkdtemp(prefix="packhorse-")
            atexit.register(shutil.rmtree, self._scratch, ignore_errors=True)
        return pathlib.Path(self._scratch)

    def checkpoint(self) -> "pathlib.Path | None":
        return pathlib.Path(self._checkpoint) if self._checkpoint else None


def _facts(source: str) -> "dict[str, Any]":
    if not source.startswith("{"):
        with open(source, encoding="utf-8") as file:
            source = file.read()
    facts: "dict[str, Any]" = json.loads(source)
    return facts


def _outside_run() -> "dict[str, Any]":
    seed = os.environ.get("PACKHORSE_SEED")
    return {"seed": int(seed)} if seed else {}


_state: "dict[str, Any]" = {"task": None, "registered": False}


def _task() -> _Task:
    # A task whose parameters are too long for a variable has them in a file.
    source = os.environ.get("PACKHORSE_TASK") or os.environ.get("PACKHORSE_TASK_FILE")
    task: "_Task | None" = _state["task"]
    if task is None or task.source != source:
        task = _Task(source)
        _state["task"] = task
    return task


def begin() -> None:
    """Forget the current task; a function server calls this before each task."""
    _state["task"] = None


def given() -> "Any":
    """Return the value given to `result`, once; a function server calls this if a function returns None."""
    task = _task()
    value, task.result = task.result, None
    return value


class _Module(types.ModuleType):
    # A module's own __getattr__ came with Python 3.7; changing its class works since 3.5.
    params = property(lambda _: _task().params)
    index = property(lambda _: _task().index)
    count = property(lambda _: _task().count)
    replicate = property(lambda _: _task().replicate)
    seed = property(lambda _: _task().seeds()[0])
    seed32 = property(lambda _: _task().seeds()[1])
    deadline = property(lambda _: _task().deadline)
    scratch = property(lambda _: _task().scratch())
    checkpoint = property(lambda _: _task().checkpoint())

    def __call__(self, function: "Any" = None, **resources: "Any") -> "Any":
        """Decorate a function with the resources of one call: `@packhorse.task(cores=4, memory="2 GB")`."""

        def decorate(function: "Any") -> "Any":
            function.packhorse_resources = resources
            return function

        return decorate if function is None else decorate(function)


sys.modules[__name__].__class__ = _Module


def seconds_left() -> float:
    """Return the seconds until the task's deadline, infinity if it has none."""
    until = _task().deadline
    return math.inf if until is None else until - time.time()


def rng(stream: "int | None" = None) -> "Any":
    """Return a numpy Generator seeded for this task.

    Each call returns the same stream; `rng(0)`, `rng(1)`, ... are independent streams of the task
    (spawn keys of numpy's SeedSequence).
    """
    try:
        import numpy
    except ImportError:
        raise ImportError(
            "task.rng() needs numpy, which is not installed; task.random() does not need it"
        ) from None
    key = () if stream is None else (stream,)
    return numpy.random.Generator(
        numpy.random.PCG64(numpy.random.SeedSequence(_task().seeds()[0], spawn_key=key))
    )


def random(stream: "int | None" = None) -> _random.Random:
    """Return a `random.Random` of the standard library, seeded for this task; streams as in `rng`."""
    seed = str(_task().seeds()[0])
    return _random.Random(seed if stream is None else f"{seed}/{stream}")


def input(name: str, path: str = "") -> "Any":  # noqa: A001 - the word of the study's key
    """Return a shared input of the study: a read-only NumPy array, or a pyarrow.Table, mapped into memory.

    Outside a run, `path` names the file. Raise RuntimeError where it is missing, has changed, or cannot be read.
    """
    from packhorse.task_inputs import open_input  # not needed by a script without inputs

    return open_input(name, path)


def result(*rows: "Any", **values: "Any") -> None:
    """Set the task's result: `result(mean=m, sd=s)`, `result({"mean": m})` or a list of rows.

    Values of several calls are merged; a list of rows replaces them. The result is written to the file that
    PACKHORSE_OUTPUT names, otherwise it is printed as the last line of the process.
    """
    task = _task()
    task.result = _joined(task.result, rows, values)
    text = json.dumps(task.result, default=_plain, separators=(",", ":"))
    output = os.environ.get("PACKHORSE_OUTPUT")
    if output:
        _replace(pathlib.Path(output), lambda file: file.write(text.encode()), durable=False)
    elif not _state["registered"]:
        _state["registered"] = True
        atexit.register(_print_result)


def _joined(before: "Any", rows: "tuple[Any, ...]", values: "dict[str, Any]") -> "Any":
    if len(rows) > 1 or (rows and not isinstance(rows[0], (dict, list))):
        raise TypeError("task.result takes names and values, one dict, or one list of dicts")
    if rows and isinstance(rows[0], list):
        if values:
            raise TypeError("task.result takes a list of rows or named values, not both")
        return rows[0]
    joined = dict(before) if isinstance(before, dict) else {}
    joined.update(rows[0] if rows else {})
    joined.update(values)
    return joined


def _print_result() -> None:
    value = given()
    if value is not None:
        # A new line even if the script printed dots without a newline.
        sys.stdout.write("\n" + json.dumps(value, default=_plain, separators=(",", ":")) + "\n")
        sys.stdout.flush()


def _plain(value: "Any") -> "Any":
    """Return the plain form of a value that json does not know: arrays, data frames, paths, dates."""
    from packhorse.task_values import plain  # not needed by a script whose values are plain

    return plain(value)


def save(path: "str | os.PathLike[str]", data: "Any") -> None:
    """Write a file atomically and durably: it is complete or does not exist, and is on disk on return.

    `data` is bytes, text, a function that writes to the binary file passed to it
    (`lambda f: numpy.save(f, x)`), or, for a path ending in .json, any JSON value.
    """
    _replace(pathlib.Path(path), _writer(path, data), durable=True)


def _writer(path: "str | os.PathLike[str]", data: "Any") -> "Callable[[Any], Any]":
    if callable(data):
        return data  # type: ignore[no-any-return]
    if isinstance(data, (bytes, bytearray, memoryview)):
        content = bytes(data)
    elif os.fspath(path).endswith(".json"):
        content = json.dumps(data, default=_plain).encode()
    elif isinstance(data, str):
        content = data.encode()
    else:
        raise TypeError(
            "task.save takes bytes, text or a function that writes to a file; "
            f"for a {type(data).__name__} end the path in .json"
        )
    return lambda file: file.write(content)


def load(
    path: "str | os.PathLike[str]", default: "Any" = None, reader: "Callable[[Any], Any] | None" = None
) -> "Any":
    """Return what `save` wrote to `path`, or `default` if the file does not exist.

    A file whose name ends in .json returns its value, others their bytes; `reader` (`numpy.load`) gets the open binary
    file.
    """
    try:
        with open(os.fspath(path), "rb") as file:
            if reader is not None:
                return reader(file)
            content = file.read()
    except FileNotFoundError:
        return default
    return json.loads(content.decode()) if os.fspath(path).endswith(".json") else content


def _replace(path: pathlib.Path, write: "Callable[[Any], Any]", *, durable: bool) -> None:
    name = f".{path.name[:40]}.{os.getpid()}-{_random.SystemRandom().getrandbits(32):08x}"
    waiting = path.with_name(name)
    try:
        with open(str(waiting), "xb") as file:
            write(file)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(str(waiting), str(path))
    except BaseException:
        if waiting.exists():
            waiting.unlink()
        raise
    if durable:
        _sync_folder(str(path.parent))


def _sync_folder(folder: str) -> None:
    # A rename reaches the disk with its folder; a few file systems refuse to sync one.
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)
