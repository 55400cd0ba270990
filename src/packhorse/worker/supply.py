"""The tasks that a worker has claimed and not yet given to a slot."""

import json
import os

from packhorse.worker.leases import LEASE_SECONDS, lease_size
from packhorse.worker.ranges import count, to_ranges, without
from packhorse.worker.waves.outcomes import indices_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from packhorse.worker.deadline import Deadline
    from packhorse.worker.leases import Leases, Positions
    from packhorse.worker.ranges import Ranges


class Supply(object):
    """Index ranges of tasks, refilled by claiming a lease of the wave."""

    def __init__(self, leases: "Leases", positions: "Positions", deadline: "Deadline", elements: int) -> None:
        self.leases, self.positions = leases, positions
        self.deadline = deadline
        self.elements = elements
        self.todo: "Ranges" = []
        self.closed = False  # no further task begins

    def remaining(self) -> int:
        """Return how many tasks wait for a slot: those we have claimed, and those that no worker has claimed."""
        return 0 if self.closed else count(self.todo) + self.leases.remaining()

    def inherit(self, folder: str) -> None:
        """Take over what earlier starts of our element claimed and left no record of; `folder` has the journals."""
        self.leases.refresh()
        if not self.leases.starts:
            return
        done: "set[int]" = set()
        for name in os.listdir(folder):
            if name.endswith(".ndjson") and name.split(".")[0] in self.leases.starts:
                done.update(indices_in(os.path.join(folder, name)))
        held = [pair for a, b in self.leases.earlier for pair in self.positions.indices(a, b)]
        self.todo = without(held, to_ranges(sorted(done)))

    def put_back(self, ranges: "Ranges") -> None:
        """Put tasks first that a slot was given and did not finish."""
        self.todo[0:0] = ranges

    def take(self, size: int, pace: "float | None", slots: int) -> "Ranges":
        """Return index ranges of up to `size` tasks; claim a lease if there are none.

        `pace` is the seconds of slot time that a task takes, or None before the first task has ended.
        """
        if self.closed:
            return []
        if not self.todo:
            fitting: "float" = slots
            if pace is not None:
                fitting = self.deadline.lease_seconds(LEASE_SECONDS) * slots / max(pace, 1e-4)
            left, total = self.leases.remaining(), self.positions.total
            size_of_lease = lease_size(left, total, self.elements, fitting)
            for a, b in self.leases.claim(size_of_lease if pace is not None else slots):
                self.todo.extend(self.positions.indices(a, b))
        return _first(self.todo, size)

    def close(self) -> None:
        """Begin no further task, and return what we claimed to other workers."""
        self.closed = True
        left, self.todo = self.todo, []
        self.leases.give_back(self.positions.positions_of(left))


class StreamSupply(object):
    """Index ranges that the parent process sends, one JSON object a line: `{"run": [[0, 5]]}`, or `{"end": true}`."""

    def __init__(self) -> None:
        self.todo: "Ranges" = []
        self.closed = False
        self.ended = False  # the parent sends no more
        self.text = b""

    def receive(self, data: bytes) -> None:
        """Add the ranges of complete lines."""
        rows = (self.text + data).split(b"\n")
        self.text = rows.pop()
        for row in rows:
            content = json.loads(row.decode("ascii"))
            self.todo.extend(content.get("run", []))
            self.ended = self.ended or bool(content.get("end"))

    def remaining(self) -> int:
        """Return how many tasks wait for a slot."""
        return 0 if self.closed else count(self.todo)

    def put_back(self, ranges: "Ranges") -> None:
        """Put tasks first that a slot was given and did not finish."""
        self.todo[0:0] = ranges

    def take(self, size: int, pace: "float | None", slots: int) -> "Ranges":
        """Return index ranges of up to `size` tasks."""
        return [] if self.closed else _first(self.todo, size)

    def close(self) -> None:
        """Begin no further task."""
        self.closed = True
        self.todo = []


def _first(todo: "Ranges", size: int) -> "Ranges":
    """Take index ranges of up to `size` tasks off the front of a list."""
    taken = []
    while todo and size > 0:
        a, b = todo[0]
        n = min(size, b - a)
        taken.append([a, a + n])
        size -= n
        if a + n == b:
            todo.pop(0)
        else:
            todo[0] = [a + n, b]
    return taken
