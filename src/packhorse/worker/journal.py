"""Writing a journal: lines with checksums, packed results, logs, and recovery from a disk that refuses to write.

The formats are in docs/reference/files.md. Each file has one writer and is never reopened; after a write error the file is
closed for good, and all that was written since its last successful fsync goes to a new one.
"""

import binascii
import errno
import json
import os
import platform
import socket
import threading
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Union

    from packhorse.worker.work_file import Work

    # A dict, or journal lines of several records that a slot has framed; and bytes for the pack, or None.
    Entry = tuple[Union[dict[str, Any], bytes], Union[bytes, None]]

SYNC_SECONDS = 1.0  # of records that a crash of the machine may cost
FULL = (errno.ENOSPC, errno.EDQUOT)

# Made once, as it is used for every record.
ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)


def encode(value: "Any") -> bytes:
    """Return compact JSON; NaN and infinities are the bare words that Python and R read."""
    try:
        return ENCODER.encode(value).encode("utf-8")
    except UnicodeEncodeError:  # lone surrogates: escaped, they are still JSON
        return json.dumps(value, separators=(",", ":")).encode("ascii")


def add_checksum(body: bytes) -> bytes:
    """Return the journal line of a JSON object, with the checksum as its first member."""
    rest = b"," + body[1:]
    return b'{"crc":"%08x"%s\n' % (binascii.crc32(rest) & 0xFFFFFFFF, rest)


def journal_line(value: "dict[str, Any]") -> bytes:
    """Return the journal line of a dict."""
    return add_checksum(encode(value))


def write_all(descriptor: int, data: bytes) -> None:
    """Write all bytes, since one write may be short when a disk is nearly full."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


class Journal(object):
    """The journal, pack and log of one worker."""

    def __init__(self, run: str, name: str, header: "dict[str, Any]") -> None:
        self.run = run
        self.stem = name
        self.header = header
        self.number = 0
        self.descriptor: "int | None" = None
        self.pack: "int | None" = None
        self.log: "int | None" = None
        self.pack_name = ""
        self.pack_size = self.log_size = 0
        self.unsynced: "list[Entry]" = []  # since the last successful fsync
        self.held: "list[Entry]" = []  # not written yet, because the disk refused
        self.dirty = False
        self.lock = threading.RLock()
        self.stop = threading.Event()
        self._open()
        self.thread = threading.Thread(target=self._sync_regularly, daemon=True)
        self.thread.start()

    def _open(self) -> None:
        name = self.stem if self.number == 0 else "%s.%d" % (self.stem, self.number)
        self.number += 1
        folder = os.path.join(self.run, "journal")
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND
        descriptor = os.open(os.path.join(folder, name + ".ndjson"), flags, 0o600)
        header = dict(self.header, log=self.stem + ".log", pack=name + ".pack")
        self.pack_name, self.pack_size, self.pack = name + ".pack", 0, None
        try:
            write_all(descriptor, journal_line({"header": header}))
        except OSError:
            os.close(descriptor)
            os.unlink(os.path.join(folder, name + ".ndjson"))
            raise
        self.descriptor = descriptor

    def write(self, records: "list[Entry]", totals: "dict[str, Any]") -> bool:
        """Append records and the totals.

        Return False if the disk refuses; the records are then held, and written by `recover`.
        """
        with self.lock:
            if self.held:
                self.held.extend(records)
                return False
            try:
                self._append(records, totals)
            except OSError:
                self._abandon(records)
                return self._reopen(totals)
            return True

    def _append(self, records: "list[Entry]", totals: "dict[str, Any]") -> None:
        assert self.descriptor is not None
        lines = []
        for record, packed in records:
            if isinstance(record, bytes):
                lines.append(record)
            elif packed is not None:
                lines.append(journal_line(dict(record, pack=self._append_pack(packed))))
            else:
                lines.append(journal_line(record))
        lines.append(journal_line({"totals": totals}))
        write_all(self.descriptor, b"".join(lines))
        self.unsynced.extend(records)
        self.dirty = True

    def _append_pack(self, data: bytes) -> "list[int]":
        if self.pack is None:
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND
            self.pack = os.open(os.path.join(self.run, "journal", self.pack_name), flags, 0o600)
        extent = [self.pack_size, len(data), binascii.crc32(data) & 0xFFFFFFFF]
        write_all(self.pack, data)
        self.pack_size += len(data)
        return extent

    def _abandon(self, records: "Iterable[Entry]") -> None:
        """Close the file that failed, and hold everything that it may not have."""
        self.held = self.unsynced + list(records)
        self.unsynced = []
        for descriptor in (self.descriptor, self.pack):
            if descriptor is not None:
                try:
                    os.close(descriptor)
                except OSError:
                    pass
        self.descriptor = self.pack = None

    def _reopen(self, totals: "dict[str, Any]") -> bool:
        """Open a new file and write what is held; return whether it is on disk."""
        try:
            self._open()
            held, self.held = self.held, []
            try:
                self._append(held, totals)
                assert self.descriptor is not None
                os.fsync(self.descriptor)
            except OSError:
                self._abandon(held)
                return False
        except OSError:
            return False
        return True

    def recover(self, totals: "dict[str, Any]") -> bool:
        """Try to write what is held to a new file; return whether nothing is held any more."""
        with self.lock:
            return not self.held or self._reopen(totals)

    def write_log(self, data: bytes) -> "list[int] | None":
        """Append the output of a task; return [offset, length], or None if the disk refuses, which is not fatal."""
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
            extent = [self.log_size, len(data)]
            self.log_size += len(data)
            return extent

    def write_event(self, event: "dict[str, Any]") -> None:
        """Append a line that is not a record, such as a note; it is lost without harm if the disk refuses."""
        with self.lock:
            if self.descriptor is not None:
                try:
                    write_all(self.descriptor, journal_line(event))
                    self.dirty = True
                except OSError:
                    pass

    def sync(self) -> None:
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

    def _sync_regularly(self) -> None:
        while not self.stop.wait(SYNC_SECONDS):
            self.sync()

    def close(self, end: str, totals: "dict[str, Any]") -> bool:
        """Write what is held if possible, then the last line; return whether everything is on disk."""
        self.stop.set()
        self.thread.join(30)
        with self.lock:
            complete = self.recover(totals)
            self.write_event({"totals": totals})
            self.write_event({"end": end, "at": now()})
            self.sync()
            return complete and not self.held


def journal_header(work: "Work", element: int, restart: int) -> "dict[str, Any]":
    """Return the first line of a journal of this process, for a worker without slots and without a deadline."""
    return {
        "format": "packhorse-journal",
        "version": 1,
        "run": work["run"],
        "wave": work["wave"],
        "element": element,
        "restart": restart,
        "host": platform.node(),
        "pid": os.getpid(),
        "space": work["space_digest"],
        "prefix": work.get("prefix", ""),
        "code": work["code"],
        "environment": work["environment"],
        "started": round(time.time(), 3),
        "python": platform.python_version(),
        "slots": 0,
        "deadline": None,
    }


def journal_name(wave: int, element: int, restart: int) -> str:
    """Return a name for a journal that no other worker uses."""
    host = "".join(c if c.isalnum() else "_" for c in socket.gethostname().split(".")[0])
    token = binascii.hexlify(os.urandom(4)).decode()
    return "%d-%d-%d-%s-%d-%s" % (wave, element, restart, host, os.getpid(), token)


def now() -> float:
    """Return the Unix time in seconds, to the millisecond."""
    return round(time.time(), 3)
