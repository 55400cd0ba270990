"""Writing a journal: checked lines, packed results, logs, and what happens when the disk refuses.

The formats stand in docs/design.md. One writer per file, never reopened; after any write error the file is
closed for ever and everything since its last good fsync goes to a new one.
"""

import binascii
import errno
import json
import os
import socket
import threading
import time

SYNC_SECONDS = 1.0  # what a crash of the machine may cost
FULL = (errno.ENOSPC, errno.EDQUOT)


ENCODER = json.JSONEncoder(
    separators=(",", ":"), ensure_ascii=False
)  # made once, as it is used for every record


def encode(value):
    """Return compact JSON bytes; NaN and infinities stay the bare words that Python and R read."""
    try:
        return ENCODER.encode(value).encode("utf-8")
    except UnicodeEncodeError:  # lone surrogates: escaped, they are still JSON
        return json.dumps(value, separators=(",", ":")).encode("ascii")


def seal(body):
    """Return a journal line from its JSON object's bytes, with the checksum as first member."""
    rest = b"," + body[1:]
    return b'{"crc":"%08x"%s\n' % (binascii.crc32(rest) & 0xFFFFFFFF, rest)


def line(value):
    """Return a journal line of a dict."""
    return seal(encode(value))


def write_all(descriptor, data):
    """Write every byte, since a write may be short where a disk is nearly full."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


class Journal(object):
    """The journal, pack and log of one worker."""

    def __init__(self, run, name, header):
        self.run = run
        self.stem = name
        self.header = header
        self.number = 0
        self.descriptor = self.pack = self.log = None
        self.pack_size = self.log_size = 0
        self.unsynced = []  # (lines, packed bytes) since the last good fsync
        self.held = []  # what could not be written at all yet
        self.dirty = False
        self.lock = threading.RLock()
        self.stop = threading.Event()
        self._open()
        self.thread = threading.Thread(target=self._sync_for_ever, daemon=True)
        self.thread.start()

    def _open(self):
        name = self.stem if self.number == 0 else "%s.%d" % (self.stem, self.number)
        self.number += 1
        folder = os.path.join(self.run, "journal")
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND
        descriptor = os.open(os.path.join(folder, name + ".ndjson"), flags, 0o600)
        header = dict(self.header, log=self.stem + ".log", pack=name + ".pack")
        self.pack_name, self.pack_size, self.pack = name + ".pack", 0, None
        try:
            write_all(descriptor, line({"header": header}))
        except OSError:
            os.close(descriptor)
            os.unlink(os.path.join(folder, name + ".ndjson"))
            raise
        self.descriptor = descriptor

    def write(self, records, totals):
        """Append records, each (dict, None) or (dict, packed bytes) or (framed lines, None), and the totals.

        Return False when the disk refuses; the records are then held and written by `recover`.
        """
        with self.lock:
            if self.held:
                self.held.extend(records)
                return False
            try:
                self._append(records, totals)
            except OSError:
                self._abandon(records)
                return self._again(totals)
            return True

    def _append(self, records, totals):
        lines = []
        for record, packed in records:
            if packed is not None:
                lines.append(line(dict(record, pack=self._append_pack(packed))))
            else:
                lines.append(record if isinstance(record, bytes) else line(record))
        lines.append(line({"totals": totals}))
        write_all(self.descriptor, b"".join(lines))
        self.unsynced.extend(records)
        self.dirty = True

    def _append_pack(self, data):
        if self.pack is None:
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND
            self.pack = os.open(os.path.join(self.run, "journal", self.pack_name), flags, 0o600)
        place = [self.pack_size, len(data), binascii.crc32(data) & 0xFFFFFFFF]
        write_all(self.pack, data)
        self.pack_size += len(data)
        return place

    def _abandon(self, records):
        """Close the file that failed and hold everything it may not have."""
        self.held = self.unsynced + list(records)
        self.unsynced = []
        for descriptor in (self.descriptor, self.pack):
            if descriptor is not None:
                try:
                    os.close(descriptor)
                except OSError:
                    pass
        self.descriptor = self.pack = None

    def _again(self, totals):
        try:
            self._open()
            held, self.held = self.held, []
            try:
                self._append(held, totals)
                os.fsync(self.descriptor)
            except OSError:
                self._abandon(held)
                return False
        except OSError:
            return False
        return True

    def recover(self, totals):
        """Try to write what is held into a new file; return whether nothing is held any more."""
        with self.lock:
            return not self.held or self._again(totals)

    def write_log(self, data):
        """Append what a task printed; return [offset, length], or None when the disk refuses (never fatal)."""
        with self.lock:
            try:
                if self.log is None:
                    flags = os.O_CREAT | os.O_WRONLY | os.O_APPEND
                    self.log = os.open(os.path.join(self.run, "logs", self.stem + ".log"), flags, 0o600)
                write_all(self.log, data)
            except OSError:
                if self.log is not None:
                    self.log_size = os.fstat(self.log).st_size
                return None
            place = [self.log_size, len(data)]
            self.log_size += len(data)
            return place

    def say(self, value):
        """Append a line that is neither record nor totals; lost without harm when the disk refuses."""
        with self.lock:
            if self.descriptor is not None:
                try:
                    write_all(self.descriptor, line(value))
                    self.dirty = True
                except OSError:
                    pass

    def sync(self):
        """Make everything written so far durable."""
        with self.lock:
            if not self.dirty or self.descriptor is None:
                return
            self.dirty = False
            pending = len(self.unsynced)
            descriptors = [d for d in (self.pack, self.log, self.descriptor) if d is not None]
        try:
            for descriptor in descriptors:
                os.fsync(descriptor)
        except OSError:
            with self.lock:
                if self.descriptor in descriptors:
                    self._abandon([])
            return
        with self.lock:
            del self.unsynced[:pending]

    def _sync_for_ever(self):
        while not self.stop.wait(SYNC_SECONDS):
            self.sync()

    def close(self, how, totals):
        """Write what is held if that is possible, then the last line; return whether all is on disk."""
        self.stop.set()
        self.thread.join(30)
        with self.lock:
            whole = self.recover(totals)
            self.say({"totals": totals})
            self.say({"end": how, "at": now()})
            self.sync()
            return whole and not self.held


def journal_name(wave, element, restart):
    """Return a name that no other writer has."""
    host = "".join(c if c.isalnum() else "_" for c in socket.gethostname().split(".")[0])
    token = binascii.hexlify(os.urandom(4)).decode()
    return "%d-%d-%d-%s-%d-%s" % (wave, element, restart, host, os.getpid(), token)


def now():
    """Return Unix seconds to the millisecond."""
    return round(time.time(), 3)
