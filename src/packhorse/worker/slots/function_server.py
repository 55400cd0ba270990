"""A slot of functions: a persistent interpreter of the study's environment that calls one function per task."""

import importlib
import inspect
import json
import mmap
import os
import resource
import shutil
import signal
import struct
import sys
import time
import traceback

from packhorse.worker.slots import process
from packhorse.worker.slots.channel import Messages, message
from packhorse.worker.slots.reporter import Reporter, log_text
from packhorse.worker.slots.seeding import Seeding, numpy_generator
from packhorse.worker.tasks import checkpoint
from packhorse.worker.tasks.artifacts import clear_artifacts, keep_artifacts
from packhorse.worker.tasks.result import INLINE, LARGEST, attach
from packhorse.worker.tasks.slot_folders import clear
from packhorse.worker.tasks.task import Task, index_variables, known_text

CURRENT = struct.Struct("=qd")  # index + 1 of the task under way (0: none), monotonic time of its start
SHORT = 0.001  # seconds; records of tasks that took less wait for each other
PATIENCE = 0.01  # seconds that they may wait
EXTRAS = ("seed", "seed32", "replicate", "index", "count", "checkpoint", "scratch", "deadline")


class NotPlain(TypeError):
    """A function returned something that has no plain form."""


def _fields(value):
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


# What a value can do -> its plain form; the first that fits counts.
PLAIN = (
    ("to_dicts", lambda value: value.to_dicts()),  # polars
    ("columns", lambda value: value.to_dict("records")),  # pandas
    ("tolist", lambda value: value.tolist()),  # NumPy scalars and arrays, pandas series
    ("item", lambda value: value.item()),  # a tensor of one element
    ("__dataclass_fields__", _fields),
    ("isoformat", lambda value: value.isoformat()),
    ("__fspath__", os.fspath),
)


def plain(value):
    """Return the plain form of what JSON does not know: NumPy, dataclasses, data frames, paths, sets."""
    for name, form in PLAIN:
        if hasattr(value, name):
            return form(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise NotPlain(
        "the function returned a %s, which has no place in a table; return numbers, text, dicts, "
        "lists of dicts, dataclasses or data frames" % type(value).__name__
    )


ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, default=plain)


def _json(value):
    """Return a value as JSON bytes; lone surrogates are escaped, which is still JSON."""
    said = ENCODER.encode(value)
    try:
        return said.encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"), default=plain).encode("ascii")


def _given():
    """Return what the function gave to packhorse.task.result, if it did."""
    told = sys.modules.get("packhorse.task")
    return None if told is None else told.given()


def find(said):
    """Return the function module:name."""
    found = importlib.import_module(said["module"])
    for part in said["name"].split("."):
        found = getattr(found, part)
    return found


def wanted(function, names):
    """Return which extra keyword arguments the function takes beside the parameters."""
    try:
        known = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return (), False
    extras = tuple(name for name in EXTRAS if name in known and name not in names)
    return extras, "rng" in known and "rng" not in names


class Server(object):
    """Calls the study's function for what the worker sends."""

    def __init__(self, channel, work, space, place, number):
        self.channel, self.work, self.space, self.place = channel, work, space, place
        self.number = number
        self.reporter = Reporter(channel, PATIENCE)
        self.seeding = Seeding()
        sys.meta_path.insert(0, self.seeding)
        self.function = find(work["function"])
        self.extras, self.rng = wanted(self.function, space.names)
        # Whether nothing but the result is to be looked after, so that the short way is right.
        self.plain = not (work["artifacts"] or work["checkpoint"])
        with open(place.current, "r+b") as stream:
            self.current = mmap.mmap(stream.fileno(), CURRENT.size)
        self.home = os.open(place.folder, os.O_RDONLY)

    def serve(self):
        """Run what the worker sends until it goes away."""
        messages = Messages()
        self.reporter.say({"ready": True})
        while True:
            self.reporter.flush()
            said = messages.receive(self.channel)
            if said is None:
                return
            for header, _ in said:
                for start, stop in header["run"]:
                    for index in range(start, stop):
                        self._task(index)

    def _task(self, index):
        task = Task(self.work, self.space, self.place, index)
        attempt, earlier = 1, []
        while True:
            failed = self._attempt(task, attempt, earlier)
            if failed is None:
                break
            earlier.append(failed)
            attempt += 1
        CURRENT.pack_into(self.current, 0, 0, 0.0)

    def arguments(self, task):
        """Return the keyword arguments of one call."""
        found = dict(task.parameters)
        for name in self.extras:
            found[name] = task.value(name)
        if self.rng:
            found["rng"] = numpy_generator(task.seed)
        return found

    def _attempt(self, task, attempt, earlier):
        """Call once and report; return why it failed when it shall be tried again."""
        self._prepare(task)
        call = Call()
        CURRENT.pack_into(self.current, 0, task.index + 1, time.monotonic())
        call.run(self.function, self.arguments, task)
        stdout, stderr = _printed(1, sys.stdout), _printed(2, sys.stderr)
        head = self._head(task, call)
        if self.plain and call.is_short() and attempt == 1 and not stdout and not stderr:
            body = b"}" if call.said == b"null" else b',"json":' + call.said + b"}"
            self.reporter.line(head.encode("ascii") + body, call.wall, call.cpu)
            if call.wall < SHORT:
                self.reporter.flush_if_due()
            else:
                self.reporter.flush()  # the next one may take as long again
            return None
        record = json.loads(head + "}")
        if attempt > 1:
            record["attempt"] = attempt
        if earlier:
            record["earlier"] = earlier
        packed = call.frame(record)
        if record.get("outcome") == "FAILED":
            stderr += call.traceback()
            if attempt <= self.work["retries"]:
                return record["cause"]
        else:
            self._keep(task, record)
        log = log_text(task.index, attempt, record.get("outcome", "OK"), stdout, stderr)
        self.reporter.add(record, log, packed)
        self.reporter.flush()
        return None

    def _prepare(self, task):
        # Parameters come as arguments; one variable is enough for packhorse.task, and a dozen would cost
        # more than a short function does.
        os.environ["PACKHORSE_TASK"] = known_text(task)
        if self.work["index_variable"]:
            os.environ.update(index_variables(task))
        if task.checkpoint:
            checkpoint.prepare(task)
        clear_artifacts(self.work, self.place)
        os.chdir(self.home)  # an earlier task may have left it
        self.seeding.begin(task)
        told = sys.modules.get("packhorse.task")
        if told is not None:
            told.begin()

    def _head(self, task, call):
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1 if process.LINUX else 1024)
        return '{"index":%d,"seed":%d,"begin":%.3f,"wall":%.6f,"cpu":%.6f,"memory":%d,"slot":%d' % (
            task.index,
            task.seed,
            call.begin,
            call.wall,
            call.cpu,
            memory,
            self.number,
        )

    def _keep(self, task, record):
        kept = keep_artifacts(self.work, self.place, task.index)
        if kept:
            record["artifacts"] = kept
        if task.checkpoint:
            shutil.rmtree(task.checkpoint, ignore_errors=True)
        if os.listdir(self.place.scratch):
            clear(self.place.scratch)


class Call(object):
    """One call of the function: its result as JSON bytes or its error, and its times."""

    __slots__ = ("begin", "cpu", "error", "said", "wall")

    def __init__(self):
        self.error = self.said = None
        self.begin = time.time()
        self.wall = self.cpu = 0.0

    def run(self, function, arguments, task):
        """Call; whatever the function raises is kept, so that only this task fails."""
        begun, cpu = time.perf_counter(), time.process_time()
        try:
            value = function(**arguments(task))
            self.said = _json(_given() if value is None else value)
        except BaseException as error:
            self.error = error
        self.wall, self.cpu = time.perf_counter() - begun, time.process_time() - cpu

    def is_short(self):
        """Tell whether the result fits a journal line."""
        return self.error is None and len(self.said) <= INLINE

    def frame(self, record):
        """Put outcome and result into a record; return the bytes that go to the pack, or None."""
        if self.error is not None:
            record.update(outcome="FAILED", exit=1, cause=_cause(self.error))
        elif len(self.said) > LARGEST:
            record.update(
                outcome="FAILED", exit=0, cause="the result has more than 64 MiB; name a file in artifacts:"
            )
        elif self.said != b"null":
            return attach(record, self.said, "json")
        return None

    def traceback(self):
        """Return what Python says of the error."""
        return _traceback(self.error) if self.error is not None else b""


def _printed(descriptor, stream):
    """Return what a task printed, and forget it."""
    try:
        stream.flush()
    except (OSError, ValueError, AttributeError):
        pass
    try:
        size = os.lseek(descriptor, 0, os.SEEK_END)  # cheaper than fstat, and done for every task
    except OSError:
        return b""  # the task has closed it, or put a pipe in its place
    if not size:
        return b""
    data = os.pread(descriptor, size, 0)
    os.ftruncate(descriptor, 0)
    return data


def _cause(error):
    said = traceback.format_exception_only(type(error), error)[-1].strip()
    return said.splitlines()[-1][:300] if said else type(error).__name__


def _traceback(error):
    rows = traceback.format_exception(type(error), error, error.__traceback__ and error.__traceback__.tb_next)
    return "".join(rows).encode("utf-8", "surrogateescape")


def main(channel, work, space, place, number):
    """Serve function calls over `channel` until the worker closes it."""
    process.die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for descriptor, name in ((1, place.stdout), (2, place.stderr)):
        file = os.open(name, os.O_RDWR | os.O_APPEND)
        os.dup2(file, descriptor)
        os.close(file)
    os.chdir(place.folder)
    os.environ.pop("PACKHORSE_OUTPUT", None)  # task.result gives to us, not to a file
    sys.path[0:0] = [path for path in place.search + [place.folder] if path not in sys.path]
    sys.argv = [work["function"]["module"]]
    try:
        server = Server(channel, work, space, place, number)
    except BaseException as error:  # whatever the module raises when imported, the user must hear it
        said = _traceback(error).decode("utf-8", "replace")
        channel.sendall(_cannot_import(work, said, _cause(error)))
        return
    server.serve()


def _cannot_import(work, said, cause):
    name = "%s:%s" % (work["function"]["module"], work["function"]["name"])
    return message({"broken": "cannot import %s: %s" % (name, cause), "traceback": said[-4000:]})
