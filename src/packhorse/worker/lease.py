"""Leases: which worker has which positions of a wave.

Leases of a wave are numbered without gaps, and each begins where the one before it ends. A claim writes a
private file and links it to the next number: link(2) is atomic also on NFS, and fails when the number is
taken. When its answer is lost and it fails although it happened, the file holds our own token.
"""

import json
import os
import time

from packhorse.worker.journal import encode

DEADLINE = 60.0  # seconds of losing races before a claim gives up


class Leases(object):
    """The claims of one wave, as one worker sees them."""

    def __init__(self, folder, total, token):
        self.folder = folder
        self.total = total
        self.token = token
        self.number = 0
        self.start = 0

    def remaining(self):
        """Return how many positions nobody had claimed when we last looked."""
        return self.total - self.start

    def _advance(self):
        """Read the leases that others made since we last looked."""
        while True:
            try:
                with open(self._path(self.number), "rb") as stream:
                    said = json.loads(stream.read().decode("utf-8"))
            except FileNotFoundError:
                return
            self.start = said["stop"]
            self.number += 1

    def _path(self, number):
        return os.path.join(self.folder, "%06d.json" % number)

    def claim(self, size):
        """Return (first, last + 1) of up to `size` positions, or None when all are claimed."""
        give_up = time.monotonic() + DEADLINE
        while time.monotonic() < give_up:
            self._advance()
            if self.start >= self.total:
                return None
            stop = min(self.total, self.start + max(1, size))
            if self._link({"start": self.start, "stop": stop, "by": self.token}):
                claimed = (self.start, stop)
                self.start = stop
                self.number += 1
                return claimed
        raise OSError("no lease could be claimed in %s for %d s" % (self.folder, DEADLINE))

    def _link(self, said):
        private = os.path.join(self.folder, ".%s" % self.token)
        with open(private, "wb") as stream:
            stream.write(encode(said))
            stream.flush()
            os.fsync(stream.fileno())
        target = self._path(self.number)
        try:
            os.link(private, target)
            return True
        except FileExistsError:
            with open(target, "rb") as stream:
                return json.loads(stream.read().decode("utf-8")).get("by") == self.token
        finally:
            os.unlink(private)


class Positions(object):
    """Positions of a wave to indices of the space: first the probe, then the ranges."""

    def __init__(self, probe, ranges):
        self.probe = probe
        self.ranges = ranges
        self.total = len(probe) + sum(b - a for a, b in ranges)

    def indices(self, start, stop):
        """Return the index ranges [a, b) of the positions start..stop."""
        found = [[i, i + 1] for i in self.probe[start:stop]]
        offset = len(self.probe)
        for a, b in self.ranges:
            first, last = max(start - offset, 0), min(stop - offset, b - a)
            if first < last:
                found.append([a + first, a + last])
            offset += b - a
            if offset >= stop:
                break
        return found
