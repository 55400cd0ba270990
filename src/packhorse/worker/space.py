"""The parameter space as integer arithmetic on frozen levels: index -> parameters, key, seeds.

This module travels with every run, so the numbers a task gets on a cluster and the numbers that the
table later shows come from the same lines. Standard library only, Python 3.6.

An index counts points first and replicates inside them: index = point * replicates + replicate, and in
a point the last factor varies fastest (a mixed-radix number).
"""

import hashlib
import json
import struct
from json.encoder import encode_basestring_ascii as quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

# Seeds are 63 bits so that they fit a signed 64-bit column; seed32 is 31 bits so that both R's set.seed
# (< 2^31) and numpy.random.seed (< 2^32) take it.
SEED_BITS = 63
SEED32_BITS = 31
DIGEST = struct.Struct(">QI4x")  # what of a digest becomes seed and seed32
LONGEST_DECIMAL = 40  # characters; a longer plain decimal is harder to read than its exponent
NOTHING: "dict[str, Any]" = {}


def literal(value: "Any") -> str:
    """Return a value as compact JSON; integers and text, the most frequent ones, without an encoder."""
    kind = type(value)
    if kind is int:
        return str(value)
    if kind is str:
        return quoted(value)
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def canonical(name: str, value: "Any") -> str:
    """Return one parameter's part of a key: name, type and value, where 1 and 1.0 are the same number."""
    if isinstance(value, bool):
        kind = "boolean"
    elif isinstance(value, (int, float)):
        kind = "number"
        if isinstance(value, float) and value == int(value):
            value = int(value)  # also turns -0.0 into 0
    elif value is None:
        kind = "null"
    elif isinstance(value, str):
        kind = "text"
    else:
        kind = "list"
    return '[%s,"%s",%s]' % (quoted(name), kind, literal(value))


def text(value: "Any") -> str:
    """Return a value as it is written in a command line, a file name or an environment variable."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return decimal(value)
    return json.dumps(value, ensure_ascii=False)


def decimal(value: float) -> str:
    """Return the shortest text of a float that reads as the same number: 0.00001, and 1e-300.

    Python writes 1e-05, and argparse takes a negative number with an exponent for an option.
    """
    short = repr(value)
    mantissa, letter, exponent = short.partition("e")
    if not letter:
        return short
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, part = mantissa.lstrip("-").partition(".")
    digits = whole + part
    point = len(whole) + int(exponent)
    if point <= 0:
        plain = sign + "0." + "0" * -point + digits
    elif point >= len(digits):
        plain = sign + digits + "0" * (point - len(digits)) + ".0"
    else:
        plain = sign + digits[:point] + "." + digits[point:]
    return plain if len(plain) <= LONGEST_DECIMAL else short


def spelling(value: "Any", written: "Any") -> str:
    """Return a level as its author wrote it; `written` is None where that is `text(value)`."""
    return written if isinstance(written, str) else text(value)


def several_texts(value: "Any", written: "Any") -> "list[str]":
    """Return a level as several words: the items of a list, each as written, or the words of a text."""
    if value is None:
        return []
    if not isinstance(value, list):
        return spelling(value, written).split()
    items = written if isinstance(written, list) else [None] * len(value)
    return [spelling(item, its) for item, its in zip(value, items)]


class Axis(object):
    """One factor: `count` levels, level -> values in the order of `names`."""

    def __init__(self, frozen: "dict[str, Any]") -> None:
        self.names = tuple(frozen["names"])
        self.resample = bool(frozen.get("resample"))
        # How levels were written, by name, where that differs from their text; None where it does not.
        self.written: "dict[str, list[Any]]" = frozen.get("written") or {}
        self.levels: "Any" = frozen.get("levels")
        self.range: "Any" = frozen.get("range")
        self.chunks: "Any" = frozen.get("chunks")
        if self.levels is not None:
            self.count: int = len(self.levels)
        elif self.range is not None:
            self.count = self.range[2]
        else:
            self.count = frozen["chunks"][2]

    def values(self, level: int) -> "Sequence[Any]":
        """Return the values at one level."""
        if self.levels is not None:
            values: "Sequence[Any]" = self.levels[level]
            return values
        if self.range is not None:
            return (self.range[0] + self.range[1] * level,)
        rows, size, count = self.chunks
        if size:
            return (level, level * size, min(rows, (level + 1) * size))
        return (level, level * rows // count, (level + 1) * rows // count)


class KeyPart(object):
    """One parameter's part of a key, by the level of its axis; `at` is its place among the values of a level."""

    MOST = 10000  # texts to remember

    def __init__(self, number: int, axis: Axis, at: int) -> None:
        self.number, self.axis, self.at = number, axis, at
        self.name = axis.names[at]
        self.known: "dict[int, str]" = {}  # level -> text, since tasks share levels
        # A range is computed faster than it is remembered, and has a level for each task.
        self.template = ""
        if axis.range is not None and [type(part) for part in axis.range[:2]] == [int, int]:
            self.start, self.step = axis.range[:2]
            self.template = '[%s,"number",%%d]' % quoted(self.name).replace("%", "%%")

    def text(self, level: int) -> str:
        """Return the text at a level."""
        if self.template:
            return str(self.template % (self.start + self.step * level))
        text = self.known.get(level)
        if text is None:
            text = canonical(self.name, self.axis.values(level)[self.at])
            if len(self.known) < self.MOST:
                self.known[level] = text
        return text


class Space(object):
    """A lazy product of axes times replicates; `frozen` is the content of a space file."""

    def __init__(self, frozen: "dict[str, Any]") -> None:
        self.axes = [Axis(factor) for factor in frozen["factors"]]
        self.replicates: int = frozen["replicates"]
        self.seed: int = frozen["seed"]
        self.common = frozen["seeding"] == "common"
        self.points = 1
        for axis in self.axes:
            self.points *= axis.count
        self.names = [name for axis in self.axes for name in axis.names]
        self.spelled = [(number, axis.written) for number, axis in enumerate(self.axes) if axis.written]
        parts = [
            KeyPart(number, axis, at)
            for number, axis in enumerate(self.axes)
            for at in range(len(axis.names))
        ]
        parts.sort(key=lambda part: part.name)
        self._parts = [(part.number, part.text) for part in parts]
        self._seeded = [
            (part.number, part.text) for part in parts if not self.common or self.axes[part.number].resample
        ]
        self._seeding = hashlib.blake2b(b"%d\n" % self.seed, digest_size=16, person=b"packhorse-seed")

    def __len__(self) -> int:
        return self.points * self.replicates

    @property
    def size(self) -> int:
        """The number of tasks (len() stops at 2^63)."""
        return self.points * self.replicates

    def place(self, index: int) -> "tuple[list[int], int]":
        """Return the levels of all axes and the replicate of one task."""
        point, replicate = divmod(index, self.replicates)
        levels = []
        for axis in reversed(self.axes):
            point, level = divmod(point, axis.count)
            levels.append(level)
        levels.reverse()
        return levels, replicate

    def parameters(self, index: int) -> "dict[str, Any]":
        """Return the parameters of one task as an ordered dict of name to value."""
        return self._parameters(self.place(index)[0])

    def _parameters(self, levels: "list[int]") -> "dict[str, Any]":
        parameters: "dict[str, Any]" = {}
        for axis, level in zip(self.axes, levels):
            if len(axis.names) == 1:
                parameters[axis.names[0]] = axis.values(level)[0]
            else:
                parameters.update(zip(axis.names, axis.values(level)))
        return parameters

    def all_of(self, index: int) -> "tuple[dict[str, Any], dict[str, Any], int, int, int]":
        """Return (parameters, how they were written, replicate, seed, seed32) of one task.

        Its levels are computed once. A parameter whose text is that of its value is not among those written.
        """
        levels, replicate = self.place(index)
        seed, seed32 = self._seeds(levels, replicate)
        written = self._written(levels) if self.spelled else NOTHING
        return self._parameters(levels), written, replicate, seed, seed32

    def _written(self, levels: "list[int]") -> "dict[str, Any]":
        written = {}
        for number, columns in self.spelled:
            for name, texts in columns.items():
                if texts[levels[number]] is not None:
                    written[name] = texts[levels[number]]
        return written

    def key(self, index: int) -> str:
        """Return a task's identity: canonical JSON of its sorted parameters and its replicate."""
        levels, replicate = self.place(index)
        return "[[%s],%d]" % (",".join([text(levels[number]) for number, text in self._parts]), replicate)

    def seeds(self, index: int) -> "tuple[int, int]":
        """Return (seed, seed32) of a task, from the study's seed and the key alone.

        With common seeding only the replicate and resampling indices count, so that all points of one
        replicate share a stream (common random numbers: Law, Simulation Modeling and Analysis, ch. 11).
        """
        return self._seeds(*self.place(index))

    def _seeds(self, levels: "list[int]", replicate: int) -> "tuple[int, int]":
        key = "[[%s],%d]" % (",".join([text(levels[number]) for number, text in self._seeded]), replicate)
        state = self._seeding.copy()
        state.update(key.encode("ascii"))
        seed, seed32 = DIGEST.unpack(state.digest())
        return seed >> (64 - SEED_BITS), seed32 >> (32 - SEED32_BITS)
