"""A command under way: its limits of time, memory and output, kept from outside."""

import os
import signal
import time

from packhorse.worker import process

GRACE = 5.0  # seconds between SIGTERM and SIGKILL
FLOOD = 256 << 20  # bytes of output after which the file is emptied, so that a script cannot fill the disk
DEADLINE = "its job's time was over"  # the cause of UNFINISHED
SOON = 0.05  # seconds until the next look at something that is young or about to end


class Running(object):
    """The task under way; whoever looks at it holds the launcher's lock."""

    def __init__(self, pid, work, outputs, is_warm=False):
        self.pid = pid
        self.is_warm = is_warm  # whether a warm process is its parent
        self.begun = time.monotonic()
        self.limit = work["time_limit"]
        self.memory = work["memory"]
        self.outputs = outputs
        self.ended = False
        self.peak = 0  # KiB
        self.why = ""  # TIMEOUT or MEMORY, or stop, once we end it
        self.term_at = None

    def terminate(self, why):
        """Ask the group to end; it is killed after a while."""
        self.why = self.why or why
        self.term_at = time.monotonic()
        process.kill_group(self.pid, signal.SIGTERM)

    def kill(self):
        """End the group at once."""
        process.kill_group(self.pid, signal.SIGKILL)

    def look(self):
        """Keep the limits; return the seconds until the next look."""
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

    def _measure(self):
        memory = process.resident(self.pid)
        self.peak = max(self.peak, memory)
        if self.memory and memory > self.memory * 1024:
            self.why = "MEMORY"
            self.kill()
        for descriptor in self.outputs:
            if os.fstat(descriptor).st_size > FLOOD:
                os.ftruncate(descriptor, 0)
