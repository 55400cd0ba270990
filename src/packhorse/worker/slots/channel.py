"""Messages between a worker and its slots: a JSON header and raw bytes over a local socket."""

import json
import mmap
import struct

HEAD = struct.Struct(">II")
# For what is received, as a fresh buffer each time would cost page faults; anonymous memory is none until it is used.
SPACE = memoryview(mmap.mmap(-1, 1 << 18))


def message(header, body=b""):
    """Return the bytes of one message."""
    said = json.dumps(header, separators=(",", ":")).encode("ascii")
    return HEAD.pack(len(said), len(body)) + said + body


WELL = struct.Struct(">Iddd")  # how many tasks, their seconds of wall and CPU time, the longest of them


def fast_message(lines, count, wall, cpu, longest):
    """Return a message without header: sealed journal lines of tasks that ended well, in the order given."""
    return HEAD.pack(0, WELL.size + len(lines)) + WELL.pack(count, wall, cpu, longest) + lines


class Messages(object):
    """Bytes in, whole messages out."""

    def __init__(self):
        self.buffer = bytearray()

    def receive(self, channel):
        """Read what a socket has and return the messages that are whole now, or None at the end of it."""
        size = channel.recv_into(SPACE)
        return self.feed(SPACE[:size]) if size else None

    def feed(self, data):
        """Take bytes and return the messages (header or None, body) that are whole now."""
        self.buffer += data
        found = []
        start = 0
        while len(self.buffer) - start >= HEAD.size:
            head, body = HEAD.unpack_from(self.buffer, start)
            stop = start + HEAD.size + head + body
            if len(self.buffer) < stop:
                break
            middle = start + HEAD.size + head
            header = json.loads(self.buffer[start + HEAD.size : middle].decode("ascii")) if head else None
            found.append((header, bytes(self.buffer[middle:stop])))
            start = stop
        del self.buffer[:start]
        return found
