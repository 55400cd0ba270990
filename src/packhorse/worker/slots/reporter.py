"""What a slot tells its worker: records, framed here so that the worker has next to nothing to do for each."""

import threading
import time

from packhorse.worker.journal import encode, seal
from packhorse.worker.slots.channel import fast_message, message

KEEP_HEAD, KEEP_TAIL = 64 << 10, 448 << 10  # bytes of a task's output that the log keeps


class Reporter(object):
    """Sends records; those of short tasks wait `patience` seconds for each other, and whoever adds them calls `flush`.

    Records that wait are framed when they are sent, many in a row: between two programs everything is cold in
    the processor's caches. What waits when a slot dies is lost, and its tasks run again.
    """

    def __init__(self, channel, patience):
        self.channel = channel
        self.patience = patience
        self.lock = threading.Lock()
        self.sent = 0.0
        self._clear()

    def _clear(self):
        self.waiting = []
        self.wall = self.cpu = self.longest = 0.0

    def line(self, record, wall, cpu):
        """Take the record of a task that ended well, as a dict or as JSON bytes."""
        with self.lock:
            self.waiting.append(record)
            self.wall += wall
            self.cpu += cpu
            self.longest = max(self.longest, wall)

    def add(self, record, log=b"", packed=None):
        """Take a record, what its task printed, and its result where that is too large for a line."""
        if log or packed is not None or "outcome" in record:
            header = {"record": record, "log": len(log), "pack": -1 if packed is None else len(packed)}
            self._say(header, log + (packed or b""))
        else:
            self.line(record, record["wall"], record["cpu"])

    def say(self, header):
        """Send anything else."""
        self._say(header, b"")

    def flush(self):
        """Send what there is."""
        with self.lock:
            self._send()

    def flush_if_due(self):
        """Send what there is when it has waited long enough."""
        if self.waiting and time.monotonic() - self.sent > self.patience:
            self.flush()

    def _say(self, header, body):
        with self.lock:
            self._send()  # the worker counts answers in the order in which it gave the tasks
            self.channel.sendall(message(header, body))

    def _send(self):
        if self.waiting:
            lines = [seal(one if isinstance(one, bytes) else encode(one)) for one in self.waiting]
            said = fast_message(b"".join(lines), len(lines), self.wall, self.cpu, self.longest)
            self._clear()
            self.sent = time.monotonic()
            self.channel.sendall(said)


def shorten(data):
    """Keep the beginning and the end of a long output."""
    if len(data) <= KEEP_HEAD + KEEP_TAIL:
        return data
    left_out = len(data) - KEEP_HEAD - KEEP_TAIL
    return data[:KEEP_HEAD] + b"\n[... %d bytes left out ...]\n" % left_out + data[-KEEP_TAIL:]


def log_text(index, attempt, outcome, stdout, stderr):
    """Return what the worker's log keeps of one task."""
    if not stdout and not stderr:
        return b""
    title = "== task %d, attempt %d, %s ==\n" % (index, attempt, outcome)
    said = title.encode() + shorten(stdout)
    if not said.endswith(b"\n"):
        said += b"\n"
    if stderr:
        said += b"-- stderr --\n" + shorten(stderr)
        if not said.endswith(b"\n"):
            said += b"\n"
    return said


def last_line(stderr):
    """Return the line that says why, which for R stands before 'Execution halted'."""
    rows = [row.strip() for row in stderr[-8192:].decode("utf-8", "replace").splitlines() if row.strip()]
    rows = [
        row for row in rows if row not in ("Execution halted", "Calls:") and not row.startswith("Calls: ")
    ]
    return rows[-1][:300] if rows else ""
