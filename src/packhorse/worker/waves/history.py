"""The history of a run when a wave has ended: outcomes of tasks, hosts, core-hours, reasons of early ends."""

import os
import time

from packhorse.worker.json_files import read_json
from packhorse.worker.ranges import to_ranges
from packhorse.worker.tasks.checkpoint import last_saved
from packhorse.worker.tasks.task import checkpoint_folder
from packhorse.worker.waves.outcomes import Journal, Outcomes, Overruled, journal_paths, planned
from packhorse.worker.work_file import read_space

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from packhorse.worker.ranges import Ranges
    from packhorse.worker.space import Space

BAD_HOST = 3  # failed tasks, and no success, that make a host a bad one if other hosts have results
HOPELESS = 0.9  # of a worker's time: a task that had so much of it and did not end needs a longer job
EARLY_ENDS = ("failing", "broken")  # ends of a worker that found its study or its host faulty


class History(object):
    """The journals of a run, folded for all tasks of the last submission by the user and the waves that follow it."""

    def __init__(self, run: str, wave: int) -> None:
        self.run, self.wave = run, wave
        self.plans: "dict[int, dict[str, Any]]" = {
            number: read_json(self.path(number, "plan.json")) for number in self._waves()
        }
        self.chain = self._chain()
        self.origin = self.plans[self.chain[-1]]  # it has the tasks of all waves that follow it, and more
        self.submissions: "dict[int, Any]" = {
            n: read_json(self.path(n, "submission.json")) for n in self.plans
        }
        self.outcomes = Outcomes(planned(self.origin))
        self.ok: "dict[int, int]" = {}  # wave -> number of records of tasks that succeeded
        self.ends: "dict[str, int]" = {}  # outcome -> number of records of this wave
        self.hosts: "dict[str, list[int]]" = {}  # host -> [tasks that succeeded, tasks that failed]
        self.stops: "list[str]" = []  # why workers ended early
        self.core_seconds: "dict[int, float]" = {}  # wave -> what its elements have used
        self._space: "Space | None" = None
        self.unclosed: "set[int]" = set()  # elements of this wave whose journal has no last line
        self._read()

    def path(self, wave: int, name: str) -> str:
        """Return the path of a file of a wave."""
        return os.path.join(self.run, "waves", str(wave), name)

    def _waves(self) -> "list[int]":
        numbers = [int(name) for name in os.listdir(os.path.join(self.run, "waves")) if name.isdigit()]
        return sorted(n for n in numbers if n <= self.wave and os.path.exists(self.path(n, "plan.json")))

    def _chain(self) -> "list[int]":
        """Return the waves since the user last submitted one, the newest first."""
        chain = [self.wave]
        while self.plans.get(self.plans[chain[-1]].get("follows") or 0):
            chain.append(self.plans[chain[-1]]["follows"])
        return chain

    def _read(self) -> None:
        space = self.origin["space"]
        overruled = Overruled(plan for plan in self.plans.values() if plan["space"] == space)
        paths = journal_paths(os.path.join(self.run, "journal"), self.origin.get("first", 1))
        for journal in sorted((Journal(path) for path in paths), key=Journal.order):
            header = journal.header
            if header is not None and header.get("space") == space:
                self._account(journal, header, self.outcomes.fold(journal, overruled))

    def _account(self, journal: Journal, header: "dict[str, Any]", counts: "dict[str, int]") -> None:
        wave, host = header.get("wave", 0), short(header.get("host", ""))
        self.ok[wave] = self.ok.get(wave, 0) + counts["OK"]
        if wave == self.wave:
            for outcome, number in counts.items():
                self.ends[outcome] = self.ends.get(outcome, 0) + number
        of_host = self.hosts.setdefault(host, [0, 0])
        of_host[0] += counts["OK"]
        of_host[1] += counts["FAILED"]
        if wave == self.wave and journal.end is None:
            self.unclosed.add(header.get("element", 0))
        if journal.end in EARLY_ENDS:
            self.stops.append(journal.notes[-1] if journal.notes else "")
        submission = self.submissions.get(wave)
        if submission:
            ended = journal.at or os.stat(journal.path).st_mtime
            seconds = max(0.0, ended - header.get("started", ended))
            self.core_seconds[wave] = self.core_seconds.get(wave, 0.0) + seconds * submission["cores"]

    # What follows from it

    def core_hours(self) -> float:
        """Return the core-hours that the waves of the chain have used so far."""
        return sum(self.core_seconds.get(wave, 0.0) for wave in self.chain) / 3600.0

    def bad_hosts(self) -> "list[str]":
        """Return the hosts on which tasks failed and none succeeded, while other hosts had results."""
        if not any(succeeded for succeeded, _ in self.hosts.values()):
            return []
        return sorted(
            host for host, (succeeded, failed) in self.hosts.items() if not succeeded and failed >= BAD_HOST
        )

    def excluded(self) -> "list[str]":
        """Return the nodes that the next wave excludes: the bad ones, and those excluded before."""
        before = {
            node
            for submission in self.submissions.values()
            if submission
            for node in submission.get("exclude", [])
        }
        return sorted(node for node in before | set(self.bad_hosts()) if not self.hosts.get(node, [0, 0])[0])

    def failed_on_bad_hosts(self) -> "Ranges":
        """Return the tasks that failed once, on a bad host, as ranges."""
        bad = set(self.bad_hosts())
        return self.outcomes.failed_once(lambda header: short(header.get("host", "")) in bad) if bad else []

    def unfinished(self) -> "tuple[Ranges, Ranges, float]":
        """Return (unfinished tasks that run again, those that need a longer job, seconds of the longest job they had).

        Tasks are ranges. A task that had nearly all of its worker's time needs a longer job, unless it has saved a
        newer checkpoint.
        """
        again, longer, seconds = [], [], 0.0
        for index in sorted(self.outcomes.unfinished):
            journal, record = self.outcomes.unfinished[index]
            header = journal.header or {}
            if self._had_all(header, record):
                longer.append(index)
                submission = self.submissions.get(header.get("wave", 0)) or {}
                seconds = max(seconds, submission.get("seconds") or 0)
            else:
                again.append(index)
        return to_ranges(again), to_ranges(longer), seconds

    def _had_all(self, header: "dict[str, Any]", record: "dict[str, Any]") -> bool:
        begin, started, deadline = record.get("begin"), header.get("started"), header.get("deadline")
        if begin is None or not started or not deadline or deadline - begin < HOPELESS * (deadline - started):
            return False
        return last_saved(self._checkpoint(record["index"])) <= float(begin)

    def _checkpoint(self, index: int) -> str:
        if self._space is None:
            self._space = read_space(os.path.join(self.run, "space-%s.json" % self.origin["space"]))
        return checkpoint_folder(self.run, self._space.key(index))

    def saved(self) -> bool:
        """Return whether an unfinished task has saved a checkpoint that the next wave can continue."""
        return any(
            last_saved(self._checkpoint(index)) > record.get("begin", float("inf"))
            for index, (_, record) in self.outcomes.unfinished.items()
        )

    def missing(self) -> "Ranges":
        """Return the tasks without an outcome."""
        return self.outcomes.with_outcome("MISSING")

    def killed_for_memory(self, texts: "Iterable[str]") -> bool:
        """Return whether the output of a job of this wave has one of the texts of a scheduler that kills for memory."""
        # Some schedulers write their own messages to a separate file, without the suffix.
        names = ["job-%d-%d%s" % (self.wave, n, end) for n in self.unclosed for end in (".out", "")]
        for path in (os.path.join(self.run, "logs", name) for name in names):
            try:
                with open(path, "rb") as stream:
                    output = stream.read().decode("utf-8", "replace").lower()
            except OSError:
                continue
            if any(text in output for text in texts):
                return True
        return False

    def only_out_of_memory(self) -> bool:
        """Return whether every task of this wave that has an outcome ran out of memory."""
        return bool(self.ends.get("MEMORY")) and not any(
            self.ends.get(outcome) for outcome in ("OK", "FAILED", "TIMEOUT")
        )

    def out_of_memory(self) -> "dict[int, Ranges]":
        """Return {wave: tasks that ran out of memory in it, as ranges}."""
        return self.outcomes.by_wave("MEMORY")


def short(host: str) -> str:
    """Return a host's name as schedulers call a node: up to the first dot."""
    return host.split(".", maxsplit=1)[0]


def wait_for_journals(run: str, wave: int, seconds: float) -> int:
    """Wait until every worker's journal has its last line, at most `seconds`; return how many have none.

    A network file system shows late what another machine wrote; a killed worker never wrote a last line.
    """
    give_up = time.monotonic() + seconds
    while True:
        unclosed = _unclosed_journals(run, wave)
        if not unclosed or time.monotonic() > give_up:
            return len(unclosed)
        time.sleep(min(1.0, max(0.05, seconds / 20)))


def _unclosed_journals(run: str, wave: int) -> "set[str]":
    """Return the workers of a wave whose journal is missing or has no last line."""
    prefix = "%d-" % wave
    leases = os.path.join(run, "waves", str(wave), "leases")
    names = [name for name in os.listdir(leases) if name.endswith(".json") and not name.startswith(".")]
    claims = [read_json(os.path.join(leases, name)) for name in names]
    expected = {claim["by"] for claim in claims if claim and claim["by"].startswith(prefix)}
    folder = os.path.join(run, "journal")
    for name in os.listdir(folder):
        if name.startswith(prefix) and name.endswith(".ndjson"):
            expected.add(name.split(".")[0])
    closed = set()
    for name in os.listdir(folder):
        if (
            name.split(".")[0] in expected
            and name.endswith(".ndjson")
            and _is_closed(os.path.join(folder, name))
        ):
            closed.add(name.split(".")[0])
    return expected - closed


def _is_closed(path: str) -> bool:
    with open(path, "rb") as stream:
        stream.seek(max(0, os.stat(path).st_size - 4096))
        return b'"end":' in stream.read().rstrip(b"\n").rpartition(b"\n")[2]
