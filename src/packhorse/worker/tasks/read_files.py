"""Which files of the snapshot tasks read, from the access times of their private copies.

A file's access time is set to a moment of the past; the first read moves it, also under `relatime`, since it lies before
the time at which the copy was made (mount(8)). Where a file system records no reads, nothing is reported.
"""

import os
import stat
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

AGE = 3600  # seconds before now; older copies would look abandoned to programs that clean /tmp
MOST = 500  # files that are reported


class ReadFiles(object):
    """The files of some working copies, marked as unread."""

    def __init__(self, roots: "list[str]") -> None:
        self.roots = roots
        self.mark = (int(time.time()) - AGE) * 10**9
        self.marked: "set[str]" = set()
        for root in roots:
            self.marked.update(self._mark_all(root))
        # Byte code outside the copy would be read in place of its source.
        self.works = bool(self.marked) and "PYTHONPYCACHEPREFIX" not in os.environ and self._is_recorded()

    def _mark_all(self, root: str) -> "Iterator[str]":
        for path, name in _files(root):
            try:
                os.utime(path, ns=(self.mark, os.stat(path).st_mtime_ns))
                yield name
            except OSError:
                pass

    def _is_recorded(self) -> bool:
        """Return whether reading a file moves its access time here; the file is marked again."""
        for path, _ in _files(self.roots[0]):
            stats = os.stat(path)
            if stats.st_size:
                with open(path, "rb") as stream:
                    stream.read(1)
                moved = os.stat(path).st_atime_ns != self.mark
                os.utime(path, ns=(self.mark, stats.st_mtime_ns))
                return moved
        return False

    def found(self) -> "list[str] | None":
        """Return the files that were read, relative to the root of the snapshot; None where this is not known."""
        if not self.works:
            return None
        names: "set[str]" = set()
        for root in self.roots:
            for name in self.marked - names:
                try:
                    if os.stat(os.path.join(root, name)).st_atime_ns != self.mark:
                        names.add(name)
                except OSError:
                    names.add(name)  # a task removed it, and may have read it before
            if len(names) > MOST:
                return None
        return sorted(names)


def _files(root: str) -> "Iterator[tuple[str, str]]":
    """Yield (path, path relative to the root) of the regular files below a folder."""
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name != ".git"]
        for name in names:
            path = os.path.join(folder, name)
            if stat.S_ISREG(os.lstat(path).st_mode):
                yield path, os.path.relpath(path, root)
