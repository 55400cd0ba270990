"""The word on each task of a wave, folded from journals as `packhorse.results` does, in integer arithmetic.

OK beats everything, else the highest (wave, attempt) wins; a retry overrules what earlier waves said of its
tasks unless that was OK with a result that can be read. A task costs a few bytes, whatever it left.
"""

import binascii
import bisect
import json
import os
from array import array

from packhorse.worker.ranges import joined, to_ranges

MISSING = "MISSING"
WORDS = (
    MISSING,
    "OK",
    "FAILED",
    "TIMEOUT",
    "MEMORY",
    "UNFINISHED",
)  # a task's word is a byte: the place here
CODES = {word: code for code, word in enumerate(WORDS)}
OK, FAILED, UNFINISHED = CODES["OK"], CODES["FAILED"], CODES["UNFINISHED"]
FORMAT, VERSION = "packhorse-journal", 1
INDEX = b'"index":'
ENDS = (b",", b"}")
HIGHEST = (1 << 32) - 1  # an attempt beyond that counts as that


class TooNew(Exception):
    """A journal was written by a newer version, whose records may mean something else."""


class Journal(object):
    """One journal file: its header, what ended it, and its records as they are read."""

    def __init__(self, path):
        self.path = path
        self.name = os.path.basename(path)
        self.header = None
        self.end = self.at = None
        self.notes = []
        self.totals = {}
        self.pack_size = 0
        for _ in self._lines():
            if self.header is not None:
                break

    def order(self):
        """Return the place of this journal among others."""
        if self.header is None:
            return (0, 0, 0, self.name)
        return tuple(self.header.get(part, 0) for part in ("wave", "element", "restart")) + (self.name,)

    def records(self):
        """Yield (index, code of the outcome, attempt, the whole record or None) of each good record."""
        if self.header is None:
            return
        self.header = None  # the records before it mean nothing, and reading finds it again
        for line in self._lines():
            record = self._record(line)
            if record is not None:
                yield record

    def _lines(self):
        """Yield the good lines; a torn or damaged one is as if it were not there. Headers are kept on the way."""
        with open(self.path, "rb") as stream:
            for line in stream:
                crc = b'{"crc":"%08x"' % (binascii.crc32(line[17:-1]) & 0xFFFFFFFF)
                if line[:17] == crc and line[-1:] == b"\n":
                    if self.header is None:
                        self._look_for_header(line)
                    yield line

    def _look_for_header(self, line):
        said = decoded(line).get("header")
        if not isinstance(said, dict) or said.get("format") != FORMAT:
            return
        version = said.get("version")
        if not isinstance(version, int) or version > VERSION:
            raise TooNew(
                "%s has version %s of the format; this worker reads up to %d" % (self.name, version, VERSION)
            )
        self.header = said

    def _record(self, line):
        """Return a line's record, or None; what is usual, a short OK, is not decoded."""
        if self.header is None:
            return None
        if line[18:26] == INDEX and not (b'"outcome"' in line or b'"attempt"' in line or b'"pack"' in line):
            stop = 26
            while line[stop : stop + 1].isdigit():
                stop += 1
            if line[stop : stop + 1] in ENDS and stop > 26:
                return int(line[26:stop]), OK, 1, None
        said = decoded(line)
        if said.get("index") is None:
            self._hear(said)
            return None
        index, attempt, outcome = said["index"], said.get("attempt", 1), said.get("outcome", "OK")
        if not (type(index) is int and type(attempt) is int and isinstance(outcome, str)):
            return None
        return (index, CODES.get(outcome, FAILED), attempt, said) if self._packed(said.get("pack")) else None

    def _hear(self, said):
        if said.get("totals") is not None:
            self.totals = said["totals"]
        elif said.get("note") is not None:
            self.notes.append(said["note"])
        elif said.get("end") is not None:
            self.end, self.at = said["end"], said.get("at")

    def _packed(self, place):
        """Tell whether the pack has the whole result; a crash of the machine may have taken its end."""
        if place is None:
            return True
        if not (isinstance(place, list) and [type(one) for one in place] == [int] * 3):
            return False
        stop = place[0] + place[1]
        if stop > self.pack_size:
            path = os.path.join(os.path.dirname(self.path), os.path.basename(self.header.get("pack") or ""))
            self.pack_size = os.stat(path).st_size if os.path.isfile(path) else 0
        return min(place) >= 0 and stop <= self.pack_size


def decoded(line):
    """Return a line's JSON object, or an empty one for what is none."""
    try:
        said = json.loads(line.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def indices_in(path):
    """Yield the indices of a journal's records, whatever became of them."""
    return (index for index, _, _, _ in Journal(path).records())


def journal_paths(folder, first=1):
    """Return the journals of the waves from `first` on; listed afresh, as network file systems need."""
    found = []
    for name in os.listdir(folder):
        wave = name.split("-", 1)[0]
        if name.endswith(".ndjson") and wave.isdigit() and int(wave) >= first:
            found.append(os.path.join(folder, name))
    return sorted(found)


class Overruled(object):
    """Says whether a later wave's retry took a task up again; an OK only where its result was unreadable."""

    def __init__(self, plans):
        self.all, self.unreadable = [], []
        for plan in plans:
            if plan["kind"] == "retry":
                self._add(self.all, plan["wave"], planned(plan))
                self._add(self.unreadable, plan["wave"], joined(plan.get("unreadable", [])))

    def _add(self, plans, wave, ranges):
        if ranges:
            plans.append((wave, [a for a, _ in ranges], [b for _, b in ranges]))

    def __call__(self, code, index, wave):
        """Tell whether a record of an earlier wave counts no more."""
        for later, starts, stops in self.unreadable if code == OK else self.all:
            at = bisect.bisect_right(starts, index) - 1
            if later > wave and at >= 0 and index < stops[at]:
                return True
        return False


def planned(plan):
    """Return all tasks of a plan as sorted ranges."""
    return joined(list(plan["ranges"]) + [[i, i + 1] for i in plan["probe"]])


class Outcomes(object):
    """The word on each task of some ranges, and which journal has it."""

    def __init__(self, ranges):
        self.ranges = joined(ranges)
        self.starts = [a for a, _ in self.ranges]
        self.offsets = [0]
        for a, b in self.ranges:
            self.offsets.append(self.offsets[-1] + b - a)
        size = self.offsets[-1]
        self.word = bytearray(size)
        self.rank = array("Q", bytes(8 * size))  # (wave, attempt) of a word that is not OK
        self.holder = array("I", bytes(4 * size))  # the number of the journal that has such a word
        self.failures = bytearray(size)  # workers on which a task failed, up to 255
        self.journals = []
        self.cut = {}  # index -> (journal, record) of each task whose word is UNFINISHED

    def place(self, index):
        """Return where a task's word stands, or None for a task of no concern."""
        at = bisect.bisect_right(self.starts, index) - 1
        if at < 0 or index >= self.ranges[at][1]:
            return None
        return self.offsets[at] + index - self.starts[at]

    def take(self, journal, overruled):
        """Let the records of a journal compete; journals come in their order. Return its records by outcome."""
        number = len(self.journals)
        self.journals.append(journal)
        found = [0] * len(WORDS)
        wave = journal.header.get("wave", 0)
        doubted = bool(overruled.all or overruled.unreadable)
        for index, code, attempt, record in journal.records():
            found[code] += 1
            place = self.place(index)
            if place is None:
                continue
            if code == FAILED and self.failures[place] < 255:
                self.failures[place] += 1
            if doubted and overruled(code, index, wave):
                continue
            if code == OK:
                self.word[place] = OK
                self.cut.pop(index, None)
            elif self.word[place] != OK:
                rank = (wave << 32) + min(max(attempt, 0), HIGHEST)
                if rank >= self.rank[place]:
                    self.word[place], self.rank[place], self.holder[place] = code, rank, number
                    self._note_cut(index, code, journal, record)
        return dict(zip(WORDS, found))

    def _note_cut(self, index, code, journal, record):
        if code == UNFINISHED:
            self.cut[index] = (journal, record)
        else:
            self.cut.pop(index, None)

    def with_word(self, *words):
        """Return the tasks with one of these words, as ranges."""
        codes = [CODES[word] for word in words]
        found = []
        for (a, _), offset, stop in zip(self.ranges, self.offsets, self.offsets[1:]):
            found.extend(_runs(self.word[offset:stop], codes, a))
        return joined(found)

    def failed_once(self, wanted):
        """Return the FAILED tasks that failed nowhere but where the journal's header is `wanted`, as ranges."""
        chosen = {number for number, journal in enumerate(self.journals) if wanted(journal.header)}
        found = []
        for index, place in self._places("FAILED"):
            if self.holder[place] in chosen and self.failures[place] == 1:
                found.append(index)
        return to_ranges(found)

    def by_wave(self, word):
        """Return {wave: ranges} of the tasks with a word that is not OK."""
        found = {}
        for index, place in self._places(word):
            found.setdefault(self.rank[place] >> 32, []).append(index)
        return {wave: to_ranges(indices) for wave, indices in found.items()}

    def _places(self, word):
        for a, b in self.with_word(word):
            place = self.place(a)
            for index in range(a, b):
                yield index, place + index - a

    def counts(self):
        """Return how many tasks have each word."""
        return {word: self.word.count(bytes([code])) for word, code in CODES.items()}

    def counts_without(self, ranges):
        """Return how many tasks have each word, those of some ranges left out."""
        found = self.counts()
        for a, b in joined(ranges):
            place = self.place(a)
            for word, code in CODES.items():
                found[word] -= self.word.count(bytes([code]), place, place + b - a)
        return found


def _runs(words, codes, first):
    """Yield the runs [a, b) of bytes that are one of `codes`; `first` is the number of the first byte."""
    other = bytes(0 if byte in codes else 1 for byte in range(256))
    marks = bytes(words).translate(other)
    at = marks.find(b"\0")
    while at >= 0:
        stop = marks.find(b"\1", at)
        stop = len(marks) if stop < 0 else stop
        yield [first + at, first + stop]
        at = marks.find(b"\0", stop)
