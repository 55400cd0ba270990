"""Shared inputs of a study: arrays and tables of which all tasks on a node use one copy, mapped into memory.

NumPy files and uncompressed Arrow files are mapped as they are. Parquet, CSV and compressed Arrow files are converted once
for each worker, to an Arrow file in its folder for temporary files, by the first task that asks.
Standard library only, Python 3.6: this file is copied to every run, beside task.py. NumPy and pyarrow are those of the
tasks' environment.
"""

import fcntl
import json
import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    State = list[int]  # size in bytes, mtime in ns

VARIABLE = "PACKHORSE_INPUTS"
PATIENCE = 600.0  # seconds to wait for another task that converts a file, as long as it writes nothing
ROWS = 1 << 16  # rows to convert at once


class InputError(RuntimeError):
    """An input that is missing, has changed, or cannot be read."""


_opened = {}  # type: dict[tuple[str, int, int], Any]
_known = {"text": "", "inputs": {}}  # type: dict[str, Any]


def file_state(path: str) -> "State":
    """Return the size and the time of a file. Raise OSError."""
    stats = os.stat(path)
    return [stats.st_size, stats.st_mtime_ns]


def open_input(name: str, path: str = "") -> "Any":
    """Return an input of the study: a read-only NumPy array, or a pyarrow.Table, mapped into memory.

    Outside a run, `path` names the file. Raise InputError for an input that the study does not have, a file that is missing
    or has changed since the worker began, and a library that is not installed.
    """
    path, before, folder = _find(name, path)
    try:
        state = file_state(path)
    except OSError as error:
        raise InputError(f"input {name}: {path}: {error.strerror}") from None
    _check_unchanged(name, path, before or state, state)
    key = (path, state[0], state[1])
    if key not in _opened:
        _opened[key] = _mapped(name, path, state, folder)
    return _opened[key]


def _find(name: str, path: str) -> "tuple[str, State | None, str]":
    """Return the path of an input, its state when the worker began, and the folder for converted files."""
    text = os.environ.get(VARIABLE, "")
    if not text:
        if path:
            # Not by tempfile, which imports random: a project may have a module of that name.
            temporary = os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 - its owner is checked before a file is written
            return os.path.abspath(path), None, os.path.join(temporary, f"packhorse-{os.getuid()}")
        raise InputError(
            f"the study has no inputs, or this is not inside a run: write inputs: {{{name}: FILE}} in the study file; "
            f"outside a run, use input({name!r}, FILE)"
        )
    if text != _known["text"]:
        _known.update(text=text, inputs=json.loads(text))
    files = _known["inputs"]["files"]
    if name not in files:
        raise InputError(f"the study has no input {name!r}; its inputs: {', '.join(sorted(files))}")
    return files[name]["path"], files[name].get("state"), _known["inputs"]["folder"]


def _check_unchanged(name: str, path: str, before: "State", now: "State") -> None:
    if now != before:
        raise InputError(
            f"input {name}: {path} has changed since the run began ({before[0]:,} bytes then, {now[0]:,} now); "
            "tasks of one run must not see different data: start the run again"
        )


def _mapped(name: str, path: str, state: "State", folder: str) -> "Any":
    suffix = os.path.splitext(path)[1].lower()
    library = "numpy" if suffix == ".npy" else "pyarrow"
    try:
        if suffix == ".npy":
            import numpy

            return numpy.load(path, mmap_mode="r", allow_pickle=False)
        return _table(name, path, state, folder)
    except ImportError as error:
        raise InputError(
            f"input {name}: {os.path.basename(path)} needs {library}, which the environment of the tasks does not have "
            f"({error}); add it, for example: pip install {library}"
        ) from None
    except (OSError, ValueError, EOFError) as error:  # pyarrow's errors are ValueErrors
        raise InputError(f"input {name}: {path} cannot be read: {error}") from error


def _table(name: str, path: str, state: "State", folder: str) -> "Any":
    """Return a mapped table; convert the file if no other task has."""
    import pyarrow

    if os.path.splitext(path)[1].lower() in (".arrow", ".feather") and not _is_compressed(path):
        return _read_arrow(path)
    goal = os.path.join(folder, "%s-%d-%d.arrow" % (os.path.basename(path), state[0], state[1]))
    if not os.path.exists(goal):
        os.makedirs(folder, 0o700, exist_ok=True)
        if os.stat(folder).st_uid != os.getuid():
            raise InputError(
                f"input {name}: {folder} belongs to another user; set TMPDIR to a folder of your own"
            )
        with open(goal + ".lock", "w") as lock:
            _acquire(lock.fileno(), goal + ".part", name)
            if not os.path.exists(goal):
                _write_arrow(pyarrow, _batches(path), goal + ".part", name)
                _check_unchanged(name, path, state, file_state(path))
                os.chmod(goal + ".part", 0o400)
                os.rename(goal + ".part", goal)
    return _read_arrow(goal)


def _read_arrow(path: str) -> "Any":
    import pyarrow

    return pyarrow.ipc.open_file(pyarrow.memory_map(path, "r")).read_all()


def _is_compressed(path: str) -> bool:
    """Return whether an Arrow file is compressed: then reading it takes memory of its own."""
    import pyarrow

    with pyarrow.memory_map(path, "r") as source:
        reader = pyarrow.ipc.open_file(source)
        before = pyarrow.total_allocated_bytes()
        batch = reader.get_batch(0) if reader.num_record_batches else None
        return batch is not None and pyarrow.total_allocated_bytes() - before > batch.nbytes // 2 > 0


def _acquire(lock: int, growing: str, name: str) -> None:
    """Wait for the lock of a conversion, as long as the task that has it writes."""
    size, until = -1, time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            pass
        now = os.path.getsize(growing) if os.path.exists(growing) else 0
        if now != size:
            size, until = now, time.monotonic() + PATIENCE
        if time.monotonic() > until:
            raise InputError(
                f"input {name}: another task has converted it for {PATIENCE:.0f} s without progress"
            )
        time.sleep(0.02)


def _batches(path: str) -> "Callable[[bool], tuple[Any, Iterator[Any]]]":
    """Return a function that gives the schema of a file and its batches; True reads all of it at once."""
    suffix = os.path.splitext(path)[1].lower()
    if suffix == ".parquet":
        return lambda whole: _parquet_batches(path)
    if suffix in (".csv", ".tsv"):
        return lambda whole: _csv_batches(path, "," if suffix == ".csv" else "\t", whole)
    return lambda whole: _arrow_batches(path)


def _parquet_batches(path: str) -> "tuple[Any, Iterator[Any]]":
    import pyarrow.parquet

    file = pyarrow.parquet.ParquetFile(path, memory_map=True)
    return file.schema_arrow, file.iter_batches(batch_size=ROWS)


def _csv_batches(path: str, delimiter: str, whole: bool) -> "tuple[Any, Iterator[Any]]":
    import pyarrow.csv

    options = {"parse_options": pyarrow.csv.ParseOptions(delimiter=delimiter)}
    if whole:
        table = pyarrow.csv.read_csv(path, **options)
        return table.schema, iter(table.to_batches())
    reader = pyarrow.csv.open_csv(path, **options)
    return reader.schema, iter(reader)


def _arrow_batches(path: str) -> "tuple[Any, Iterator[Any]]":
    import pyarrow

    reader = pyarrow.ipc.open_file(pyarrow.memory_map(path, "r"))
    return reader.schema, (reader.get_batch(at) for at in range(reader.num_record_batches))


def _write_arrow(
    pyarrow: "Any", read: "Callable[[bool], tuple[Any, Iterator[Any]]]", path: str, name: str
) -> None:
    """Convert a file batch by batch, so that it need not fit into memory."""
    try:
        _write_batches(pyarrow, *read(False), path)
    except pyarrow.ArrowInvalid:
        # A column of a CSV file that begins with integers and has a fraction later: its type needs all rows.
        _write_batches(pyarrow, *read(True), path)
    except OSError as error:
        raise InputError(
            f"input {name}: no converted copy can be written to {os.path.dirname(path)} ({error}); name another folder "
            "with --scratch, or convert the file yourself to .arrow without compression"
        ) from error


def _write_batches(pyarrow: "Any", schema: "Any", batches: "Iterator[Any]", path: str) -> None:
    # A file of batches has one dictionary for each column, but those of Parquet may differ from batch to batch.
    plain = pyarrow.schema(
        [
            field.with_type(field.type.value_type) if pyarrow.types.is_dictionary(field.type) else field
            for field in schema
        ]
    )
    with open(path, "wb") as sink, pyarrow.ipc.new_file(sink, plain) as writer:
        for batch in batches:
            writer.write_table(pyarrow.Table.from_batches([batch]).cast(plain))
