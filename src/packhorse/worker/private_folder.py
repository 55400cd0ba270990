"""The private folder of a worker on its node, and the removal of those that killed workers have left."""

import fcntl
import os
import shutil
import tempfile

from packhorse.worker.salvage import salvage
from packhorse.worker.tasks.slot_folders import remove

PREFIX = "packhorse-"
LOCK = "lock"  # held with flock while the worker lives


class PrivateFolder(object):
    """A new folder (mode 700) that only we use; it is locked until `close`."""

    def __init__(self, parent: str) -> None:
        self.path = tempfile.mkdtemp(prefix=PREFIX, dir=parent)
        # The lock is taken before it has its name, so that no other worker finds it free.
        draft = os.path.join(self.path, LOCK + ".new")
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
    """Remove a folder, as far as possible."""
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
            continue  # another kind of folder, or another worker was faster
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            salvage(path)
            discard(path)
        except OSError:
            pass  # its worker lives
        finally:
            os.close(descriptor)
