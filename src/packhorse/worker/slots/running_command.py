"""A running command, and its limits of time, memory and output."""

import os
import signal
import time

from packhorse.worker import process
from packhorse.worker.slots import usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from packhorse.worker.work_file import Work

GRACE = 5.0  # seconds between SIGTERM and SIGKILL
MAX_OUTPUT = (
    256 << 20
)  # bytes of output after which the file is emptied, so that a script cannot fill the disk
SOON = 0.05  # seconds until the next check of a command that is young or about to end
STOP = "stop"  # why we end a command whose task gets no outcome; else `why` is the outcome


class RunningCommand(object):
    """The command of the current task; its callers hold the launcher's lock."""

    def __init__(
        self,
        pid: int,
        work: "Work",
        outputs: "tuple[int, ...]",
        *,
        adopts: bool,
        mark: bytes,
        spare: "Collection[int]" = (),
    ) -> None:
        """`adopts`: processes that lose their parent become our children; `mark`: NAME=VALUE in their environment.

        The children in `spare` are not of the task.
        """
        self.pid = pid
        self.adopts, self.mark, self.spare = adopts, mark, spare
        self.is_warm = False  # whether its parent is a warm process
        self.reaped = usage.Usage()  # processes of the task that only we could reap
        self.begun = time.monotonic()
        self.limit = work["time_limit"]
        self.memory = work["memory"]
        self.mapped = bool(work.get("inputs"))
        self.outputs = outputs
        self.ended = False
        self.peak = 0  # KiB
        self.why = ""  # TIMEOUT, MEMORY, UNFINISHED or STOP once we end it
        self.term_at: "float | None" = None

    def terminate(self, why: str) -> None:
        """Send SIGTERM to the process group; it is killed after GRACE seconds."""
        self.why = self.why or why
        self.term_at = time.monotonic()
        process.kill_group(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """Kill the process group at once."""
        process.kill_group(self.pid, signal.SIGKILL)

    def enforce_limits(self) -> float:
        """End the command if it exceeds a limit; return the seconds until the next check."""
        now = time.monotonic()
        age = now - self.begun
        if self.term_at is not None:
            if now - self.term_at > GRACE:
                self.kill()
            return SOON
        if self.limit and age > self.limit:
            self.terminate("TIMEOUT")
            return SOON
        if age < SOON:
            return SOON
        self._measure()
        wait = min(2.0, max(SOON, age / 10))
        return min(wait, max(0.01, self.limit - age)) if self.limit else wait

    def _measure(self) -> None:
        memory = usage.memory(usage.below(self._roots(), self.spare), self.peak, mapped=self.mapped)
        self.peak = max(self.peak, memory)
        if self.memory and memory > self.memory * 1024:
            self.why = "MEMORY"
            self.kill()
        for descriptor in self.outputs:
            if os.fstat(descriptor).st_size > MAX_OUTPUT:
                os.ftruncate(descriptor, 0)

    def _roots(self) -> "list[int]":
        """Return the leader and the processes of the task that have lost their parent; reap those that have ended."""
        if not self.adopts:
            return [self.pid] + usage.lost_processes(self.pid, self.mark, process.all_processes())
        others = (self.pid, *self.spare)
        adopted = [pid for pid in process.children(os.getpid()) if pid not in others]
        return [self.pid] + [pid for pid in adopted if not process.reap(pid, self.reaped.add)]


def limit_cause(outcome: str, work: "Work", peak: int) -> str:
    """Return the cause of a task that a limit ended: TIMEOUT, MEMORY or UNFINISHED; `peak` is its memory in KiB."""
    if outcome == "UNFINISHED":
        return "its job reached its time limit"
    if outcome == "TIMEOUT":
        return "longer than the time limit of %g s" % (work["time_limit"] or 0)
    used = "used %d MB" % (peak >> 10) if peak else "used an unknown amount"
    if work["memory"]:
        return "%s, more than the %d MB of resources: memory" % (used, work["memory"])
    return "killed by the system for memory: it %s; ask for more with resources: memory" % used
