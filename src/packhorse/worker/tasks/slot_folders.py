"""Where a slot's tasks stand: a private working copy of the snapshot, with data linked in."""

import errno
import json
import os
import shutil
import stat
import tarfile

# Smaller files are copied, so that a script may change them; larger ones are hard links without write
# permission, so that many slots do not cost many copies.
LINK_FROM = 1 << 20
BRIM = 64 << 10  # bytes of free space below which a write may have failed
ROOM = 16 << 20  # bytes that a node's folder must have for working copies


def place_for_scratch():
    """Return where a worker makes its folder when nobody said: $TMPDIR, or /tmp where that one is of another machine."""
    said = os.environ.get("TMPDIR", "")
    return said if os.path.isdir(said) else "/tmp"  # noqa: S108 - only the parent of a private folder


def require_room(folder):
    """Refuse a disk that is full, before a job spends its time on it."""
    about = os.statvfs(folder)
    if about.f_bavail * about.f_frsize < ROOM:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), folder)


def unpack(snapshot, folder):
    """Unpack a snapshot once a node; return the folder."""
    os.makedirs(folder, exist_ok=True)
    if snapshot is not None:
        with tarfile.open(snapshot) as archive:
            # Python 3.12 warns without a filter; older ones do not know it. The archive is our own.
            if hasattr(tarfile, "data_filter"):
                archive.extractall(folder, filter="tar")
            else:
                archive.extractall(folder)
    return folder


def copy_tree(source, target):
    """Give a slot its own copy of an unpacked snapshot."""
    os.makedirs(target, exist_ok=True)
    for entry in os.scandir(source):
        goal = os.path.join(target, entry.name)
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), goal)
        elif entry.is_dir():
            copy_tree(entry.path, goal)
        elif entry.stat().st_size < LINK_FROM or not _link(entry.path, goal):
            shutil.copy2(entry.path, goal)


def _link(source, goal):
    try:
        mode = stat.S_IMODE(os.stat(source).st_mode)
        os.chmod(source, mode & ~0o222)
        os.link(source, goal)
        return True
    except OSError:
        return False


class Place(object):
    """The folders of one slot."""

    def __init__(self, scratch, number, work):
        self.root = os.path.join(scratch, "slot-%d" % number)
        self.code = os.path.join(self.root, "code")
        self.folder = os.path.normpath(os.path.join(self.code, work["folder"]))
        self.scratch = os.path.join(self.root, "scratch")
        self.stdout = os.path.join(self.root, "stdout")
        self.stderr = os.path.join(self.root, "stderr")
        self.current = os.path.join(self.root, "current")
        self._fixed = None
        self.search = [os.path.normpath(os.path.join(self.code, path)) for path in work["search"]]

    def fixed(self, work):
        """Return that end of a task's JSON text which is the same for all tasks of a slot."""
        if self._fixed is None:
            said = {"count": work["total"], "deadline": work.get("deadline"), "scratch": self.scratch}
            said["output"] = os.path.join(self.root, "output")
            self._fixed = json.dumps(said)[1:]
        return self._fixed

    def make(self, unpacked, links):
        """Make the folders, the working copy and the links to data."""
        os.makedirs(self.root)
        copy_tree(unpacked, self.code)
        for folder in (self.folder, self.scratch):
            os.makedirs(folder, exist_ok=True)
        for relative, target in links:
            goal = os.path.join(self.folder, relative)
            os.makedirs(os.path.dirname(goal), exist_ok=True)
            if os.path.isdir(goal) and not os.path.islink(goal):
                shutil.rmtree(goal)
            elif os.path.lexists(goal):
                os.unlink(goal)
            os.symlink(target, goal)
        for name in (self.stdout, self.stderr):
            with open(name, "wb"):
                pass
        with open(self.current, "wb") as stream:
            stream.write(b"\0" * 16)

    def is_full(self):
        """Tell whether the disk of the working copy has no room, so that what a task wrote may be cut off."""
        about = os.statvfs(self.root)
        return about.f_bavail * about.f_frsize < BRIM

    def state(self):
        """Return {relative path: (size, mtime)} of the working copy, links and byte code left out."""
        found = {}
        for folder, folders, names in os.walk(self.code):
            folders[:] = [name for name in folders if name != "__pycache__"]
            for name in names:
                path = os.path.join(folder, name)
                if not os.path.islink(path):
                    about = os.stat(path)
                    found[os.path.relpath(path, self.folder)] = (about.st_size, about.st_mtime_ns)
        return found


def clear(folder):
    """Remove what a task left in a folder, keeping the folder."""
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            os.unlink(entry.path)
