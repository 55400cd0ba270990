"""Leases: which worker has which positions of a wave.

Leases of a wave are numbered without gaps, and each begins where the one before it ends. A claim writes a
private file and links it to the next number: link(2) is atomic also on NFS, and fails when the number is
taken. When the answer of the file server is lost and the link fails although it was made, the file holds our token.
A lease of no length gives positions back, or takes all that an earlier one gave back.
"""

import bisect
import json
import os
import time

from packhorse.worker.journal import encode
from packhorse.worker.ranges import count, joined, without

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from packhorse.worker.ranges import AnyRanges, Ranges

CLAIM_SECONDS = 60.0  # of lost races before a claim fails
REFRESH_SECONDS = 1.0  # between two reads of the leases of a wave that is claimed completely
LEASE_SECONDS = 300.0  # expected work in a lease, the most that a dead worker holds; of a long job a tenth

# The sizes follow guided self-scheduling (Polychronopoulos and Kuck 1987), each claim half of an even share
# of what is left; it ends at a share that keeps the files of a worker in a wave to about ten.
SMALLEST = 20


def lease_size(left: int, total: int, elements: int, tasks: float) -> int:
    """Return how many positions to claim if `left` of `total` are free and `tasks` fit the time."""
    size = tasks
    if elements > 1:
        size = min(size, max(left / (2.0 * elements), total / (float(SMALLEST) * elements)))
    return max(1, int(size))


def create_exclusive(target: str, private: str, data: bytes) -> bool:
    """Create a file that only one process can create, by way of `private`; return whether it is ours."""
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


def wave_owner(folder: str, job: str, token: str) -> str:
    """Return the id of the array job whose elements work on a wave; the first job that asks becomes the owner."""
    path = os.path.join(folder, "owner")
    if create_exclusive(path, os.path.join(folder, ".owner.%s" % token), job.encode("utf-8")):
        return job
    with open(path, "rb") as stream:
        return stream.read().decode("utf-8")


class Leases(object):
    """The claims of one wave, as one worker sees them."""

    def __init__(self, folder: str, total: int, token: str) -> None:
        self.folder = folder
        self.total = total
        self.token = token
        self.element = "-".join(token.split("-")[:2]) + "-"
        self.number = 0
        self.start = 0
        self.returned: "dict[int, Ranges]" = {}  # lease -> the ranges that it gave back and that are free
        self.earlier: "Ranges" = []  # what earlier starts of our element claimed and did not give back
        self.starts: "set[str]" = set()  # their tokens
        self.refreshed: "float | None" = None

    def remaining(self) -> int:
        """Return how many positions were free at the last refresh, those given back included."""
        return self.total - self.start + sum(count(ranges) for ranges in self.returned.values())

    def refresh(self) -> None:
        """Read the leases that other workers made since the last refresh."""
        while True:
            try:
                with open(self._path(self.number), "rb") as stream:
                    lease = json.loads(stream.read().decode("utf-8"))
            except FileNotFoundError:
                self.refreshed = time.monotonic()
                return
            self._apply(lease)

    def _apply(self, lease: "dict[str, Any]") -> "Ranges":
        """Count a lease in; return the ranges that its owner gets."""
        ranges: "Ranges" = [[lease["start"], lease["stop"]]] if lease["start"] < lease["stop"] else []
        if "took" in lease:
            ranges = self.returned.pop(lease["took"], [])
        back = lease.get("back", [])
        if back:
            self.returned[self.number] = back
        if lease["by"] != self.token and lease["by"].startswith(self.element):
            self.earlier = without(self.earlier + ranges, back)
            self.starts.add(lease["by"])
        self.start = lease["stop"]
        self.number += 1
        return ranges

    def _path(self, number: int) -> str:
        return os.path.join(self.folder, "%06d.json" % number)

    def claim(self, size: int) -> "Ranges":
        """Return up to `size` positions, or all that one lease gave back, as ranges; none if nothing is free."""
        if not self.remaining() and self.refreshed and time.monotonic() - self.refreshed < REFRESH_SECONDS:
            return []  # a refresh costs a call to the file server
        return self._make(lambda: self._free(size))

    def _free(self, size: int) -> "dict[str, Any] | None":
        if self.start < self.total:
            return {"start": self.start, "stop": min(self.total, self.start + max(1, size))}
        for number in sorted(self.returned):
            return {"start": self.start, "stop": self.start, "took": number}
        return None

    def give_back(self, ranges: "AnyRanges") -> None:
        """Free positions that we claimed and did not begin."""
        if ranges:
            self._make(lambda: {"start": self.start, "stop": self.start, "back": joined(ranges)})

    def _make(self, content: "Callable[[], dict[str, Any] | None]") -> "Ranges":
        """Make the next lease with what `content` returns after a refresh; return the ranges that it gives us."""
        give_up = time.monotonic() + CLAIM_SECONDS
        while time.monotonic() < give_up:
            self.refresh()
            lease = content()
            if lease is None:
                return []
            lease["by"] = self.token
            private = os.path.join(self.folder, ".%s" % self.token)
            if create_exclusive(self._path(self.number), private, encode(lease)):
                return self._apply(lease)
        raise OSError("cannot claim a lease in %s: lost every race for %d s" % (self.folder, CLAIM_SECONDS))


class Positions(object):
    """Positions of a wave to indices of the space and back: first the probe, then the ranges."""

    def __init__(self, probe: "list[int]", ranges: "Ranges") -> None:
        self.probe = probe
        self.ranges = ranges
        self.total = len(probe) + count(ranges)

    def indices(self, start: int, stop: int) -> "Ranges":
        """Return the index ranges [a, b) of the positions start..stop."""
        indices = [[i, i + 1] for i in self.probe[start:stop]]
        offset = len(self.probe)
        for a, b in self.ranges:
            first, last = max(start - offset, 0), min(stop - offset, b - a)
            if first < last:
                indices.append([a + first, a + last])
            offset += b - a
            if offset >= stop:
                break
        return indices

    def positions_of(self, indices: "AnyRanges") -> "Ranges":
        """Return the positions of index ranges, as ranges."""
        indices = joined(indices)
        stops = [b for _, b in indices]
        positions = [[p, p + 1] for p, i in enumerate(self.probe) if _holds(indices, stops, i)]
        offset = len(self.probe)
        for a, b in self.ranges:
            at = bisect.bisect_right(stops, a)
            while at < len(indices) and indices[at][0] < b:
                first, last = max(a, indices[at][0]), min(b, indices[at][1])
                positions.append([offset + first - a, offset + last - a])
                at += 1
            offset += b - a
        return joined(positions)


def _holds(ranges: "Ranges", stops: "list[int]", index: int) -> bool:
    at = bisect.bisect_right(stops, index)
    return at < len(ranges) and ranges[at][0] <= index
