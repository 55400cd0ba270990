"""The folders of a slot: a private working copy of the snapshot with data linked in, a scratch folder, output files."""

import errno
import fcntl
import json
import os
import shutil
import stat

from packhorse.worker.tasks.current import SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from packhorse.worker.work_file import Work

# Smaller files are copied. Larger ones are clones where the file system has them, else copies up to a total of
# COPY_UP_TO on a node, else hard links without write permission, so that many slots do not cost many copies.
LINK_FROM = 1 << 20
COPY_UP_TO = 256 << 20
FICLONE = 0x40049409  # ioctl_ficlone(2)
FULL_BELOW = 64 << 10  # bytes of free space below which a write may have failed
MIN_FREE = 16 << 20  # bytes that a node's folder must have for working copies
IMAGE = "image"  # folder of a worker, unpacked once: what the folder of each slot must be when a task begins
CODE = "code"
SCRATCH = "scratch"
# What we write in a slot's folder ourselves; tasks write to `output` and read `params`.
OWN = ("stdout", "stderr", "current", "output", "params")


def scratch_parent() -> str:
    """Return the default parent of a worker's scratch folder: $TMPDIR, or /tmp if $TMPDIR does not exist here."""
    folder = os.environ.get("TMPDIR", "")
    return folder if os.path.isdir(folder) else "/tmp"  # noqa: S108 - only the parent of a private folder


def require_free_space(folder: str) -> None:
    """Raise OSError (ENOSPC) if a disk is full, before a job spends its time on it."""
    stats = os.statvfs(folder)
    if stats.f_bavail * stats.f_frsize < MIN_FREE:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), folder)


def make_image(work: "Work", snapshot: "str | None", scratch: str) -> str:
    """Unpack a snapshot, once for a node, and arrange it as a task must find it; return the folder."""
    image = SlotFolders(scratch, IMAGE, work)
    unpack(snapshot, image.code)
    for folder in (image.study, image.start, image.scratch):
        os.makedirs(folder, exist_ok=True)
    image.link_data(work["links"])
    return image.root


def unpack(snapshot: "str | None", folder: str) -> None:
    """Unpack a snapshot into a folder."""
    import tarfile  # slow to import, and not for a slot

    os.makedirs(folder, exist_ok=True)
    if snapshot is not None:
        with tarfile.open(snapshot) as archive:
            # Python 3.12 warns without a filter; older ones do not know it. The archive is our own.
            if hasattr(tarfile, "data_filter"):
                archive.extractall(folder, filter="tar")
            else:
                archive.extractall(folder)


def copy_tree(source: str, target: str, *, share: bool = False) -> None:
    """Copy a folder; with `share`, large files that cannot be cloned become hard links without write permission."""
    os.makedirs(target, exist_ok=True)
    for entry in os.scandir(source):
        goal = os.path.join(target, entry.name)
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), goal)
        elif entry.is_dir():
            copy_tree(entry.path, goal, share=share)
        else:
            copy_file(entry.path, goal, entry.stat(), share=share)
    shutil.copymode(source, target)


def copy_file(source: str, goal: str, stats: os.stat_result, *, share: bool) -> None:
    """Copy one file, as `copy_tree` does; `goal` does not exist."""
    if stats.st_size < LINK_FROM:
        shutil.copy2(source, goal)
    elif _clone(source, goal):
        shutil.copystat(source, goal)
    elif not (share and _link(source, goal)):
        shutil.copy2(source, goal)


def _clone(source: str, goal: str) -> bool:
    """Make a file that shares its blocks with another until one is written to; return whether the file system can."""
    try:
        with open(source, "rb") as old, open(goal, "wb") as new:
            fcntl.ioctl(new.fileno(), FICLONE, old.fileno())
        return True
    except OSError:
        remove(goal)
        return False


def _link(source: str, goal: str) -> bool:
    try:
        mode = stat.S_IMODE(os.stat(source).st_mode)
        os.chmod(source, mode & ~0o222)
        os.link(source, goal)
        return True
    except OSError:
        return False


def must_share(image: str, slots: int) -> bool:
    """Return whether large files of an image must be hard links, since copies for all slots would be too large.

    The superuser can write to files without write permission, so it gets copies.
    """
    if os.geteuid() == 0:
        return False
    total = 0
    for folder, _, names in os.walk(image):
        sizes = (os.lstat(os.path.join(folder, name)).st_size for name in names)
        total += sum(size for size in sizes if size >= LINK_FROM)
    return total * slots > COPY_UP_TO


def remove(path: str) -> None:
    """Remove a file or a folder, if it exists, also below folders that may not be written to."""
    if not os.path.isdir(path) or os.path.islink(path):
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass
        except PermissionError:
            os.chmod(os.path.dirname(path), 0o700)
            os.unlink(path)
        return
    try:
        shutil.rmtree(path)
    except OSError:
        os.chmod(path, 0o700)
        for folder, names, _ in os.walk(path):  # top down, so that each is opened before it is entered
            for name in names:
                if not os.path.islink(os.path.join(folder, name)):
                    os.chmod(os.path.join(folder, name), 0o700)
        shutil.rmtree(path)


class SlotFolders(object):
    """The paths of one slot: `code` is the working copy, `study` the study's folder in it, `start` where tasks start."""

    def __init__(self, scratch: str, number: "int | str", work: "Work") -> None:
        self.root = os.path.join(scratch, number if isinstance(number, str) else "slot-%d" % number)
        self.image = os.path.join(scratch, IMAGE)
        # The copy has the name of the project's folder, since scripts look for it.
        self.code = os.path.join(self.root, CODE, work.get("root") or "project")
        self.study = os.path.normpath(os.path.join(self.code, work["folder"]))
        self.start = os.path.normpath(os.path.join(self.code, work.get("start") or work["folder"]))
        self.scratch = os.path.join(self.root, SCRATCH)
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

    def make(self, image: str, *, share: bool = False) -> None:
        """Make the slot's folder, with what is in the image and our own files."""
        copy_tree(image, self.root, share=share)
        for name in (self.stdout, self.stderr):
            with open(name, "wb"):
                pass
        if not os.path.exists(self.current):  # else it is mapped into memory
            with open(self.current, "wb") as stream:
                stream.write(b"\0" * SIZE)

    def link_data(self, links: "Iterable[Sequence[str]]") -> None:
        """Link data into the copy."""
        above = os.path.dirname(self.root) + os.sep
        for relative, target in links:
            goal = os.path.normpath(os.path.join(self.study, relative))
            if os.path.isabs(relative):
                continue  # tasks use the absolute path itself
            if not goal.startswith(above):
                raise OSError(errno.EINVAL, "data is too many folders above the project", relative)
            os.makedirs(os.path.dirname(goal), exist_ok=True)
            remove(goal)
            os.symlink(target, goal)

    def is_original(self, path: str) -> bool:
        """Return whether a file of the copy is as it was before the task, by its size and time."""
        try:
            now = os.lstat(path)
            before = os.lstat(os.path.join(self.image, os.path.relpath(path, self.root)))
        except OSError:
            return False
        return (now.st_mode, now.st_size, now.st_mtime_ns) == (
            before.st_mode,
            before.st_size,
            before.st_mtime_ns,
        )

    def is_full(self) -> bool:
        """Return whether the disk of the working copy is full, so that what a task wrote may be cut off."""
        stats = os.statvfs(self.root)
        return stats.f_bavail * stats.f_frsize < FULL_BELOW

    def state(self) -> "dict[str, tuple[int, int]]":
        """Return {relative path: (size, mtime in ns)} of the working copy, without links and byte code."""
        state = {}
        for folder, folders, names in os.walk(self.code):
            folders[:] = [name for name in folders if name not in ("__pycache__", ".git")]
            for name in names:
                path = os.path.join(folder, name)
                if not os.path.islink(path):
                    stats = os.stat(path)
                    state[os.path.relpath(path, self.study)] = (stats.st_size, stats.st_mtime_ns)
        return state
