"""Values of directives: times, memory, array ranges, counts. None: the scheduler refuses the text, or it is not known.

Times and amounts follow sbatch(1) and slurm's parse_time.c; walltime follows pbs_resources(7).
"""

from __future__ import annotations

import re

from msgspec import Struct

_MEMORY = re.compile(r"(\d+)([kmgt]?)b?", re.IGNORECASE)
_MIB = {"": 1.0, "k": 1 / 1024, "m": 1.0, "g": 1024.0, "t": 1024.0**2, "p": 1024.0**3}
_SIZE = re.compile(r"(\d+)([kmgtp]?)[bw]?", re.IGNORECASE)
_RANGE = re.compile(r"(\d+)(?:-(\d+)(?::(\d+))?)?")
UNLIMITED = -1


def slurm_seconds(text: str) -> int | None:
    """Return the seconds of a --time; UNLIMITED for no limit, None for what sbatch refuses."""
    if text.upper() in {"INFINITE", "UNLIMITED", "-1"}:
        return UNLIMITED
    days, dash, rest = text.partition("-")
    if not dash:
        days, rest = "0", text
    if not re.fullmatch(r"\d+", days) or not re.fullmatch(r"\d+(:\d+){0,2}", rest):
        return None
    parts = [int(part) for part in rest.split(":")]
    if dash:  # D-H, D-H:M, D-H:M:S
        hours, minutes, seconds = [*parts, 0, 0][:3]
    elif len(parts) == 3:
        hours, minutes, seconds = parts
    else:  # M, M:S
        hours, minutes, seconds = 0, parts[0], [*parts, 0][1]
    return ((int(days) * 24 + hours) * 60 + minutes) * 60 + seconds


def valid_slurm_time(text: str) -> bool:
    """Return whether sbatch accepts a --time, also one of which the meaning is not known here, such as 1-."""
    if text.upper() in {"INFINITE", "UNLIMITED"}:
        return True
    fits = re.fullmatch(r"[\d:-]+", text)
    return bool(fits) and text.count(":") <= 2 and text.count("-") <= 1


def pbs_seconds(text: str) -> int | None:
    """Return the seconds of a walltime: S, M:S, H:M:S, D:H:M:S."""
    if not re.fullmatch(r"\d+(:\d+){0,3}", text):
        return None
    parts = [int(part) for part in text.split(":")]
    days, hours, minutes, seconds = [0] * (4 - len(parts)) + parts
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def slurm_mebibytes(text: str) -> float | None:
    """Return the MiB of a --mem: 4000, 4G, 4gb; None for what sbatch refuses, such as 1.5G."""
    found = _MEMORY.fullmatch(text)
    return int(found[1]) * _MIB[found[2].lower()] if found else None


def pbs_mebibytes(text: str) -> float | None:
    """Return the MiB of a mem: 4gb, 400mb, 1024 (bytes); None for other text."""
    found = _SIZE.fullmatch(text)
    if not found:
        return None
    return int(found[1]) * _MIB[found[2].lower()] if found[2] else int(found[1]) / 1024**2


class Indices(Struct, frozen=True):
    """The indices of an array, and how many may run at a time; 0: all."""

    ranges: tuple[range, ...]
    at_a_time: int = 0

    @property
    def first(self) -> int:
        """The smallest index."""
        return min(one.start for one in self.ranges)

    @property
    def last(self) -> int:
        """The largest index."""
        return max(one[-1] for one in self.ranges)

    @property
    def count(self) -> int:
        """How many indices."""
        return sum(len(one) for one in self.ranges)


def array_indices(text: str) -> Indices | None:
    """Return the indices of --array, -t or -J: 1-10, 0-9:3, 1,3,5-7, 1-100%5, also in brackets."""
    whole = re.sub(r"[\[\]]", "", text)  # sbatch drops brackets
    listed, percent, limit = whole.partition("%")
    if percent and not re.fullmatch(r"\d+", limit):
        return None
    found = []
    for part in listed.split(","):
        match = _RANGE.fullmatch(part)
        if not match:
            return None
        one = range(int(match[1]), int(match[2] or match[1]) + 1, int(match[3] or 1) or 1)
        if not one or match[3] == "0":
            return None
        found.append(one)
    return Indices(tuple(found), int(limit or 0))


def count(text: str) -> int | None:
    """Return a positive whole number as sbatch reads it; None for other text."""
    return int(text) if re.fullmatch(r"\+?\d+", text) and int(text) > 0 else None
