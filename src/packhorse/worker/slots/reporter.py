"""What a slot sends to its worker: records, framed here so that the worker has little to do for each."""

import threading
import time

from packhorse.worker.journal import add_checksum, encode
from packhorse.worker.slots.channel import message, successes_message

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Any

ENDED = ("TIMEOUT", "MEMORY", "UNFINISHED", "STOPPED")  # of tasks that were ended before they had printed all
KEEP_HEAD, KEEP_TAIL = 64 << 10, 448 << 10  # bytes of a task's output that the log keeps


class Reporter(object):
    """Sends records; those of short tasks wait `patience` seconds for each other, and the caller calls `flush`.

    Records that wait are framed when they are sent, many in a row: between two programs everything is cold in
    the processor's caches. What waits when a slot dies is lost, and its tasks run again.
    """

    def __init__(self, channel: "socket.socket", patience: float) -> None:
        self.channel = channel
        self.patience = patience
        self.lock = threading.Lock()
        self.sent = 0.0
        self.waiting: "list[dict[str, Any] | bytes]" = []
        self.wall = self.cpu = self.longest = 0.0

    def add_success(self, record: "dict[str, Any] | bytes", wall: float, cpu: float) -> None:
        """Add the record of a task that succeeded, as a dict or as JSON bytes."""
        with self.lock:
            self.waiting.append(record)
            self.wall += wall
            self.cpu += cpu
            self.longest = max(self.longest, wall)

    def add(self, record: "dict[str, Any]", log: bytes = b"", packed: "bytes | None" = None) -> None:
        """Add a record, the task's output, and its result if that is too large for a journal line."""
        if log or packed is not None or "outcome" in record:
            header = {"record": record, "log": len(log), "pack": -1 if packed is None else len(packed)}
            self.send(header, log + (packed or b""))
        else:
            self.add_success(record, record["wall"], record["cpu"])

    def send(self, header: "dict[str, Any]", body: bytes = b"") -> None:
        """Send the waiting records, then a message."""
        with self.lock:
            self._send_waiting()  # the worker counts answers in the order in which it gave the tasks
            self.channel.sendall(message(header, body))

    def flush(self) -> None:
        """Send the waiting records."""
        with self.lock:
            self._send_waiting()

    def flush_if_due(self) -> None:
        """Send the waiting records if they have waited long enough."""
        if self.waiting and time.monotonic() - self.sent > self.patience:
            self.flush()

    def _send_waiting(self) -> None:
        if self.waiting:
            lines = [
                add_checksum(record if isinstance(record, bytes) else encode(record))
                for record in self.waiting
            ]
            data = successes_message(b"".join(lines), len(lines), self.wall, self.cpu, self.longest)
            self.waiting = []
            self.wall = self.cpu = self.longest = 0.0
            self.sent = time.monotonic()
            self.channel.sendall(data)


def shorten(data: bytes) -> bytes:
    """Return the beginning and the end of a long output."""
    if len(data) <= KEEP_HEAD + KEEP_TAIL:
        return data
    left_out = len(data) - KEEP_HEAD - KEEP_TAIL
    return data[:KEEP_HEAD] + b"\n[... %d bytes left out ...]\n" % left_out + data[-KEEP_TAIL:]


def log_text(index: int, attempt: int, outcome: str, stdout: bytes, stderr: bytes) -> bytes:
    """Return what the worker's log keeps of one task."""
    if not stdout and not stderr:
        return b""
    if outcome in ENDED:
        outcome += ", partial"
    title = "== task %d, attempt %d, %s ==\n" % (index, attempt, outcome)
    log = title.encode() + shorten(stdout)
    if not log.endswith(b"\n"):
        log += b"\n"
    if stderr:
        log += b"-- stderr --\n" + shorten(stderr)
        if not log.endswith(b"\n"):
            log += b"\n"
    return log
