"""Output of running tasks that a user follows: copied to the run directory while a request for it is renewed.

A request is the file `watch/INDEX` of the run directory, whose content changes now and then. New bytes of the task's
output go to `watch/INDEX.out` and `watch/INDEX.err`, which every machine of the site sees.
"""

import os

from packhorse.worker.tasks.current import CURRENT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from packhorse.worker.slots.slot import Slot

FOLDER = "watch"
STALE_SECONDS = 120.0  # after which a request that was not renewed counts no more
MOST = 1 << 20  # bytes that are copied at a time


class LiveOutput(object):
    """Copies the output of tasks that are followed; looks for requests every `seconds`."""

    def __init__(self, run: str, seconds: float) -> None:
        self.folder = os.path.join(run, FOLDER)
        self.seconds = seconds
        self.due = 0.0
        self.requests: "dict[int, tuple[bytes, float]]" = {}  # index -> (content, when it was first seen)
        self.copied: "dict[tuple[int, str], tuple[float, int]]" = {}  # (slot, suffix) -> (start of its task, bytes)

    def copy(self, slots: "Iterable[Slot]", now: float) -> None:
        """Copy what followed tasks have printed since the last call, if it is time to."""
        if now < self.due:
            return
        self.due = now + self.seconds
        wanted = self._wanted(now)
        for slot in slots if wanted else ():
            index, begun = CURRENT.unpack_from(slot.current, 0)
            if index - 1 in wanted:
                for suffix, path in ((".out", slot.folders.stdout), (".err", slot.folders.stderr)):
                    self._copy(slot.number, index - 1, suffix, path, begun)

    def _wanted(self, now: float) -> "set[int]":
        """Return the tasks that are followed."""
        try:
            names = [name for name in os.listdir(self.folder) if name.isdigit()]
        except OSError:
            return set()
        found = {}
        for name in names:
            try:
                with open(os.path.join(self.folder, name), "rb") as stream:
                    content = stream.read(100)
            except OSError:
                continue
            index = int(name)
            before = self.requests.get(index)
            found[index] = before if before and before[0] == content else (content, now)
        self.requests = found
        return {index for index, (_, since) in found.items() if now - since < STALE_SECONDS}

    def _copy(self, slot: int, index: int, suffix: str, path: str, begun: float) -> None:
        task, done = self.copied.get((slot, suffix), (begun, 0))
        goal = os.path.join(self.folder, "%d%s" % (index, suffix))
        if task != begun or not os.path.exists(goal):  # another task, or another follower
            done = 0
        try:
            with open(path, "rb") as stream:
                if stream.seek(0, os.SEEK_END) < done:
                    done = 0  # the file was emptied, as it had grown too large
                stream.seek(done)
                data = stream.read(MOST)
            if data:
                descriptor = os.open(goal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                try:
                    os.write(descriptor, data)
                finally:
                    os.close(descriptor)
        except OSError:
            return  # the disk is full, or the folder was removed: the log has all when the task has ended
        self.copied[slot, suffix] = begun, done + len(data)
