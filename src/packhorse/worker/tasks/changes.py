"""What tasks change in a folder: told by the kernel (inotify), else found by comparing all times and sizes."""

import os
import stat
import struct
import time
from fcntl import ioctl
from termios import FIONREAD

try:
    import ctypes
except ImportError:  # a Python built without libffi
    ctypes = None  # type: ignore[assignment]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Union

    Changes = dict[str, int]  # path relative to the watched folder -> OPENED, CHANGED or REPLACED

EVENT = struct.Struct("iIII")  # inotify(7): watch, mask, cookie, length of the name
BUFFER = 1 << 18
MODIFY, ATTRIB, CLOSE_WRITE = 0x2, 0x4, 0x8
MOVED_FROM, MOVED_TO, CREATE, DELETE = 0x40, 0x80, 0x100, 0x200
WRITES = MODIFY | CLOSE_WRITE
UNMOUNT, OVERFLOW, IGNORED = 0x2000, 0x4000, 0x8000
ONLYDIR, DONT_FOLLOW = 0x1000000, 0x2000000
ENTRIES = MOVED_FROM | MOVED_TO | CREATE | DELETE
NONE = bytes(4)
OPENED, CHANGED, REPLACED = 0, 1, 2  # for writing; changed; may be another entry than before, or none
MOST_WATCHES = 2000  # of files and folders for one slot; with more, only folders are watched
TICK = 0.02  # seconds, longer than the clock of a file system stands still


class NoInotify(OSError):
    """The kernel tells nothing here: another system, or no watch is left for this user."""


class InotifyChanges(object):
    """What changed below a folder, told by the kernel; asking costs one system call.

    With `each`, every file is watched by itself: then a write through another hard link is told, too, and writing to
    new files causes no events. Without it, only the folders are watched.
    """

    def __init__(self, root: str, *, each: bool) -> None:
        self.root, self.each = root, each
        self.paths: "dict[int, str]" = {}  # watch -> folder or file relative to the root
        if ctypes is None:
            raise NoInotify("no ctypes")
        self.waiting = bytearray(4)  # bytes of events, a C int
        self.library: "Any" = ctypes.CDLL(None, use_errno=True)
        try:
            self.descriptor: int = self.library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        except AttributeError:
            raise NoInotify("no inotify") from None
        if self.descriptor < 0:
            raise NoInotify(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        try:
            # What is printed is written to files of the root, so there only entries count.
            self._watch("", ENTRIES | ONLYDIR)
            for entry in os.scandir(root):
                if entry.is_dir(follow_symlinks=False):
                    self.add(entry.name)
        except OSError:
            self.close()
            raise

    def add(self, path: str) -> None:
        """Watch a folder and all below it."""
        self._watch(path, ENTRIES | ATTRIB | ONLYDIR | (0 if self.each else WRITES))
        for entry in os.scandir(os.path.join(self.root, path)):
            name = os.path.join(path, entry.name)
            if entry.is_dir(follow_symlinks=False):
                self.add(name)
            elif entry.is_file(follow_symlinks=False):
                self.add_file(name)

    def add_file(self, path: str) -> None:
        """Watch a file that is new."""
        if self.each:
            if len(self.paths) > MOST_WATCHES:
                raise NoInotify("too many files")
            self._watch(path, ATTRIB | WRITES)

    def _watch(self, path: str, mask: int) -> None:
        name = os.fsencode(os.path.join(self.root, path))
        watch = self.library.inotify_add_watch(self.descriptor, name, mask | DONT_FOLLOW)
        if watch < 0:
            number = ctypes.get_errno()
            raise NoInotify(number, os.strerror(number), path)
        self.paths[watch] = path

    def drop(self, path: str) -> None:
        """Forget what is replaced, and all below it: a task may have moved it elsewhere."""
        for watch, name in list(self.paths.items()):
            if name == path or name.startswith(path + os.sep):
                del self.paths[watch]
                self.library.inotify_rm_watch(self.descriptor, watch)

    def quiet(self) -> bool:
        """Return whether nothing changed; asked before every task, so it takes a third of a microsecond."""
        ioctl(self.descriptor, FIONREAD, self.waiting, True)
        return self.waiting == NONE

    def _read(self) -> bytes:
        try:
            return os.read(self.descriptor, BUFFER)
        except BlockingIOError:
            return b""

    def take(self) -> "Union[Changes, None]":
        """Return the changes since the last call; None if the kernel lost some."""
        data = self._read()
        changes: "Changes" = {}
        lost = False
        while data:
            offset = 0
            while offset < len(data):
                watch, mask, _, length = EVENT.unpack_from(data, offset)
                offset += EVENT.size
                name = data[offset : offset + length].rstrip(b"\0")
                offset += length
                if mask & (OVERFLOW | UNMOUNT):
                    lost = True
                elif mask & IGNORED:
                    self.paths.pop(watch, None)
                elif watch in self.paths:
                    path = self.paths[watch]
                    if name:
                        path = os.path.join(path, os.fsdecode(name))
                    # What was written through mmap(2) shows as a file that was opened for writing, and its time.
                    level = REPLACED if mask & ENTRIES else CHANGED if mask & (MODIFY | ATTRIB) else OPENED
                    changes[path] = max(level, changes.get(path, OPENED))
            data = self._read()
        return None if lost else changes

    def settle(self) -> None:
        """Forget the changes that restoring has made."""
        self.take()

    def close(self) -> None:
        """Stop watching."""
        os.close(self.descriptor)


class ComparedChanges(object):
    """What changed below a folder, found by comparing modes, sizes, times and inodes of all that is in it."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.state = self._scan()

    def add(self, path: str) -> None:
        """Do nothing: `settle` looks at all."""

    def add_file(self, path: str) -> None:
        """Do nothing: `settle` looks at all."""

    def drop(self, path: str) -> None:
        """Do nothing: `settle` looks at all."""

    def take(self) -> "Union[Changes, None]":
        """Return the changes since the last call."""
        before, self.state = self.state, self._scan()
        now = self.state
        changes: "Changes" = {}
        for path in sorted(set(before) | set(now)):
            if before.get(path) != now.get(path):
                replaced = path not in before or path not in now or before[path][:2] != now[path][:2]
                changes[path] = REPLACED if replaced else CHANGED
        return changes

    def quiet(self) -> bool:
        """Return False: only `take` knows."""
        return False

    def settle(self) -> None:
        """Take the state that restoring has made for the one before the next task."""
        time.sleep(TICK)  # else the next change might have the same time
        self.state = self._scan()

    def close(self) -> None:
        """Do nothing."""

    def _scan(self) -> "dict[str, tuple[int, ...]]":
        return dict(self._entries(""))

    def _entries(self, path: str) -> "Iterator[tuple[str, tuple[int, ...]]]":
        for entry in os.scandir(os.path.join(self.root, path)):
            name = os.path.join(path, entry.name)
            stats = entry.stat(follow_symlinks=False)
            kind = stat.S_IFMT(stats.st_mode)
            if kind == stat.S_IFDIR:
                yield name, (stats.st_ino, kind, stats.st_mode)
                try:
                    yield from self._entries(name)
                except OSError:
                    pass  # not readable: its mode has changed
            elif path:  # what is printed is written to files of the root
                yield (
                    name,
                    (stats.st_ino, kind, stats.st_mode, stats.st_size, stats.st_mtime_ns, stats.st_ctime_ns),
                )
            else:
                yield name, (stats.st_ino, kind)


def watch_changes(root: str) -> "Union[InotifyChanges, ComparedChanges]":
    """Return what tells the changes below a folder: inotify if it works here."""
    for each in (True, False):
        try:
            return InotifyChanges(root, each=each)
        except NoInotify:
            pass
    return ComparedChanges(root)
