"""Tasks never meet: what a task added, changed or removed in its slot's folder is undone before the next one begins."""

import os
import shutil
import stat

from packhorse.worker.tasks.changes import OPENED, REPLACED, NoInotify, watch_changes
from packhorse.worker.tasks.slot_folders import CODE, LINK_FROM, OWN, SCRATCH, copy_file, copy_tree, remove

TYPE_CHECKING = False
if TYPE_CHECKING:
    from packhorse.worker.tasks.changes import Changes
    from packhorse.worker.tasks.slot_folders import SlotFolders
    from packhorse.worker.work_file import Work

BYTE_CODE = "__pycache__"


class NotRestored(OSError):
    """The folder of a slot could not be restored, so no task may begin in it."""


class Restorer(object):
    """Restores the folder of one slot from the image of its worker.

    Byte code of unchanged sources stays, since it saves every task the time to compile them.
    """

    def __init__(self, folders: "SlotFolders", work: "Work") -> None:
        self.folders = folders
        self.root = folders.root
        self.watch = watch_changes(self.root)
        self.pending: "Changes | None" = {}  # what an attempt to restore that failed has left; None: all
        self.alone = bool(work.get("alone"))
        self.share = bool(work.get("share"))
        self.shared = SharedFiles(folders, work) if self.share else None

    def restore_all(self) -> None:
        """Make the folder again: the slot's process before this one died, and nothing is known of its changes."""
        self.pending = None
        self.restore()

    def quiet(self) -> bool:
        """Return whether there is nothing to restore, as after most tasks."""
        return self.watch.quiet() and self.shared is None and self.pending == {} and not self.alone

    def changed(self) -> "Changes | None":
        """Return what the task that has just ended changed, for a look before it is restored; None: not known."""
        if self.alone:
            return None
        self.pending = _joined(self.watch.take(), self.pending)
        return self.pending

    def restore(self) -> bool:
        """Undo what tasks changed since the last call; return whether a folder was replaced, perhaps the current one.

        Raises NotRestored.
        """
        if self.quiet():
            return False
        changes = self.watch.take()
        if changes == {} and self.pending == {} and self.shared is None and not self.alone:
            return False
        self.pending = None if self.alone else _joined(changes, self.pending)
        try:
            moved = self._restore_pending()
            if self.shared is not None:
                self.shared.restore()
        except OSError as error:
            text = "cannot restore the working copy: %s: %s" % (error.strerror or error, error.filename)
            raise NotRestored(error.errno, text) from error
        self.pending = {}
        return moved

    def _restore_pending(self) -> bool:
        if self.pending is not None:
            try:
                return self._undo(self.pending)
            except NoInotify:  # no watch is left
                self.pending = None
        return self._restore_all()

    def adopt(self) -> None:
        """Take what is there now for what every task must find: a module may make files when it is imported."""
        changes = self.watch.take()
        if changes is not None and all(_is_own(path) or self._is_kept(path) for path in changes):
            self._undo(changes)
            return
        private = self.root + ".image"
        remove(private)
        for name in (CODE, SCRATCH):
            copy_tree(os.path.join(self.root, name), os.path.join(private, name))
        self.folders.image = private
        self.watch.close()
        self.watch = watch_changes(self.root)

    def _undo(self, changes: "Changes") -> bool:
        moved = False
        done = ""  # the folder that was restored last, with all below it
        for path in sorted(changes, key=lambda path: path.split(os.sep)):
            if _is_own(path) or (done and path.startswith(done)):
                continue
            if BYTE_CODE in path.split(os.sep)[-2:]:
                self._check_byte_code(path)
            elif self._restore(path, changes[path]):
                done = path + os.sep
                moved = True
        self.watch.settle()
        return moved

    def _restore(self, path: str, level: int) -> bool:
        """Restore one entry; return whether it was a folder, restored with all below it."""
        if self.shared is not None and path in self.shared.state:
            return False
        source, goal = os.path.join(self.folders.image, path), os.path.join(self.root, path)
        before, now = _stats(source), _stats(goal)
        if before is None:
            if now is not None:
                self.watch.drop(path)
                remove(goal)
            return False
        kind = stat.S_IFMT(before.st_mode)
        if now is not None and (stat.S_IFMT(now.st_mode) != kind or level == REPLACED):
            now = None  # another entry than before
        if kind == stat.S_IFDIR:
            return self._restore_folder(path, before, now)
        if kind == stat.S_IFLNK:
            remove(goal)
            os.symlink(os.readlink(source), goal)
        elif now is None or level > OPENED or _looks(before) != _looks(now):
            self._restore_file(path, before, now)
        return False

    def _restore_folder(self, path: str, before: os.stat_result, now: "os.stat_result | None") -> bool:
        """Restore a folder; with all below it unless it is still the same one."""
        source, goal = os.path.join(self.folders.image, path), os.path.join(self.root, path)
        if now is not None:
            os.chmod(goal, stat.S_IMODE(before.st_mode))
            return False
        self.watch.drop(path)
        remove(goal)
        copy_tree(source, goal, share=self.share)
        self.watch.add(path)
        return True

    def _restore_file(self, path: str, before: os.stat_result, now: "os.stat_result | None") -> None:
        source, goal = os.path.join(self.folders.image, path), os.path.join(self.root, path)
        # Where it can stay the same file, it does, since the module of a function may hold it open.
        if now is None or now.st_nlink > 1 or not _rewrite(source, goal):
            self.watch.drop(path)
            remove(goal)
            copy_file(source, goal, before, share=self.share)
            self.watch.add_file(path)
        self._remove_byte_code(path)

    def _restore_all(self) -> bool:
        """Make the whole folder again."""
        for name in os.listdir(self.root):
            if not _is_own(name):
                remove(os.path.join(self.root, name))
        copy_tree(self.folders.image, self.root, share=self.share)
        self.watch.close()
        self.watch = watch_changes(self.root)
        return True

    # Byte code

    def _is_kept(self, path: str) -> bool:
        """Return whether a path is byte code of a source of the project, or a folder of it."""
        folder, name = os.path.split(path)
        if name == BYTE_CODE:
            return os.path.isdir(os.path.join(self.folders.image, folder))
        if not name.endswith(".pyc") or os.path.basename(folder) != BYTE_CODE:
            return False
        source = os.path.join(os.path.dirname(folder), name.split(".", 1)[0] + ".py")
        return os.path.isfile(os.path.join(self.folders.image, source))

    def _check_byte_code(self, path: str) -> None:
        """Keep byte code of sources of the project, and remove all else beside it, such as compiled functions of Numba."""
        goal = os.path.join(self.root, path)
        if os.path.lexists(os.path.join(self.folders.image, path)):
            self._restore(path, REPLACED)
        elif os.path.basename(path) != BYTE_CODE or not self._is_kept(path) or os.path.islink(goal):
            if not self._is_kept(path):
                remove(goal)
        elif os.path.isdir(goal):
            for name in os.listdir(goal):
                if not self._is_kept(os.path.join(path, name)):
                    remove(os.path.join(goal, name))
            self.watch.add(path)

    def _remove_byte_code(self, path: str) -> None:
        """Remove the byte code of a source that was changed: it may have been made of the change."""
        folder, name = os.path.split(path)
        stem, suffix = os.path.splitext(name)
        cache = os.path.join(self.root, folder, BYTE_CODE)
        if suffix == ".py" and os.path.isdir(cache):
            for one in os.listdir(cache):
                if one.startswith(stem + "."):
                    remove(os.path.join(cache, one))


def _is_own(path: str) -> bool:
    """Return whether a path is of a file that we write, such as a task's output."""
    return path.split(".", 1)[0] in OWN


def _joined(one: "Changes | None", other: "Changes | None") -> "Changes | None":
    if one is None or other is None:
        return None
    joined = dict(other)
    for path, level in one.items():
        joined[path] = max(level, other.get(path, OPENED))
    return joined


def _stats(path: str) -> "os.stat_result | None":
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _looks(stats: "os.stat_result | None") -> "tuple[int, int, int] | None":
    return stats and (stats.st_mode, stats.st_size, stats.st_mtime_ns)


def _rewrite(source: str, goal: str) -> bool:
    """Give a file the bytes, times and mode of another one; return whether that worked."""
    try:
        shutil.copyfile(source, goal)
        shutil.copystat(source, goal)
        return True
    except OSError:  # it may not be written to, or is a program that runs
        return False


class SharedFiles(object):
    """Large files that are hard links to those of the image. A task may have made one writable and changed it."""

    def __init__(self, folders: "SlotFolders", work: "Work") -> None:
        self.folders, self.work = folders, work
        self.state: "dict[str, tuple[int, int, int]]" = {}  # path in the image -> mode, size, mtime in ns
        for folder, _, names in os.walk(folders.image):
            for name in names:
                stats = os.lstat(os.path.join(folder, name))
                if stat.S_ISREG(stats.st_mode) and stats.st_size >= LINK_FROM:
                    path = os.path.relpath(os.path.join(folder, name), folders.image)
                    self.state[path] = (stats.st_mode, stats.st_size, stats.st_mtime_ns)

    def restore(self) -> None:
        """Restore those that a task of any slot changed, in the image from the snapshot."""
        for path, before in self.state.items():
            source, goal = os.path.join(self.folders.image, path), os.path.join(self.folders.root, path)
            stats = os.stat(source)
            if (stats.st_mode, stats.st_size, stats.st_mtime_ns) != before:
                self._unpack(source, before[0])
            now = _stats(goal)
            if now is None or now.st_ino != os.stat(source).st_ino:
                remove(goal)
                copy_file(source, goal, os.stat(source), share=True)

    def _unpack(self, source: str, mode: int) -> None:
        import tarfile  # slow to import, and hardly ever needed

        code = os.path.join(self.folders.image, os.path.relpath(self.folders.code, self.folders.root))
        private = "%s.%d" % (source, os.getpid())
        with tarfile.open(os.path.join(self.work["directory"], self.work["snapshot"])) as archive:
            member = archive.getmember(os.path.relpath(source, code))
            content = archive.extractfile(member)
            assert content is not None
            with open(private, "wb") as stream:
                shutil.copyfileobj(content, stream)
            os.utime(private, (member.mtime, member.mtime))
            os.chmod(private, stat.S_IMODE(mode))
        os.rename(private, source)
