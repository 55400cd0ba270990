"""Parse and format amounts of memory and time with units.

Memory units are binary in every spelling, as Slurm and TORQUE read them: 1.5 GB is 1,536 MiB.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction

from packhorse.text.node import Node, describe, refuse

_BYTES = {"b": 1, "byte": 1, "bytes": 1}
for _power, _letter in enumerate("kmgtp", start=1):
    for _spelling in (_letter, _letter + "b", _letter + "ib"):
        _BYTES[_spelling] = 1024**_power

_SECONDS = {
    **dict.fromkeys(["ms", "msec", "millisecond", "milliseconds"], Fraction(1, 1000)),
    **dict.fromkeys(["s", "sec", "secs", "second", "seconds"], Fraction(1)),
    **dict.fromkeys(["m", "min", "mins", "minute", "minutes"], Fraction(60)),
    **dict.fromkeys(["h", "hr", "hrs", "hour", "hours"], Fraction(3600)),
    **dict.fromkeys(["d", "day", "days"], Fraction(86400)),
    **dict.fromkeys(["w", "week", "weeks"], Fraction(7 * 86400)),
}
_NUMBER = r"\d{1,15}(?:\.\d{0,9})?|\.\d{1,9}"
_MEMORY = re.compile(rf"({_NUMBER})\s*([a-z]+)", re.ASCII)
_AMOUNT = re.compile(rf"({_NUMBER})\s*([a-z]+)[\s,]*", re.ASCII)
_CLOCK = re.compile(r"(\d{1,9}):(\d{1,2}):(\d{1,2})", re.ASCII)
_DAYS = re.compile(r"(\d{1,9})-(\d{1,2})(?::(\d{1,2}))?(?::(\d{1,2}))?", re.ASCII)
_SHORT = re.compile(r"(\d{1,9}):(\d{1,2})", re.ASCII)
_BARE = re.compile(_NUMBER, re.ASCII)
_LONGEST = 100 * 366 * 86400  # seconds: 100 years


def memory(text: str, where: str = "") -> int:
    """Parse an amount of memory; return MiB, rounded up. Raise StudyError at `where`."""
    value = text.strip().lower()
    if _BARE.fullmatch(value):
        refuse(
            where,
            f"Memory '{value}' has no unit: Slurm would read {value} MB, TORQUE {value} bytes.",
            f"Write '{value} GB' or '{value} MB'.",
        )
    match = _MEMORY.fullmatch(value)
    if not match or match[2] not in _BYTES:
        refuse(where, f"Memory '{text}' is not an amount.", "Write a number and a unit: 1.5 GB, 512M, 2 GiB.")
    mib = math.ceil(Fraction(match[1]) * _BYTES[match[2]] / 1024**2)
    if not 0 < mib < 2**40:
        refuse(where, f"Memory '{text}' is out of range.", "Write an amount above 0, such as 2 GB.")
    return mib


def duration(text: str, where: str = "") -> int | float:
    """Parse a duration; return seconds, as an integer if whole. Raise StudyError at `where`."""
    value = text.strip().lower()
    if _BARE.fullmatch(value):
        refuse(
            where,
            f"The time '{value}' has no unit: Slurm would read {value} minutes, TORQUE {value} seconds.",
            f"Write '{value} min' or '{value} s'.",
        )
    short = _SHORT.fullmatch(value)
    if short:
        first, second = short.groups()
        refuse(
            where,
            f"The time '{value}' is ambiguous: Slurm reads {first} min {second} s, "
            f"people often mean {first} h {second} min.",
            f"Write '{first} min {second} s' or '{first}:{second}:00'.",
        )
    seconds = _clock(value) if ":" in value or "-" in value else _amounts(value)
    if seconds is None:
        hint = "Write a number and a unit, or a clock time: 90 min, 2h, 1.5 h, 2-15:59:00, 01:30:00."
        refuse(where, f"The time '{text}' is not a duration.", hint)
    if not 0 < seconds <= _LONGEST:
        hint = "Write a time above 0 and below 100 years, such as 90 min."
        refuse(where, f"The time '{text}' is out of range.", hint)
    return int(seconds) if seconds.denominator == 1 else float(seconds)


def _clock(value: str) -> Fraction | None:
    """Parse HH:MM:SS and Slurm's D-HH, D-HH:MM, D-HH:MM:SS (sbatch(1), --time); return seconds."""
    match = _CLOCK.fullmatch(value)
    days = _DAYS.fullmatch(value)
    if match:
        day, hour, minute, second = 0, *map(int, match.groups())
    elif days:
        day, hour, minute, second = (int(part or 0) for part in days.groups())
        if hour > 23:
            return None
    else:
        return None
    if minute > 59 or second > 59:
        return None
    return Fraction(((day * 24 + hour) * 60 + minute) * 60 + second)


def _amounts(value: str) -> Fraction | None:
    """Parse amounts with units, largest unit first: 90 min, 1h30m, 2 days 3 h; return seconds."""
    total, position, smaller = Fraction(0), 0, None
    while position < len(value):
        match = _AMOUNT.match(value, position)
        unit = _SECONDS.get(match[2]) if match else None
        if not match or unit is None or (smaller is not None and unit >= smaller):
            return None
        total += Fraction(match[1]) * unit
        position, smaller = match.end(), unit
    return total if smaller is not None else None


def as_memory(node: Node, what: str = "memory") -> int:
    """Return the memory of a node in MiB."""
    return memory(_amount(node, what), node.where)


def as_time(node: Node, what: str = "time") -> int | float:
    """Return the duration of a node in seconds."""
    return duration(_amount(node, what), node.where)


def _amount(node: Node, what: str) -> str:
    """Return the text of an amount. A number without a unit passes; the parser refuses it with a better message."""
    if isinstance(node.value, bool | list | dict) or node.value is None:
        refuse(
            node,
            f"{what} must be an amount with a unit, but is {describe(node)}.",
            "Write a number and a unit, such as 2 GB or 90 min.",
        )
    return node.text


def memory_text(mib: int) -> str:
    """Return MiB as a text that `memory` parses to the same value."""
    return f"{mib // 1024} GiB" if mib % 1024 == 0 else f"{mib} MiB"


def duration_text(seconds: float) -> str:
    """Return seconds as a text that `duration` parses to the same value, to the microsecond."""
    if seconds != int(seconds):
        return f"{seconds:.6f}".rstrip("0") + " s"
    whole = int(seconds)
    if whole % 86400 == 0:
        return "1 day" if whole == 86400 else f"{whole // 86400} days"
    for size, unit in ((3600, "h"), (60, "min")):
        if whole % size == 0 and whole < 100 * size:
            return f"{whole // size} {unit}"
    if whole < 600:
        return f"{whole} s"
    days, rest = divmod(whole, 86400)
    clock = f"{rest // 3600:02d}:{rest % 3600 // 60:02d}:{rest % 60:02d}"
    return f"{days}-{clock}" if days else clock
