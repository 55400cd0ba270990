"""Messages between a worker and its slots: a JSON header and raw bytes over a local socket."""

import json
import mmap
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Any

LENGTHS = struct.Struct(">II")  # bytes of the header and of the body
# For what is received, as a new buffer each time would cost page faults; anonymous memory is none until it is used.
RECEIVED = memoryview(mmap.mmap(-1, 1 << 18))
SUCCESSES = struct.Struct(">Iddd")  # number of tasks, their seconds of wall and CPU time, the longest of them


def message(header: "dict[str, Any]", body: bytes = b"") -> bytes:
    """Return the bytes of one message."""
    head = json.dumps(header, separators=(",", ":")).encode("ascii")
    return LENGTHS.pack(len(head), len(body)) + head + body


def successes_message(lines: bytes, count: int, wall: float, cpu: float, longest: float) -> bytes:
    """Return a message without a header: the journal lines of tasks that succeeded, in the order given."""
    return LENGTHS.pack(0, SUCCESSES.size + len(lines)) + SUCCESSES.pack(count, wall, cpu, longest) + lines


class MessageReader(object):
    """Splits received bytes into messages."""

    def __init__(self) -> None:
        self.buffer = bytearray()

    def receive(self, channel: "socket.socket") -> "list[tuple[Any, bytes]] | None":
        """Read what a socket has; return the complete messages, or None at the end of the stream."""
        size = channel.recv_into(RECEIVED)
        return self.feed(RECEIVED[:size]) if size else None

    def feed(self, data: "bytes | memoryview") -> "list[tuple[Any, bytes]]":
        """Append bytes; return the complete messages as (header or None, body)."""
        self.buffer += data
        messages = []
        start = 0
        while len(self.buffer) - start >= LENGTHS.size:
            head, body = LENGTHS.unpack_from(self.buffer, start)
            stop = start + LENGTHS.size + head + body
            if len(self.buffer) < stop:
                break
            middle = start + LENGTHS.size + head
            header = json.loads(self.buffer[start + LENGTHS.size : middle].decode("ascii")) if head else None
            messages.append((header, bytes(self.buffer[middle:stop])))
            start = stop
        del self.buffer[:start]
        return messages
