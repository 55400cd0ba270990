"""A full disk: told once, waited for, and not taken for a task's own failure."""

import os
import time

WAIT = 900.0  # seconds to wait for space
ROOM = 4 << 20  # bytes that must be free before work goes on
FILES = 64  # inodes that must be
WORDS = ("No space left on device", "Disk quota exceeded")
LATELY = 10.0  # seconds in which a task that says nothing of why it failed may have met the full disk
REPEATS = 3  # times a task is run again that failed for want of space


class Disk(object):
    """Whether the disks that a worker writes to have room."""

    def __init__(self, folders, tell):
        self.folders = folders
        self.tell = tell
        self.since = None  # when we began to wait
        self.freed = float("-inf")  # when there was space again
        self.repeats = {}

    def starved(self, record):
        """Tell whether a task failed for want of space, and so shall run again.

        One that fails where the disk is full, or was just now, may not even have been able to write why.
        """
        cause = record.get("cause", "")
        lately = self.since is not None or time.monotonic() - self.freed < LATELY
        if record.get("outcome") != "FAILED" or not (
            any(words in cause for words in WORDS) or (lately and not cause)
        ):
            return False
        index = record["index"]
        self.repeats[index] = self.repeats.get(index, 0) + 1
        return self.repeats[index] <= REPEATS

    def full(self, why):
        """Begin to wait, and say so."""
        if self.since is None:
            self.since = time.monotonic()
            self.tell({"full": why, "directory": self.folders[0], "scratch": self.folders[1]})

    def again(self, recover):
        """Try to go on: return True when there is room and `recover` wrote what was held; raise StillFull at the end."""
        if self._room() and recover():
            self.since, self.freed = None, time.monotonic()
            self.tell({"full": ""})
            return True
        if time.monotonic() - self.since > WAIT:
            raise StillFull("no space for %d s" % WAIT)
        time.sleep(0.5)
        return False

    def _room(self):
        for folder in self.folders:
            about = os.statvfs(folder)
            if about.f_bavail * about.f_frsize < ROOM or (about.f_files and about.f_favail < FILES):
                return False
        return True


class StillFull(Exception):
    """The disk stayed full for too long."""
