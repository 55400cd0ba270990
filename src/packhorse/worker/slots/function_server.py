"""A slot of functions: a persistent interpreter of the study's environment that calls one function per task."""

import inspect
import itertools
import json
import mmap
import os
import select
import shutil
import signal
import sys
import time

from packhorse.task_inputs import open_input
from packhorse.worker import process
from packhorse.worker.calls import function_of
from packhorse.worker.slots import usage
from packhorse.worker.slots.call import Call, error_text, error_traceback
from packhorse.worker.slots.call_reporter import CallReporter
from packhorse.worker.slots.channel import MessageReader, message
from packhorse.worker.slots.reporter import log_text
from packhorse.worker.slots.seeding import Seeding, numpy_generator
from packhorse.worker.tasks.artifacts import keep_artifacts
from packhorse.worker.tasks.checkpoint import prepare_checkpoint
from packhorse.worker.tasks.current import CURRENT, HAND_BACK, MEASURED, SIZE
from packhorse.worker.tasks.environment import fits_variable, index_variables, name_task_file, write_task_json
from packhorse.worker.tasks.memory_limit import ProcessLimits
from packhorse.worker.tasks.restore import NotRestored, Restorer
from packhorse.worker.tasks.task import Task, task_json
from packhorse.worker.tasks.task_variable import TaskVariable

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Collection
    from typing import Any

    from packhorse.worker.space import Space
    from packhorse.worker.tasks.slot_folders import SlotFolders
    from packhorse.worker.work_file import Work

SHORT = 0.001  # seconds; calls that took less are measured and reported together
WITH_OTHERS = (
    0.02  # seconds; a call that took less has hardly started processes, whose time is slow to ask for
)
EXTRAS = ("seed", "seed32", "replicate", "index", "count", "checkpoint", "scratch", "deadline")


def extra_arguments(
    function: "Callable[..., Any]", names: "Collection[str]"
) -> "tuple[tuple[str, ...], bool]":
    """Return which keyword arguments a function takes beside the parameters, and whether `rng` is among them."""
    try:
        accepted = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return (), False
    extras = tuple(name for name in EXTRAS if name in accepted and name not in names)
    return extras, "rng" in accepted and "rng" not in names


def accepted_inputs(function: "Callable[..., Any]", names: "Collection[str]") -> "tuple[str, ...]":
    """Return which inputs of the study are arguments of a function; others it gets by packhorse.task.input."""
    try:
        accepted = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return ()
    return tuple(name for name in names if name in accepted)


class FunctionServer(object):
    """Calls the study's function for the tasks that the worker sends."""

    def __init__(
        self,
        channel: "socket.socket",
        work: "Work",
        space: "Space",
        folders: "SlotFolders",
        number: int,
        restorer: Restorer,
    ) -> None:
        self.channel, self.work, self.space, self.folders = channel, work, space, folders
        self.number = number
        self.reporter = CallReporter(channel, number, mapped=bool(work.get("inputs")))
        self.variable = TaskVariable()
        self.exact = (
            True  # whether the processor time of a call is measured by itself: the last one was not short
        )
        self.seeding = Seeding()
        finder: "Any" = self.seeding
        sys.meta_path.insert(0, finder)
        self.function = function_of(work)
        self.restorer = restorer
        restorer.adopt()
        self.extras, self.rng = extra_arguments(self.function, space.names)
        self.inputs = accepted_inputs(self.function, work.get("inputs", {}))
        # Whether a task leaves nothing but its result, so that the short way is right.
        self.result_only = not (work["artifacts"] or work["checkpoint"])
        with open(folders.current, "r+b") as stream:
            self.current = mmap.mmap(stream.fileno(), SIZE)
        self.start_descriptor = os.open(folders.start, os.O_RDONLY)
        self.others = usage.OthersTime(self._lost_seconds())
        self.limits = ProcessLimits()

    def _lost_seconds(self) -> float:
        seconds: float = MEASURED.unpack_from(self.current, CURRENT.size)[2]
        return seconds

    def serve(self) -> None:
        """Run the tasks that the worker sends until it closes the channel."""
        reader = MessageReader()
        self.reporter.send({"ready": True})
        while True:
            self.reporter.flush()
            messages = reader.receive(self.channel)
            if messages is None:
                return
            ranges = [pair for header, _ in messages for pair in header["run"]]
            for index in itertools.chain.from_iterable(range(start, stop) for start, stop in ranges):
                if self.current[HAND_BACK]:
                    break
                self._run_task(index)
            if self.current[HAND_BACK] and not self._hand_back(reader):
                return

    def _hand_back(self, reader: MessageReader) -> bool:
        """Drop all tasks that the worker has sent until now, and say that we are ready; return whether it is there."""
        while select.select([self.channel], [], [], 0)[0]:
            if reader.receive(self.channel) is None:
                return False
        self.reporter.flush()
        self.current[HAND_BACK] = 0
        self.reporter.send({"ready": True})
        return True

    def _run_task(self, index: int) -> None:
        task = Task(self.work, self.space, self.folders, index)
        attempt = 1
        earlier: "list[str]" = []
        while True:
            cause = self._attempt(task, attempt, earlier)
            if cause is None:
                break
            earlier.append(cause)
            attempt += 1
        CURRENT.pack_into(self.current, 0, 0, 0.0)

    def arguments(self, task: Task) -> "dict[str, Any]":
        """Return the keyword arguments of one call."""
        arguments = dict(task.parameters)
        for name in self.extras:
            arguments[name] = task.value(name)
        for name in self.inputs:
            arguments[name] = open_input(name)
        if self.rng:
            arguments["rng"] = numpy_generator(task.seed)
        return arguments

    def _attempt(self, task: Task, attempt: int, earlier: "list[str]") -> "str | None":
        """Call the function once and report it; return the cause of a failure that is tried again."""
        if not self._prepared(task):
            return None
        call = self._call(task)
        stdout = stderr = b""
        if _has_printed():
            stdout, stderr = _take_output(1, sys.stdout), _take_output(2, sys.stderr)
        if self.result_only and call.is_small() and attempt == 1 and not stdout and not stderr:
            self._report_small(task, call)
            return None
        record: "dict[str, Any]" = json.loads(self._record_head(task, call) + "}")
        if attempt > 1:
            record["attempt"] = attempt
        if earlier:
            record["earlier"] = earlier
        packed = call.add_outcome(record)  # which tells a limit on memory that the task has lowered
        self.limits.restore()
        if record.get("outcome") == "FAILED":
            stderr += call.traceback()
            if attempt <= self.work["retries"]:
                return str(record["cause"])
        self._keep_files(task, record)
        log = log_text(task.index, attempt, record.get("outcome", "OK"), stdout, stderr)
        self.reporter.add(record, log, packed)
        self.reporter.flush()
        return None

    def _report_small(self, task: Task, call: Call) -> None:
        """Report a call that left nothing but its small result."""
        if call.wall < SHORT:
            self.reporter.add_call(task.index, task.seed, call)
            return
        self.limits.restore()  # not after a shorter call, of which it would be a tenth
        body = b"}" if call.json == b"null" else b',"json":' + call.json + b"}"
        head = self._record_head(task, call).encode("ascii")
        self.reporter.add_success(head + body, call.wall, call.cpu)
        self.reporter.flush()  # the next one may take as long again

    def _call(self, task: Task) -> Call:
        """Call the function, and measure it."""
        if self.exact or not self.reporter.calls:
            self.reporter.flush()
            self.reporter.begin()
        call = Call()
        CURRENT.pack_into(self.current, 0, task.index + 1, time.monotonic())
        call.run(self.function, self.arguments, task)
        self.exact = call.wall >= SHORT
        if self.exact:
            call.cpu = call.wall * self.reporter.share()
        if call.wall > WITH_OTHERS:
            call.cpu += self.others.elapsed(self._lost_seconds())
        return call

    def _prepare(self, task: Task) -> None:
        # Parameters are passed as arguments; one variable is enough for packhorse.task, and a dozen would cost
        # more than a short function does.
        content = task_json(task)
        if fits_variable(content):
            self.variable.set(content)
        else:
            name_task_file(task)
            os.environ.pop("PACKHORSE_TASK", None)  # of the task before
            os.environ["PACKHORSE_TASK_FILE"] = task.json_file
        if self.work["index_variable"]:
            os.environ.update(index_variables(task))
        if task.checkpoint:
            prepare_checkpoint(task)
        if not self.restorer.quiet():
            if self.restorer.restore():
                self._follow_folders()
            _forget_temporary_folder()
        write_task_json(task)  # which restoring would remove
        os.chdir(self.start_descriptor)  # an earlier task may have left it
        self.seeding.begin(task)
        task_module: "Any" = sys.modules.get("packhorse.task")
        if task_module is not None:
            task_module.begin()

    def _follow_folders(self) -> None:
        """Find folders again that restoring has replaced."""
        os.close(self.start_descriptor)
        self.start_descriptor = os.open(self.folders.start, os.O_RDONLY)

    def _prepared(self, task: Task) -> bool:
        """Prepare a task; return whether it may begin, after reporting it as failed if it may not."""
        try:
            self._prepare(task)
        except NotRestored as error:
            call = Call()
            call.error = error
            record: "dict[str, Any]" = json.loads(self._record_head(task, call) + "}")
            call.add_outcome(record)
            self.reporter.add(record, b"", None)
            return False
        return True

    def _record_head(self, task: Task, call: Call) -> str:
        """Return the beginning of a record's JSON text."""
        memory = usage.own_peak(mapped=self.reporter.mapped)
        measured, peak, _ = MEASURED.unpack_from(self.current, CURRENT.size)
        if measured == task.index + 1 and peak > memory:
            memory = peak
        return '{"index":%d,"seed":%d,"begin":%.3f,"wall":%.6f,"cpu":%.6f,"memory":%d,"slot":%d' % (
            task.index,
            task.seed,
            call.begin,
            call.wall,
            call.cpu,
            memory,
            self.number,
        )

    def _keep_files(self, task: Task, record: "dict[str, Any]") -> None:
        """Keep the artifacts of a task."""
        try:
            keep_artifacts(self.work, self.folders, record)
        except OSError as error:
            record.update(outcome="FAILED", exit=0, cause="cannot keep the artifacts: %s" % error)
        if task.checkpoint and "outcome" not in record:
            shutil.rmtree(task.checkpoint, ignore_errors=True)


def _forget_temporary_folder() -> None:
    """Let multiprocessing make its folder below TMPDIR again, which it remembers, and restoring has removed."""
    module: "Any" = sys.modules.get("multiprocessing.process")
    if module is not None:
        getattr(module.current_process(), "_config", {}).pop("tempdir", None)


def _has_printed() -> bool:
    """Return whether the task has printed, or has closed its outputs."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
        # Cheaper than fstat, and done for every task.
        return os.lseek(1, 0, os.SEEK_END) > 0 or os.lseek(2, 0, os.SEEK_END) > 0
    except (OSError, ValueError, AttributeError):
        return True


def _take_output(descriptor: int, stream: "Any") -> bytes:
    """Return what a task printed, and empty its file."""
    try:
        stream.flush()
    except (OSError, ValueError, AttributeError):
        pass
    try:
        size = os.lseek(descriptor, 0, os.SEEK_END)
    except OSError:
        return b""  # the task has closed it, or put a pipe in its place
    if not size:
        return b""
    data = os.pread(descriptor, size, 0)
    os.ftruncate(descriptor, 0)
    return data


def main(
    channel: "socket.socket",
    work: "Work",
    space: "Space",
    folders: "SlotFolders",
    number: int,
    *,
    again: bool,
) -> None:
    """Serve function calls over `channel` until the worker closes it; `again` after a slot's process that died."""
    assert work["function"] is not None
    process.die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for descriptor, name in ((1, folders.stdout), (2, folders.stderr)):
        file = os.open(name, os.O_RDWR | os.O_APPEND)
        os.dup2(file, descriptor)
        os.close(file)
    restorer = Restorer(folders, work)
    if again:
        restorer.restore_all()
    os.chdir(folders.start)
    os.environ.pop("PACKHORSE_OUTPUT", None)  # task.result gives its value to us, not to a file
    sys.path[0:0] = [path for path in folders.search + [folders.study] if path not in sys.path]
    sys.argv = [work["function"]["module"]]
    try:
        server = FunctionServer(channel, work, space, folders, number, restorer)
    except BaseException as error:  # whatever the module raises when imported, the user must see it
        name = "%s:%s" % (work["function"]["module"], work["function"]["name"])
        text = error_traceback(error).decode("utf-8", "replace")[-4000:]
        channel.sendall(
            message({"broken": "cannot import %s: %s" % (name, error_text(error)), "traceback": text})
        )
        return
    server.serve()
