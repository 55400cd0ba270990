"""A slot of commands: a small process that starts one program after another and measures each.

It is small because wait4(2) of a child reports at least the size its parent had (vfork shares the parent's
memory until exec), and because starting a program costs the more the larger the starter is.
The main thread starts and waits; a second one reads messages, samples memory and enforces the limits.
"""

import collections
import errno
import itertools
import mmap
import os
import queue
import select
import shutil
import signal
import sys
import threading
import time

from packhorse.worker import process
from packhorse.worker.results.refusal import NoResult
from packhorse.worker.results.result import ResultFiles, fail_for_space, result_files, result_from_output
from packhorse.worker.slots import usage
from packhorse.worker.slots.channel import MessageReader
from packhorse.worker.slots.reporter import Reporter, log_text
from packhorse.worker.slots.running_command import STOP, RunningCommand, limit_cause
from packhorse.worker.space import text
from packhorse.worker.tasks.artifacts import keep_artifacts, name_patterns
from packhorse.worker.tasks.cause import cause_in, failure_cause, written_log
from packhorse.worker.tasks.checkpoint import prepare_checkpoint
from packhorse.worker.tasks.current import CURRENT, SIZE
from packhorse.worker.tasks.environment import base_environment, task_environment, write_task_json
from packhorse.worker.tasks.memory_limit import memory_cause
from packhorse.worker.tasks.parameter_files import write_parameter_files
from packhorse.worker.tasks.restore import Restorer
from packhorse.worker.tasks.task import Task, fill_command
from packhorse.worker.warm.command import Cold
from packhorse.worker.warm.starts import WarmStarts

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from typing import Any, Union

    from packhorse.worker.space import Space
    from packhorse.worker.tasks.slot_folders import SlotFolders
    from packhorse.worker.work_file import Work

    Record = dict[str, Any]
    Variables = dict[bytes, bytes]
    # Task, arguments, environment; or the task and the error of a format that does not fit the value.
    Draft = tuple[Task, list[str], Variables, Union[ValueError, None]]
    # Record, text for the log, bytes of the result; no record if the slot was stopped.
    Attempt = tuple[Union[Record, None], bytes, Union[bytes, None]]

PATIENCE = 0.02  # seconds that short records may wait for each other
STDOUT, STDERR = 1, 2  # ours are the files of the tasks, so that a start need not change any descriptor
ENDED = ("TIMEOUT", "MEMORY", "UNFINISHED")  # outcomes of tasks that we end
GONE = "gone"  # the worker has ended, and so must we
DRAFTS = 16  # starts that are prepared at a time


class Launcher(object):
    """Runs the commands of one slot."""

    def __init__(
        self,
        channel: "socket.socket",
        work: "Work",
        space: "Space",
        folders: "SlotFolders",
        number: int,
        *,
        again: bool,
    ) -> None:
        self.channel, self.work, self.space, self.folders = channel, work, space, folders
        self.reporter = Reporter(channel, PATIENCE)
        self.number = number
        self.inbox: "queue.Queue[list[list[int]] | None]" = queue.Queue()
        self.lock = threading.Lock()
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.running: "RunningCommand | None" = None
        self.coming: "collections.deque[int]" = collections.deque()  # indices given and not begun
        self.drafts: "dict[int, Draft]" = {}  # starts of the next tasks, prepared while another one runs
        self.stopping = ""  # `deadline`, another reason of the worker, or GONE
        self.programs: "dict[str, str]" = {}
        self.kills = process.oom_kills()
        self.adopts = process.adopt_orphans()
        self.mark = usage.slot_mark(folders)
        self.warm = WarmStarts(work, folders, number, adopts=self.adopts, wanted=lambda: not self.stopping)
        base = base_environment(work, folders, os.environ)
        self.path = base.get("PATH")
        self.base = {_bytes(name): _bytes(value) for name, value in base.items()}
        self.result = work["result"]
        self.output = os.path.join(folders.root, "output")  # where packhorse.task writes
        self.given = ResultFiles({}, [self.output], ["json"])
        self.restorer = Restorer(folders, work)
        if again:
            self.restorer.restore_all()
        self.first = folders.state() if number == 0 and work["look"] else None
        with open(folders.current, "r+b") as stream:
            self.current = mmap.mmap(stream.fileno(), SIZE)
        os.chdir(folders.start)

    def serve(self) -> None:
        """Run the tasks that the worker sends until it closes the channel."""
        self._until_gone(self._run_tasks)
        if self.stopping == GONE:
            self.listener.join()  # it ends what tasks left behind, and then this process

    def _run_tasks(self) -> None:
        self.reporter.send({"ready": True})
        self.listener.start()
        while True:
            ranges = self.inbox.get()
            if ranges is None:
                break
            for start, stop in ranges:
                self.coming.extend(range(start, stop))
            while self.coming and not self.stopping:
                self._run_task(self.coming.popleft())
            if self.stopping or self.inbox.empty():
                self.reporter.flush()
            if self.stopping:
                return

    # The second thread

    def _listen(self) -> None:
        self._until_gone(self._read_messages)
        self._leave()

    def _until_gone(self, action: "Callable[[], None]") -> None:
        """Do something until the worker is gone; if it left data unread, the error is ECONNRESET or EPIPE."""
        try:
            action()
        except (BrokenPipeError, ConnectionResetError):
            self._leave()

    def _read_messages(self) -> None:
        reader = MessageReader()
        channel = self.channel.fileno()
        while True:
            wait = self._enforce_limits()
            self.reporter.flush()
            if not select.select([channel], [], [], wait)[0]:
                continue
            messages = reader.receive(self.channel)
            if messages is None:
                return
            for header, _ in messages:
                if header.get("stop"):
                    self._stop(header["stop"])
                else:
                    self.inbox.put(header["run"])

    def _leave(self) -> None:
        """Exit at once: the worker is gone, so nothing would record what we do."""
        with self.lock:
            self.stopping = GONE
            if self.running and not self.running.ended:
                self.running.kill()
        process.end_orphans()
        os._exit(1)

    def _stop(self, why: str) -> None:
        self.stopping = why
        with self.lock:
            if self.running and not self.running.ended:
                self.running.terminate("UNFINISHED" if why == "deadline" else STOP)
        self.inbox.put(None)

    def _enforce_limits(self) -> float:
        """Check the running task; return the seconds until the next check."""
        with self.lock:
            running = self.running
            return 0.1 if running is None or running.ended else running.enforce_limits()

    # The main thread

    def _run_task(self, index: int) -> None:
        """Run one task to its final record."""
        if not self._may_begin():
            return
        attempt, free, earlier = 1, 1, []
        while True:
            CURRENT.pack_into(self.current, 0, index + 1, time.monotonic())
            first = attempt == 1 and self.warm.is_open()
            record, log, packed = self._trial(index) if first else self._attempt(index, attempt)
            if record is None:
                return  # stopped: an interruption is not an outcome; the worker keeps what the task wrote
            outcome = record.get("outcome", "OK")
            killed = record.get("signal") in (signal.SIGKILL, signal.SIGTERM) and outcome == "FAILED"
            if killed and free:
                free -= 1  # killed from outside: once more, without counting it as a retry
                continue
            if outcome != "FAILED" or attempt > self.work["retries"]:
                break
            earlier.append(record["cause"])
            attempt += 1
        if earlier:
            record["earlier"] = earlier
        if self.first is not None:
            self._note_files(index)  # before the record, after which the worker may stop reading
        CURRENT.pack_into(self.current, 0, 0, 0.0)
        self.reporter.add(record, log, packed)

    def _may_begin(self) -> bool:
        """Return whether a task may begin; with `warm: true`, only where it can start warm."""
        if not (self.warm.must and self.warm.why):
            return True
        text = "tasks cannot start warm, as `warm: true` demands: %s" % self.warm.why
        self.reporter.send({"broken": text, "traceback": ""})
        self.stopping = "broken"
        return False

    def _use_wait(self) -> None:
        """Do what can be done while the task that has just been started runs."""
        self.reporter.flush_if_due()
        if not self.drafts:
            # Several in a row cost less than one at a time, since the caches are warm for all but the first.
            for index in itertools.islice(self.coming, DRAFTS):
                self.drafts[index] = self._draft(index)

    def _draft(self, index: int) -> "Draft":
        """Return all that the start of a task needs."""
        task = Task(self.work, self.space, self.folders, index)
        try:
            argv = fill_command(self.work["command"] or [], task)
            return task, argv, self._variables(task), None
        except ValueError as error:  # a format that does not fit the value
            return task, [], {}, error

    def _trial(self, index: int) -> "Attempt":
        """Run a task once for its record, and again to find out whether the script may start warm."""
        _, argv, variables, error = self.drafts.get(index) or self._draft(index)
        if error is not None:
            return self._attempt(index, 1)

        def attempt() -> "Attempt":
            found = self._attempt(index, 1)
            if self.first is not None and found[0] is not None:
                self._note_files(index)  # after the start that counts; artifacts of the others are not kept
            return found

        return self.warm.trial(attempt, argv, self._program(argv[0]), variables)

    def _attempt(self, index: int, attempt: int) -> "Attempt":
        draft = self.drafts.pop(index, None)
        task, argv, variables, error = draft or self._draft(index)
        record: "Record" = {
            "index": index,
            "seed": task.seed,
            "begin": round(time.time(), 3),
            "slot": self.number,
        }
        if attempt > 1:
            record["attempt"] = attempt
        self.warm.prepare(argv, self._program, variables)
        begun = time.perf_counter()
        try:
            if error is not None:
                raise error
            if self.restorer.restore():
                os.chdir(self.folders.start)
            target = self._prepare(task)
            running = self._run(argv, variables, record, begun, main=True)
            if (
                self.result.get("convert")
                and running
                and not (running.why or "exit" in record or "signal" in record)
            ):
                argv = fill_command(self.result["convert"], task)
                running = self._run(argv, variables, record, begun)
        except (OSError, ValueError) as failure:
            record.update(outcome="FAILED", exit=127, wall=0.0, cause=_start_error(failure))
            return record, b"", None
        if running is None:
            return None, b"", None
        if self.stopping and running.why != "UNFINISHED" and (running.why == STOP or record.get("signal")):
            return None, b"", None
        return self._finish(task, record, running, target, attempt)

    def _prepare(self, task: Task) -> "ResultFiles | None":
        """Write parameter files and remove the result files of an earlier task; return where its result will be."""
        if self.work["files"]:
            write_parameter_files(task, self.work["files"])
        if task.json_file:
            write_task_json(task)
        if task.checkpoint:
            prepare_checkpoint(task)
        target = None
        if self.result["kind"] == "file":
            target = result_files(self.work, task)
            target.prepare()
        elif self.result["kind"] in ("auto", "json"):
            target = self.given
        return target

    def _variables(self, task: Task) -> "Variables":
        """Return the task's environment as bytes, which start a program without being encoded once more."""
        variables = dict(self.base)
        for name, value in task_environment(task, {}).items():
            variables[_bytes(name)] = _bytes(value)
        return variables

    def _start(self, argv: "list[str]", variables: "Variables", *, main: bool) -> "RunningCommand | None":
        """Start a program; return None if this process ends, since nothing would end the program after us."""
        with self.lock:
            if self.stopping:
                return None
            program = self._program(argv[0])
            warm = self.warm.spawn(argv, program, variables) if main else None
            pid = self._spawn(argv, program, variables) if warm is None else warm
            self.running = RunningCommand(
                pid, self.work, (STDOUT, STDERR), adopts=self.adopts, mark=self.mark, spare=self.warm.pids()
            )
            self.running.is_warm = warm is not None
            self.running.limit = self.warm.limit(self.running.limit)
            return self.running

    def _run(
        self, argv: "list[str]", variables: "Variables", record: "Record", begun: float, *, main: bool = False
    ) -> "RunningCommand | None":
        """Run a program to its end; a second one of the same task adds its times. None as in `_start`."""
        running = self._start(argv, variables, main=main)
        if running is not None:
            self._wait(running, record, begun)
        return running

    def _program(self, name: str) -> str:
        """Return the path of a program, or its name if it is not found."""
        program = self.programs.get(name)
        if program is None:
            program = self.programs[name] = shutil.which(name, path=self.path) or name
        return program

    def _spawn(self, argv: "list[str]", program: str, variables: "Variables") -> int:
        try:
            return process.spawn(program, argv, variables)
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
            # A script without '#!': what a shell would do with it.
            return process.spawn("/bin/sh", ["/bin/sh", program] + argv[1:], variables)

    def _wait(self, running: RunningCommand, record: "Record", begun: float) -> None:
        """Wait for a command, and record its times, memory and exit."""
        self._use_wait()
        status = self._reap(running)
        record["wall"] = round(time.perf_counter() - begun, 6)
        process.end_orphans(self.warm.pids(), running.reaped.add)  # also what is left of the group
        record["cpu"] = round(record.get("cpu", 0.0) + running.reaped.cpu, 6)
        if not (running.mapped and running.peak):  # the system counts mapped inputs in its peak
            running.peak = max(record.get("memory", 0), running.reaped.peak, running.peak)
        record["memory"] = running.peak
        if running.is_warm:
            record["start"] = "warm"
        if os.WIFSIGNALED(status):
            record["signal"] = os.WTERMSIG(status)
            if record["signal"] == signal.SIGKILL and self._was_memory():
                running.why = running.why or "MEMORY"
        elif os.WEXITSTATUS(status):
            record["exit"] = os.WEXITSTATUS(status)

    def _was_memory(self) -> bool:
        """Return whether the system has killed for memory since the last call."""
        before, self.kills = self.kills, process.oom_kills()
        return self.kills > before

    def _reap(self, running: RunningCommand) -> int:
        """Wait for the leader of a command's process group, and end the group; return its status."""
        if running.is_warm:
            return self._reap_warm(running)
        if hasattr(os, "waitid"):
            os.waitid(os.P_PID, running.pid, os.WEXITED | os.WNOWAIT)
            with self.lock:
                running.ended = True
            if not self.adopts:  # else what is left of the group is our child, and is ended by that
                running.kill()  # the leader is still a zombie, so its group's number has not been reused
        _, status, used = os.wait4(running.pid, 0)
        if not running.ended:  # macOS before Python 3.13 has no waitid
            with self.lock:
                running.ended = True
            running.kill()
        running.reaped.add(used)
        return status

    def _reap_warm(self, running: RunningCommand) -> int:
        """Wait for a task that a warm process has started; return its status."""
        try:
            status, cpu, peak = self.warm.wait(running.pid)
        except Cold:
            status, cpu, peak = signal.SIGKILL, 0.0, 0  # what has killed the warm process has killed the task
        with self.lock:
            running.ended = True
        running.reaped.count(cpu, peak)
        return status

    def _finish(
        self, task: Task, record: "Record", ended: RunningCommand, target: "ResultFiles | None", attempt: int
    ) -> "tuple[Record, bytes, bytes | None]":
        full = self.folders.is_full()  # asked before anything is removed
        if self.warm.mode:
            self.warm.note_files(self.restorer)
        stdout, stderr = self._take_output(STDOUT), self._take_output(STDERR)
        packed = None
        if ended.why in ENDED:
            record.update(outcome=ended.why, cause=limit_cause(ended.why, self.work, record["memory"]))
            packed = target.take_complete(record) if self.work.get("partial") and target else None
        elif "signal" in record or "exit" in record:
            stdout = self._take_failure(record, stdout, stderr)
        else:
            packed, stdout = self._take_result(record, target, stdout)
        if (record.get("outcome") != "FAILED" or attempt > self.work["retries"]) and not self.warm.repeats:
            self._keep_artifacts(record)
        if full and ended.why not in ENDED:
            fail_for_space(record)
            packed = None
        log = log_text(task.index, attempt, record.get("outcome", "OK"), stdout, stderr)
        if target:
            target.remove()
        if task.checkpoint and "outcome" not in record:
            shutil.rmtree(task.checkpoint, ignore_errors=True)
        return record, log, packed

    def _take_failure(self, record: "Record", stdout: bytes, stderr: bytes) -> bytes:
        """Record why a command failed; return what of its output is left for the log."""
        # What a killed program has printed last is seldom why.
        killed = "killed by signal %d" % record["signal"] if "signal" in record else ""
        record.update(outcome="FAILED", cause=failure_cause(b"" if killed else stdout, stderr) or killed)
        stdout = stdout if record["cause"] else self._read_log(record)
        out_of_memory = memory_cause(record["cause"], stderr or stdout)
        if out_of_memory:
            record.update(outcome="MEMORY", cause=out_of_memory)
        return stdout

    def _take_result(
        self, record: "Record", target: "ResultFiles | None", stdout: bytes
    ) -> "tuple[bytes | None, bytes]":
        """Frame the result; return (bytes for the pack or None, what of stdout is left for the log)."""
        kind = self.result["kind"]
        try:
            if target and (kind == "file" or os.path.exists(self.output)):
                return target.take(record), stdout
            if kind in ("auto", "json"):
                return result_from_output(record, stdout, kind)
        except NoResult as reason:
            record.update(outcome="FAILED", exit=0, cause=str(reason))
        return None, stdout

    def _read_log(self, record: "Record") -> bytes:
        """Take the cause of a task that printed nothing from the log that it wrote; return the end of that log."""
        name, end = written_log(os.curdir, record["begin"])
        cause = cause_in(end)
        if not cause:
            return b""
        record["cause"] = "%s (in %s)" % (cause, name)
        return b"-- %s --\n" % os.fsencode(name) + end

    def _keep_artifacts(self, record: "Record") -> None:
        before = (self.first or {}) if self.work["everything"] else None
        try:
            keep_artifacts(self.work, self.folders, record, before)
        except OSError as error:
            record.update(outcome="FAILED", exit=0, cause="cannot keep the artifacts: %s" % error)

    def _note_files(self, index: int) -> None:
        """Report, after the first task, new and changed files that the study does not name."""
        before, self.first = self.first or {}, None
        if self.work["everything"]:
            return
        after = self.folders.state()
        new = sorted(name for name in after if name not in before)
        changed = sorted(name for name in after if name in before and after[name] != before[name])
        if new:
            values = [text(value) for value in self.space.parameters(index).values()]
            patterns = name_patterns(new, values)
            self.reporter.send(
                {"note": "new files", "files": new[:20], "count": len(new), "patterns": patterns}
            )
        if changed:
            self.reporter.send({"note": "changed files", "files": changed[:20], "count": len(changed)})

    def _take_output(self, descriptor: int) -> bytes:
        """Return what was printed, and empty the file for the next task."""
        # Cheaper than fstat; it moves the offset, which does not matter to a file opened for appending.
        size = os.lseek(descriptor, 0, os.SEEK_END)
        if not size:
            return b""
        data = os.pread(descriptor, size, 0)
        if not self.work["tee"]:
            os.ftruncate(descriptor, 0)
        return data


FILE_SYSTEM = sys.getfilesystemencoding()


def _bytes(text: str) -> bytes:
    return text.encode(FILE_SYSTEM, "surrogateescape")


def _start_error(error: Exception) -> str:
    """Return why a command did not start."""
    name = getattr(error, "filename", None)
    if isinstance(error, OSError) and error.errno == errno.ENOENT:
        return "command not found: %s" % (name or error)
    if isinstance(error, OSError) and error.errno == errno.E2BIG:
        return "the parameters are too long for a command line; use {params.json}"
    return "cannot start: %s" % error


def main(
    channel: "socket.socket",
    work: "Work",
    space: "Space",
    folders: "SlotFolders",
    number: int,
    *,
    again: bool,
) -> None:
    """Serve commands over `channel` until the worker closes it; `again` after a slot's process that died."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stderr = os.fdopen(os.dup(STDERR), "w")  # for messages of the launcher itself
    for descriptor, name in ((STDOUT, folders.stdout), (STDERR, folders.stderr)):
        file = os.open(name, os.O_RDWR | os.O_APPEND)
        os.dup2(file, descriptor)
        os.close(file)
    try:
        with open("/proc/self/oom_score_adj", "w") as stream:
            stream.write("200")
    except OSError:
        pass
    sys.setswitchinterval(0.001)
    Launcher(channel, work, space, folders, number, again=again).serve()
