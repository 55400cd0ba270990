"""What a run has behind it when a wave has ended: the words on its tasks, its hosts, its hours, its results."""

import os
import time

from packhorse.worker.json_files import read_json
from packhorse.worker.ranges import to_ranges
from packhorse.worker.tasks import checkpoint
from packhorse.worker.waves.outcomes import Journal, Outcomes, Overruled, journal_paths, planned

BAD_HOST = 3  # failed tasks, and nothing else, that make a host a bad one where other hosts have results
HOPELESS = 0.9  # of a worker's time: a task that had so much of it and did not end needs a longer job
STOPS = ("failing", "broken")  # ends of a worker that found its study or its host wrong


class History(object):
    """The journals of a run, folded for all tasks that were submitted by hand and by what followed."""

    def __init__(self, run, wave):
        self.run, self.wave = run, wave
        self.plans = {number: read_json(self.path(number, "plan.json")) for number in self._waves()}
        self.chain = self._chain()
        self.origin = self.plans[self.chain[-1]]  # it has the tasks of all that follow it, and more
        self.submissions = {n: read_json(self.path(n, "submission.json")) for n in self.plans}
        self.words = Outcomes(planned(self.origin))
        self.ok = {}  # wave -> records of tasks that ended well
        self.hosts = {}  # host -> [tasks that ended well, tasks that failed]
        self.stops = []  # why workers found something wrong
        self.core_seconds = {}  # wave -> what its elements have cost
        self.silent = set()  # elements of this wave that left no last word
        self._read()

    def path(self, wave, name):
        """Return a file of a wave."""
        return os.path.join(self.run, "waves", str(wave), name)

    def _waves(self):
        found = [int(name) for name in os.listdir(os.path.join(self.run, "waves")) if name.isdigit()]
        return sorted(n for n in found if n <= self.wave and os.path.exists(self.path(n, "plan.json")))

    def _chain(self):
        """Return the waves since somebody last submitted by hand, the newest first."""
        found = [self.wave]
        while self.plans.get(self.plans[found[-1]].get("follows")):
            found.append(self.plans[found[-1]]["follows"])
        return found

    def _read(self):
        space = self.origin["space"]
        overruled = Overruled(plan for plan in self.plans.values() if plan["space"] == space)
        paths = journal_paths(os.path.join(self.run, "journal"), self.origin.get("first", 1))
        journals = sorted((Journal(path) for path in paths), key=Journal.order)
        for journal in journals:
            if journal.header is not None and journal.header.get("space") == space:
                self._account(journal, self.words.take(journal, overruled))

    def _account(self, journal, found):
        header = journal.header
        wave, host = header.get("wave", 0), short(header.get("host", ""))
        self.ok[wave] = self.ok.get(wave, 0) + found["OK"]
        had = self.hosts.setdefault(host, [0, 0])
        had[0] += found["OK"]
        had[1] += found["FAILED"]
        if wave == self.wave and journal.end is None:
            self.silent.add(header.get("element", 0))
        if journal.end in STOPS:
            self.stops.append(journal.notes[-1] if journal.notes else "")
        submission = self.submissions.get(wave)
        if submission:
            ended = journal.at or os.stat(journal.path).st_mtime
            seconds = max(0.0, ended - header.get("started", ended))
            self.core_seconds[wave] = self.core_seconds.get(wave, 0.0) + seconds * submission["cores"]

    # What follows from it

    def core_hours(self):
        """Return what the waves of the chain have cost so far, in core-hours."""
        return sum(self.core_seconds.get(wave, 0.0) for wave in self.chain) / 3600.0

    def bad_hosts(self):
        """Return the hosts on which tasks failed and none ended well, while others had results."""
        if not any(well for well, _ in self.hosts.values()):
            return []
        return sorted(host for host, (well, ill) in self.hosts.items() if not well and ill >= BAD_HOST)

    def excluded(self):
        """Return the nodes that the next wave leaves out: the bad ones, and those left out before."""
        before = {node for one in self.submissions.values() if one for node in one.get("exclude", [])}
        return sorted(node for node in before | set(self.bad_hosts()) if not self.hosts.get(node, [0, 0])[0])

    def failed_on_bad_hosts(self):
        """Return the tasks that failed once, on a bad host, as ranges."""
        bad = set(self.bad_hosts())
        return self.words.failed_once(lambda header: short(header.get("host", "")) in bad) if bad else []

    def cut(self):
        """Return (unfinished tasks that go on as they are, those that need a longer job, the longest they had).

        Tasks are ranges, the time is that of a job in seconds. Who had nearly all of its worker's time needs a
        longer job, unless it has saved a newer checkpoint.
        """
        again, longer, seconds = [], [], 0
        for index in sorted(self.words.cut):
            journal, record = self.words.cut[index]
            if self._had_all(journal.header, record):
                longer.append(index)
                submission = self.submissions.get(journal.header.get("wave")) or {}
                seconds = max(seconds, submission.get("seconds") or 0)
            else:
                again.append(index)
        return to_ranges(again), to_ranges(longer), seconds

    def _had_all(self, header, record):
        begin, started, deadline = record.get("begin"), header.get("started"), header.get("deadline")
        if begin is None or not started or not deadline or deadline - begin < HOPELESS * (deadline - started):
            return False
        folder = os.path.join(self.run, "checkpoints", str(record["index"]))
        return checkpoint.newest(folder) <= begin

    def saved(self):
        """Tell whether a task that a deadline cut off has saved how far it came, so that the next wave goes on there."""
        for index, (_, record) in self.words.cut.items():
            folder = os.path.join(self.run, "checkpoints", str(index))
            if checkpoint.newest(folder) > record.get("begin", float("inf")):
                return True
        return False

    def missing(self):
        """Return the tasks without a word."""
        return self.words.with_word("MISSING")

    def killed_for_memory(self, words):
        """Tell whether the scheduler says that it killed one of this wave's workers for its job's memory."""
        # Some schedulers keep what they say themselves in a file of its own, without the ending.
        names = ["job-%d-%d%s" % (self.wave, one, end) for one in self.silent for end in (".out", "")]
        for path in (os.path.join(self.run, "logs", name) for name in names):
            try:
                with open(path, "rb") as stream:
                    said = stream.read().decode("utf-8", "replace").lower()
            except OSError:
                continue
            if any(word in said for word in words):
                return True
        return False

    def out_of_memory(self):
        """Return {wave that says so: tasks that ran out of memory, as ranges}."""
        return self.words.by_wave("MEMORY")


def short(host):
    """Return a host's name as schedulers call a node: up to the first dot."""
    return host.split(".")[0]


def settle(run, wave, seconds):
    """Wait until every worker's journal has its last line, or for `seconds`; return how many have none.

    A network file system shows what another machine wrote a while later; a killed worker never wrote a last line.
    """
    give_up = time.monotonic() + seconds
    while True:
        open_ones = _unfinished(run, wave)
        if not open_ones or time.monotonic() > give_up:
            return len(open_ones)
        time.sleep(min(1.0, max(0.05, seconds / 20)))


def _unfinished(run, wave):
    """Return the workers of a wave whose journal is not there or has no last line."""
    leases = os.path.join(run, "waves", str(wave), "leases")
    names = [name for name in os.listdir(leases) if name.endswith(".json") and not name.startswith(".")]
    claimed = [read_json(os.path.join(leases, name)) for name in names]
    expected = {one["by"] for one in claimed if one and one["by"].startswith("%d-" % wave)}
    folder = os.path.join(run, "journal")
    for name in os.listdir(folder):
        if name.startswith("%d-" % wave) and name.endswith(".ndjson"):
            expected.add(name.split(".")[0])
    ended = set()
    for name in os.listdir(folder):
        if name.split(".")[0] in expected and name.endswith(".ndjson") and _ended(os.path.join(folder, name)):
            ended.add(name.split(".")[0])
    return expected - ended


def _ended(path):
    with open(path, "rb") as stream:
        stream.seek(max(0, os.stat(path).st_size - 4096))
        return b'"end":' in stream.read().rstrip(b"\n").rpartition(b"\n")[2]
