"""A slot of functions: a persistent interpreter of the study's environment that calls one function per task."""

import importlib
import inspect
import json
import mmap
import os
import random
import resource
import signal
import struct
import sys
import time
import traceback

from packhorse.worker import process
from packhorse.worker.channel import Messages, message
from packhorse.worker.fill import Task, index_variables
from packhorse.worker.report import INLINE, LARGEST, Reporter, attach, log_text

CURRENT = struct.Struct("=qd")  # index + 1 of the task under way (0: none), monotonic time of its start
EXTRAS = ("seed", "seed32", "replicate", "index", "count", "checkpoint", "scratch", "deadline")


class NotPlain(TypeError):
    """A function returned something that has no plain form."""


def plain(value):
    """Return the plain form of what JSON does not know: NumPy, dataclasses, data frames, paths, sets."""
    if hasattr(value, "to_dicts"):  # polars
        return value.to_dicts()
    if hasattr(value, "to_dict") and hasattr(value, "columns"):  # pandas
        return value.to_dict("records")
    if hasattr(value, "tolist"):  # NumPy scalars and arrays, pandas series
        return value.tolist()
    if hasattr(value, "item"):  # a tensor of one element
        return value.item()
    if hasattr(value, "__dataclass_fields__"):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
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


def seed_generators(task):
    """Give the process-wide generators a state that depends on the task alone, not on what ran before."""
    random.seed(task.seed)
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed(task.seed32)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(task.seed)


def numpy_generator(seed):
    """Return numpy's recommended generator for a seed."""
    import numpy

    return numpy.random.default_rng(seed)


class Server(object):
    """Calls the study's function for what the worker sends."""

    def __init__(self, channel, work, space, place, number):
        self.channel, self.work, self.space, self.place = channel, work, space, place
        self.number = number
        self.reporter = Reporter(channel)
        self.function = find(work["function"])
        self.extras, self.rng = wanted(self.function, space.names)
        with open(place.current, "r+b") as stream:
            self.current = mmap.mmap(stream.fileno(), CURRENT.size)

    def serve(self):
        """Run what the worker sends until it goes away."""
        messages = Messages()
        self.reporter.say({"ready": True})
        while True:
            data = self.channel.recv(1 << 16)
            if not data:
                return
            for header, _ in messages.feed(data):
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
        os.environ["PACKHORSE_TASK"] = json.dumps(task.known())
        os.environ.update(index_variables(task))
        if task.checkpoint:
            os.makedirs(task.checkpoint, exist_ok=True)
        seed_generators(task)
        error = None
        begin, begun, cpu = time.time(), time.perf_counter(), time.process_time()
        CURRENT.pack_into(self.current, 0, task.index + 1, time.monotonic())
        try:
            value = self.function(**self.arguments(task))
            said = _json(value)
        except KeyboardInterrupt:
            raise
        except BaseException as caught:  # a task may raise anything, and only this task shall fail
            error = caught
        wall, cpu = time.perf_counter() - begun, time.process_time() - cpu
        stdout, stderr = _printed(1, sys.stdout), _printed(2, sys.stderr)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1 if process.LINUX else 1024)
        head = '{"index":%d,"seed":%d,"begin":%.3f,"wall":%.6f,"cpu":%.6f,"memory":%d,"slot":%d' % (
            task.index, task.seed, begin, wall, cpu, memory, self.number,
        )
        if error is None and not stdout and not stderr and attempt == 1 and len(said) <= INLINE:
            body = head.encode("ascii")
            body += b"}" if said == b"null" else b',"json":' + said + b"}"
            self.reporter.line(body, wall, cpu)
            return None
        record = json.loads(head + "}")
        if attempt > 1:
            record["attempt"] = attempt
        packed = None
        if error is not None:
            stderr += _traceback(error)
            record.update(outcome="FAILED", exit=1, cause=_cause(error))
            if attempt <= self.work["retries"]:
                return record["cause"]
        elif len(said) > LARGEST:
            record.update(outcome="FAILED", exit=0, cause="the result has more than 64 MiB; save it as an artifact")
        elif said != b"null":
            packed = attach(record, said, "json")
        if earlier:
            record["earlier"] = earlier
        log = log_text(task.index, attempt, record.get("outcome", "OK"), stdout, stderr)
        self.reporter.add(record, log, packed)
        return None


def _printed(descriptor, stream):
    """Return what a task printed, and forget it."""
    try:
        stream.flush()
    except (OSError, ValueError, AttributeError):
        pass
    size = os.fstat(descriptor).st_size
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
