"""Leases: which worker has which positions of a wave.

Leases of a wave are numbered without gaps, and each begins where the one before it ends. A claim writes a
private file and links it to the next number: link(2) is atomic also on NFS, and fails when the number is
taken. When its answer is lost and it fails although it happened, the file holds our own token.
A lease of no length gives positions back, or takes all that an earlier one gave back.
"""

import bisect
import json
import os
import time

from packhorse.worker.journal import encode
from packhorse.worker.ranges import count, joined, without

DEADLINE = 60.0  # seconds of losing races before a claim gives up
LOOK_SECONDS = 1.0  # between two looks at a wave in which all was claimed
LEASE_SECONDS = 300.0  # expected work in a lease, so much a dead worker may hold; of a long job a tenth

# The sizes follow guided self-scheduling (Polychronopoulos and Kuck 1987), each claim half of an even share
# of what is left; it ends at a share that keeps the files of a worker in a wave to about ten.
SMALLEST = 20


def lease_size(left, total, elements, tasks):
    """Return how many positions to claim where `left` of `total` are free and `tasks` fit the time."""
    size = tasks
    if elements > 1:
        size = min(size, max(left / (2.0 * elements), total / (float(SMALLEST) * elements)))
    return max(1, int(size))


def publish(target, private, data):
    """Make a file that nobody else makes; tell whether it is ours."""
    with open(private, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    try:
        os.link(private, target)
        return True
    except FileExistsError:
        with open(target, "rb") as stream:
            return stream.read() == data
    finally:
        os.unlink(private)


def owner(folder, job, token):
    """Return the array whose elements work on a wave: ours, where we are the first to ask."""
    path = os.path.join(folder, "owner")
    if publish(path, os.path.join(folder, ".owner.%s" % token), job.encode("utf-8")):
        return job
    with open(path, "rb") as stream:
        return stream.read().decode("utf-8")


class Leases(object):
    """The claims of one wave, as one worker sees them."""

    def __init__(self, folder, total, token):
        self.folder = folder
        self.total = total
        self.token = token
        self.element = "-".join(token.split("-")[:2]) + "-"
        self.number = 0
        self.start = 0
        self.returned = {}  # lease -> the ranges that it gave back and nobody took
        self.earlier = []  # what earlier starts of our element claimed and did not give back
        self.starts = set()  # their tokens
        self.looked = None

    def remaining(self):
        """Return how many positions nobody had claimed, or all had given back, when we last looked."""
        return self.total - self.start + sum(count(ranges) for ranges in self.returned.values())

    def look(self):
        """Read the leases that others made since we last looked."""
        while True:
            try:
                with open(self._path(self.number), "rb") as stream:
                    said = json.loads(stream.read().decode("utf-8"))
            except FileNotFoundError:
                self.looked = time.monotonic()
                return
            self._take_in(said)

    def _take_in(self, said):
        got = [[said["start"], said["stop"]]] if said["start"] < said["stop"] else []
        if "took" in said:
            got = self.returned.pop(said["took"], [])
        back = said.get("back", [])
        if back:
            self.returned[self.number] = back
        if said["by"] != self.token and said["by"].startswith(self.element):
            self.earlier = without(self.earlier + got, back)
            self.starts.add(said["by"])
        self.start = said["stop"]
        self.number += 1
        return got

    def _path(self, number):
        return os.path.join(self.folder, "%06d.json" % number)

    def claim(self, size):
        """Return up to `size` positions, or all that somebody gave back, as ranges; none when nothing is free."""
        if not self.remaining() and self.looked and time.monotonic() - self.looked < LOOK_SECONDS:
            return []  # a look costs a call to the file server
        return self._next(lambda: self._wanted(size))

    def _wanted(self, size):
        if self.start < self.total:
            return {"start": self.start, "stop": min(self.total, self.start + max(1, size))}
        for number in sorted(self.returned):
            return {"start": self.start, "stop": self.start, "took": number}
        return None

    def give_back(self, ranges):
        """Let others have positions that we claimed and did not begin."""
        if ranges:
            self._next(lambda: {"start": self.start, "stop": self.start, "back": joined(ranges)})

    def _next(self, wanted):
        """Make the next lease what `wanted` says; return the ranges that it gives us."""
        give_up = time.monotonic() + DEADLINE
        while time.monotonic() < give_up:
            self.look()
            said = wanted()
            if said is None:
                return []
            said["by"] = self.token
            private = os.path.join(self.folder, ".%s" % self.token)
            if publish(self._path(self.number), private, encode(said)):
                return self._take_in(said)
        raise OSError("no lease could be claimed in %s for %d s" % (self.folder, DEADLINE))


class Positions(object):
    """Positions of a wave to indices of the space and back: first the probe, then the ranges."""

    def __init__(self, probe, ranges):
        self.probe = probe
        self.ranges = ranges
        self.total = len(probe) + count(ranges)

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

    def places(self, indices):
        """Return the positions of index ranges, as ranges."""
        wanted = joined(indices)
        stops = [b for _, b in wanted]
        found = [[p, p + 1] for p, i in enumerate(self.probe) if _holds(wanted, stops, i)]
        offset = len(self.probe)
        for a, b in self.ranges:
            at = bisect.bisect_right(stops, a)
            while at < len(wanted) and wanted[at][0] < b:
                first, last = max(a, wanted[at][0]), min(b, wanted[at][1])
                found.append([offset + first - a, offset + last - a])
                at += 1
            offset += b - a
        return joined(found)


def _holds(ranges, stops, index):
    at = bisect.bisect_right(stops, index)
    return at < len(ranges) and ranges[at][0] <= index
