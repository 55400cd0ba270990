"""The private folder of a worker on its node, and the removal of those that killed workers have left."""

import fcntl
import os
import shutil
import tempfile
import time

from packhorse.worker.salvage import salvage
from packhorse.worker.tasks.slot_folders import remove

PREFIX = "packhorse-"
LOCK = "lock"  # held with flock while the worker lives
DRAFT = LOCK + ".new"
YOUNG = 60.0  # seconds in which a worker locks its new folder


class PrivateFolder(object):
    """A new folder (mode 700) that only we use; it is locked until `close`."""

    def __init__(self, parent: str) -> None:
        self.path = tempfile.mkdtemp(prefix=PREFIX, dir=parent)
        # The lock is taken before it has its name, so that no other worker finds it free.
        draft = os.path.join(self.path, DRAFT)
        self.descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.rename(draft, os.path.join(self.path, LOCK))
        except OSError:
            pass  # a file system without locks: no other worker can tell that we are dead

    def close(self, *, keep: bool) -> None:
        """Remove the folder, unless another process is to do that, and give up the lock."""
        if not keep:
            discard(self.path)
        os.close(self.descriptor)


def discard(path: str) -> None:
    """Remove a folder, as far as possible; its lock last, so that the next worker finds what is left if we are killed."""
    try:
        names = os.listdir(path)
    except OSError:
        names = []
    for name in [name for name in names if name != LOCK]:
        _remove(os.path.join(path, name))
    _remove(path)


def _remove(path: str) -> None:
    try:
        remove(path)
    except OSError:
        shutil.rmtree(path, ignore_errors=True)


def remove_abandoned(parent: str) -> None:
    """Remove folders of this user whose workers were killed: their locks are free; keep first what tasks wrote there."""
    try:
        names = [name for name in os.listdir(parent) if name.startswith(PREFIX)]
    except OSError:
        return
    for name in names:
        path = os.path.join(parent, name)
        try:
            if os.lstat(path).st_uid != os.geteuid():
                continue
            descriptor = os.open(os.path.join(path, LOCK), os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            if _was_never_locked(path):
                _remove(path)
            continue  # another kind of folder, or another worker was faster
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            salvage(path)
            discard(path)
        except OSError:
            pass  # its worker lives
        finally:
            os.close(descriptor)


def _was_never_locked(path: str) -> bool:
    """Return whether a folder is that of a worker which was killed before it had locked it."""
    try:
        return set(os.listdir(path)) <= {DRAFT} and time.time() - os.stat(path).st_mtime > YOUNG
    except OSError:
        return False
