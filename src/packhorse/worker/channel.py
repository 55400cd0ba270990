"""Messages between a worker and its slots: a JSON header and raw bytes over a local socket."""

import json
import struct

HEAD = struct.Struct(">II")


def message(header, body=b""):
    """Return the bytes of one message."""
    said = json.dumps(header, separators=(",", ":")).encode("ascii")
    return HEAD.pack(len(said), len(body)) + said + body


TIMES = struct.Struct(">dd")


def fast_message(line, wall, cpu):
    """Return a message without header: a sealed journal line of a task that ended well, and its times."""
    return HEAD.pack(0, TIMES.size + len(line)) + TIMES.pack(wall, cpu) + line


class Messages(object):
    """Bytes in, whole messages out."""

    def __init__(self):
        self.buffer = bytearray()

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
