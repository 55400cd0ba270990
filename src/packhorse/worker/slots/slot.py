"""The worker's side of a slot: its process, the tasks it was given, and why it died."""

import mmap
import os
import signal
import socket
import subprocess
import sys
import time

from packhorse.worker import process
from packhorse.worker.slots import usage
from packhorse.worker.slots.channel import MessageReader, message
from packhorse.worker.slots.gpus import gpu_variables
from packhorse.worker.slots.running_command import limit_cause
from packhorse.worker.tasks.artifacts import keep_artifacts
from packhorse.worker.tasks.current import CURRENT, HAND_BACK, MEASURED, SIZE
from packhorse.worker.tasks.environment import base_environment
from packhorse.worker.tasks.memory_limit import memory_cause
from packhorse.worker.tasks.slot_folders import SlotFolders

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from packhorse.worker.ranges import Ranges
    from packhorse.worker.work_file import Work

CHECK_SECONDS = 0.2  # between two checks of a function's limits
LONG_SECONDS = 0.3  # of a function, after which idle slots may take the tasks behind it
SEEN_SECONDS = 0.1  # after which a slot surely sees what its worker has written to memory
MEASURE_SECONDS = 2.0  # between two measurements of its memory, at most


class Slot(object):
    """One slot: a launcher of commands or a server of functions."""

    socket: socket.socket  # of the process that `start` started
    messages: MessageReader

    def __init__(self, work: "Work", work_file: str, scratch: str, image: str, number: int) -> None:
        """Make the slot's folders in `scratch`, with a copy of the image."""
        self.work, self.work_file = work, work_file
        self.number = number
        self.scratch = scratch
        self.folders = SlotFolders(scratch, number, work)
        self.folders.make(image, share=bool(work.get("share")))
        self.queue: "Ranges" = []  # index ranges given and not yet answered, in order
        # The running task, and when its worker asked for those behind it; until the slot has handed them back.
        self.asked_back: "tuple[tuple[int, float], float] | None" = None
        self.deaths: "dict[int, int]" = {}  # index -> how often the slot died in it
        self.process: "subprocess.Popen[bytes] | None" = None
        self.again = False  # whether a process of this slot has died
        self.checked = self.asked = 0.0
        self.deaths_in_row = 0  # since it last answered
        self.ready = False
        self.why = ""  # TIMEOUT, MEMORY or UNFINISHED when we end it
        self.blamed: "int | None" = None  # the task that we end it for
        self.mark = usage.slot_mark(self.folders)
        self.kills = process.oom_kills()
        self.reaped = usage.Usage()  # processes that functions have lost to the worker, and that have ended
        self.measured = (0, 0.0)  # the task that `peak` (KiB) is of, by index + 1 and start
        self.peak = 0
        self.measure_at = 0.0
        with open(self.folders.current, "r+b") as stream:
            self.current = mmap.mmap(stream.fileno(), SIZE)

    def start(self) -> None:
        """Start the slot's process."""
        ours, theirs = socket.socketpair()
        for side in (ours, theirs):
            side.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        argv, variables = self._program()
        argv += ["slot", self.work_file, self.scratch, str(self.number), str(theirs.fileno())]
        if self.again:
            argv.append("again")
            self._output()  # of a task that runs again
        CURRENT.pack_into(self.current, 0, 0, 0.0)
        self.current[HAND_BACK] = 0
        self.asked_back = None
        self.why = ""
        self.ready = False
        self.process = subprocess.Popen(
            argv, env=variables, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True
        )
        theirs.close()
        self.socket = ours
        self.messages = MessageReader()

    def _program(self) -> "tuple[list[str], dict[str, str]]":
        environ = dict(os.environ)
        environ.update(gpu_variables(environ, self.work.get("gpus"), self.number))
        archive = os.path.join(self.work["directory"], "worker.pyz")
        if self.work["function"]:
            variables = base_environment(self.work, self.folders, environ)
            return self.work["python"] + [archive], variables
        # A launcher carries the mark, too, so that one that outlives its worker is found as its task is.
        argv = [sys.executable, "-S", "-E", archive]
        return argv, dict(environ, PACKHORSE_RUN=self.work["mark"])

    def send_ranges(self, ranges: "Ranges") -> None:
        """Give index ranges of tasks to the slot."""
        self.queue.extend([a, b] for a, b in ranges)
        self.socket.sendall(message({"run": ranges}))

    def load(self) -> int:
        """Return how many tasks were given and not answered."""
        return sum(b - a for a, b in self.queue)

    def take_back(self, now: float) -> "Ranges":
        """Return tasks that wait behind a long one, and that the slot will not begin; call it until it returns some.

        The slot looks for our request before each task. If it is in the same task some time later, it has not looked
        before, so what is behind is ours; else it says that it is ready when it has dropped the rest (`take_dropped`).
        """
        if not self.work["function"] or self.process is None or self.load() < 2:
            return []
        running = CURRENT.unpack_from(self.current, 0)
        if not running[0] or running != CURRENT.unpack_from(self.current, 0):
            return []  # between two tasks, or read while it was being written
        if self.asked_back is None:
            if now - running[1] > LONG_SECONDS:
                self.asked_back = running, now
                self.current[HAND_BACK] = 1
                self.send_ranges([])  # so that it looks even if it has just run out of tasks
            return []
        if running != self.asked_back[0] or now - self.asked_back[1] < SEEN_SECONDS:
            return []
        for number, (a, b) in enumerate(self.queue):
            if a < running[0] <= b:
                behind = [[running[0], b]] if running[0] < b else []
                behind += self.queue[number + 1 :]
                self.queue[number:] = [[a, running[0]]]
                return behind
        return []

    def take_dropped(self) -> "Ranges":
        """Return the tasks that a slot has dropped that says that it is ready."""
        dropped, self.queue = self.queue, []
        self.asked_back = None
        return dropped

    def mark_done(self, index: int) -> None:
        """Remove one task from the queue."""
        self.deaths_in_row = 0
        for number, (a, b) in enumerate(self.queue):
            if a <= index < b:
                rest = [[a, index], [index + 1, b]]
                self.queue[number : number + 1] = [pair for pair in rest if pair[0] < pair[1]]
                return

    def mark_first_done(self, count: int) -> None:
        """Remove the first `count` tasks from the queue, since a slot answers in order."""
        self.deaths_in_row = 0
        while count and self.queue:
            a, b = self.queue[0]
            done = min(count, b - a)
            count -= done
            if a + done == b:
                self.queue.pop(0)
            else:
                self.queue[0] = [a + done, b]

    def stop(self, why: str) -> None:
        """Ask the slot to end its task and exit; a function cannot be asked, so its process is killed.

        At the `deadline` the task is recorded UNFINISHED, otherwise as if it had not begun.
        """
        assert self.process is not None
        if self.work["function"]:
            index, begun = CURRENT.unpack_from(self.current, 0)
            if why == "deadline" and index and begun:
                self.why, self.blamed = "UNFINISHED", index - 1
            process.kill_group(self.process.pid, signal.SIGKILL)
        else:
            try:
                self.socket.sendall(message({"stop": why}))
            except OSError:
                pass

    def kill(self) -> None:
        """Kill the slot's process group at once."""
        assert self.process is not None
        process.kill_group(self.process.pid, signal.SIGKILL)

    def enforce_limits(self, now: float, orphans: "Callable[[], list[int]]") -> None:
        """Measure a function's task, which its own process cannot, and kill the slot if it exceeds a limit.

        `orphans` returns the processes that tasks of any slot have lost to the worker.
        """
        if not self.work["function"] or self.process is None or now - self.checked < CHECK_SECONDS:
            return
        self.checked = now
        index, begun = CURRENT.unpack_from(self.current, 0)
        if not index or not begun or (index, begun) != CURRENT.unpack_from(self.current, 0):
            return  # between two tasks, or read while it was being written
        self.blamed = index - 1
        limit, memory = self.work["time_limit"], self.work["memory"]
        self._measure(index, begun, now, orphans)
        if limit and now - begun > limit:
            self.why = "TIMEOUT"
        elif memory and self.peak > memory * 1024:
            self.why = "MEMORY"
        else:
            return
        self.kill()

    def _measure(self, index: int, begun: float, now: float, orphans: "Callable[[], list[int]]") -> None:
        """Measure the memory of the running task, and tell its process."""
        assert self.process is not None
        if self.measured != (index, begun):
            self.measured, self.peak, self.measure_at = (index, begun), 0, 0.0
        if now < self.measure_at:
            return
        self.measure_at = now + min(MEASURE_SECONDS, (now - begun) / 10)
        lost = usage.lost_processes(self.process.pid, self.mark, orphans())
        lost = [pid for pid in lost if not process.reap(pid, self.reaped.add)]
        self.peak = max(self.peak, self._memory([self.process.pid] + lost))
        seconds = self.reaped.cpu + usage.cpu_seconds(usage.below(lost))
        MEASURED.pack_into(self.current, CURRENT.size, index, self.peak, seconds)

    def _memory(self, leaders: "list[int]") -> int:
        return usage.memory(usage.below(leaders), self.peak, mapped=bool(self.work.get("inputs")))

    def reap(self) -> "tuple[dict[str, Any] | None, bytes]":
        """Reap the dead process; return (record, output) of the task that it died in, or (None, b"")."""
        assert self.process is not None
        self.socket.close()
        status = self.process.wait()
        process.kill_group(self.process.pid, signal.SIGKILL)
        self.process = None
        self.again = True
        index, begun = CURRENT.unpack_from(self.current, 0)
        if not self.work["function"] or not index:
            return None, b""
        index -= 1
        if index != self.blamed:
            self.why = ""  # the task that exceeded a limit had just ended, and the kill hit the next one
        self.deaths[index] = self.deaths.get(index, 0) + 1
        if status == -signal.SIGKILL and not self.why and self._was_memory():
            self.why = "MEMORY"
        killed = status in (-signal.SIGKILL, -signal.SIGTERM)
        if killed and not self.why and self.deaths[index] < 2:
            return None, b""  # killed from outside: run it once more
        wall = max(0.0, time.monotonic() - begun)
        record: "dict[str, Any]" = {
            "index": index,
            "begin": round(time.time() - wall, 3),
            "wall": round(wall, 6),
            "slot": self.number,
        }
        if self.measured == (index + 1, begun):
            record["memory"] = self.peak
        if self.why:
            record.update(outcome=self.why, cause=limit_cause(self.why, self.work, record.get("memory", 0)))
        elif status < 0:
            record.update(
                outcome="FAILED", signal=-status, cause="the interpreter died of signal %d" % -status
            )
        else:
            record.update(outcome="FAILED", exit=status, cause="the function ended the interpreter")
        CURRENT.pack_into(self.current, 0, 0, 0.0)  # it has an outcome
        keep_artifacts(self.work, self.folders, record)
        output = self._output()
        return dict(record, **self._memory_outcome(output)), output

    def _was_memory(self) -> bool:
        """Return whether the system has killed for memory since the last call."""
        before, self.kills = self.kills, process.oom_kills()
        return self.kills > before

    def _memory_outcome(self, output: bytes) -> "dict[str, str]":
        """Return the outcome of a task whose interpreter died since the system refused it memory; else nothing."""
        cause = "" if self.why else memory_cause("", output)
        return {"outcome": "MEMORY", "cause": cause} if cause else {}

    def _output(self) -> bytes:
        """Return what the dead process printed, and empty its output files."""
        outputs = []
        for name in (self.folders.stdout, self.folders.stderr):
            with open(name, "r+b") as stream:
                outputs.append(stream.read())
                stream.truncate(0)
        return b"\n".join(outputs)
