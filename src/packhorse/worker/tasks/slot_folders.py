"""The folders of a slot: a private working copy of the snapshot with data linked in, a scratch folder, output files."""

import errno
import json
import os
import shutil
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from packhorse.worker.work_file import Work

# Smaller files are copied, so that a script may change them; larger ones are hard links without write
# permission, so that many slots do not cost many copies.
LINK_FROM = 1 << 20
FULL_BELOW = 64 << 10  # bytes of free space below which a write may have failed
MIN_FREE = 16 << 20  # bytes that a node's folder must have for working copies


def scratch_parent() -> str:
    """Return the default parent of a worker's scratch folder: $TMPDIR, or /tmp if $TMPDIR does not exist here."""
    folder = os.environ.get("TMPDIR", "")
    return folder if os.path.isdir(folder) else "/tmp"  # noqa: S108 - only the parent of a private folder


def require_free_space(folder: str) -> None:
    """Raise OSError (ENOSPC) if a disk is full, before a job spends its time on it."""
    stats = os.statvfs(folder)
    if stats.f_bavail * stats.f_frsize < MIN_FREE:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), folder)


def unpack(snapshot: "str | None", folder: str) -> str:
    """Unpack a snapshot, once for a node; return the folder."""
    import tarfile  # slow to import, and not for a slot

    os.makedirs(folder, exist_ok=True)
    if snapshot is not None:
        with tarfile.open(snapshot) as archive:
            # Python 3.12 warns without a filter; older ones do not know it. The archive is our own.
            if hasattr(tarfile, "data_filter"):
                archive.extractall(folder, filter="tar")
            else:
                archive.extractall(folder)
    return folder


def copy_tree(source: str, target: str) -> None:
    """Make a slot's own copy of an unpacked snapshot."""
    os.makedirs(target, exist_ok=True)
    for entry in os.scandir(source):
        goal = os.path.join(target, entry.name)
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), goal)
        elif entry.is_dir():
            copy_tree(entry.path, goal)
        elif entry.stat().st_size < LINK_FROM or not _link(entry.path, goal):
            shutil.copy2(entry.path, goal)


def _link(source: str, goal: str) -> bool:
    try:
        mode = stat.S_IMODE(os.stat(source).st_mode)
        os.chmod(source, mode & ~0o222)
        os.link(source, goal)
        return True
    except OSError:
        return False


class SlotFolders(object):
    """The paths of one slot: `code` is the working copy, `study` the study's folder in it."""

    def __init__(self, scratch: str, number: int, work: "Work") -> None:
        self.root = os.path.join(scratch, "slot-%d" % number)
        self.code = os.path.join(self.root, "code")
        self.study = os.path.normpath(os.path.join(self.code, work["folder"]))
        self.scratch = os.path.join(self.root, "scratch")
        self.stdout = os.path.join(self.root, "stdout")
        self.stderr = os.path.join(self.root, "stderr")
        self.current = os.path.join(self.root, "current")
        self._common_json: "str | None" = None
        self.search = [os.path.normpath(os.path.join(self.code, path)) for path in work["search"]]

    def common_json(self, work: "Work") -> str:
        """Return the end of a task's JSON text, which is the same for all tasks of a slot."""
        if self._common_json is None:
            values = {"count": work["total"], "deadline": work.get("deadline"), "scratch": self.scratch}
            values["output"] = os.path.join(self.root, "output")
            self._common_json = json.dumps(values)[1:]
        return self._common_json

    def make(self, unpacked: str, links: "Iterable[Sequence[str]]") -> None:
        """Make the folders, the working copy and the links to data."""
        os.makedirs(self.root)
        copy_tree(unpacked, self.code)
        for folder in (self.study, self.scratch):
            os.makedirs(folder, exist_ok=True)
        for relative, target in links:
            goal = os.path.join(self.study, relative)
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

    def is_full(self) -> bool:
        """Return whether the disk of the working copy is full, so that what a task wrote may be cut off."""
        stats = os.statvfs(self.root)
        return stats.f_bavail * stats.f_frsize < FULL_BELOW

    def state(self) -> "dict[str, tuple[int, int]]":
        """Return {relative path: (size, mtime in ns)} of the working copy, without links and byte code."""
        state = {}
        for folder, folders, names in os.walk(self.code):
            folders[:] = [name for name in folders if name != "__pycache__"]
            for name in names:
                path = os.path.join(folder, name)
                if not os.path.islink(path):
                    stats = os.stat(path)
                    state[os.path.relpath(path, self.study)] = (stats.st_size, stats.st_mtime_ns)
        return state


def clear(folder: str) -> None:
    """Remove what a task left in a folder, but keep the folder."""
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            os.unlink(entry.path)
