"""A full disk: report it once, wait for space, and run again the tasks that failed for it."""

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

WAIT = 900.0  # seconds to wait for space
MIN_FREE_BYTES = 4 << 20  # before work continues
MIN_FREE_INODES = 64
ERROR_TEXTS = ("No space left on device", "Disk quota exceeded")
RECENT = 10.0  # seconds after a full disk in which a failure without a cause is taken for one
MAX_REPEATS = 3  # how often a task that failed for lack of space runs again


class Disk(object):
    """Whether the disks that a worker writes to have space.

    `folders` are the run directory and the scratch folder, `report` receives events for the worker's output.
    """

    def __init__(self, folders: "tuple[str, str]", report: "Callable[[dict[str, Any]], None]") -> None:
        self.folders = folders
        self.report = report
        self.since: "float | None" = None  # when we began to wait
        self.freed = float("-inf")  # when there was space again
        self.repeats: "dict[int, int]" = {}

    def failed_for_space(self, record: "dict[str, Any]") -> bool:
        """Return whether a task failed for lack of space and must run again.

        A task that fails while the disk is full, or just after, may not have been able to write the cause.
        """
        cause = record.get("cause", "")
        recent = self.since is not None or time.monotonic() - self.freed < RECENT
        if record.get("outcome") != "FAILED" or not (
            any(text in cause for text in ERROR_TEXTS) or (recent and not cause)
        ):
            return False
        index = record["index"]
        self.repeats[index] = self.repeats.get(index, 0) + 1
        return self.repeats[index] <= MAX_REPEATS

    def begin_wait(self, reason: str) -> None:
        """Begin to wait for space, and report it."""
        if self.since is None:
            self.since = time.monotonic()
            self.report({"full": reason, "directory": self.folders[0], "scratch": self.folders[1]})

    def try_resume(self, recover: "Callable[[], bool]") -> bool:
        """Return True if there is space and `recover` wrote what was held; raise StillFull after WAIT seconds."""
        assert self.since is not None
        if self._has_space() and recover():
            self.since, self.freed = None, time.monotonic()
            self.report({"full": ""})
            return True
        if time.monotonic() - self.since > WAIT:
            raise StillFull("no space for %d s" % WAIT)
        time.sleep(0.5)
        return False

    def _has_space(self) -> bool:
        for folder in self.folders:
            stats = os.statvfs(folder)
            if stats.f_bavail * stats.f_frsize < MIN_FREE_BYTES:
                return False
            if stats.f_files and stats.f_favail < MIN_FREE_INODES:
                return False
        return True


class StillFull(Exception):
    """The disk stayed full for too long."""
