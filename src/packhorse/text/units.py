"""Memory and time as people write them.

Memory units are binary whatever their spelling, as Slurm and TORQUE read them: 1.5 GB is 1,536 MiB.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction

from packhorse.text.node import Node, found, refuse

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
_LONGEST = 100 * 366 * 86400


def memory(text: str, where: str = "") -> int:
    """Return an amount of memory in MiB, rounded up."""
    said = text.strip().lower()
    if _BARE.fullmatch(said):
        refuse(
            where,
            f"Memory '{said}' has no unit: Slurm would read {said} MB, TORQUE {said} bytes.",
            f"Write the one you mean: '{said} MB' or '{said} B'.",
        )
    match = _MEMORY.fullmatch(said)
    if not match or match[2] not in _BYTES:
        refuse(where, f"Memory '{text}' cannot be read.", "Write a number and a unit: 1.5 GB, 512M, 2 GiB.")
    mib = math.ceil(Fraction(match[1]) * _BYTES[match[2]] / 1024**2)
    if not 0 < mib < 2**40:
        refuse(where, f"Memory '{text}' is not an amount a task can have.", "Write something like 2 GB.")
    return mib


def duration(text: str, where: str = "") -> int | float:
    """Return a time in seconds: an integer where it is one."""
    said = text.strip().lower()
    if _BARE.fullmatch(said):
        refuse(
            where,
            f"The time '{said}' has no unit: Slurm would read {said} minutes, TORQUE {said} seconds.",
            f"Write the one you mean: '{said} min' or '{said} s'.",
        )
    short = _SHORT.fullmatch(said)
    if short:
        first, second = short.groups()
        refuse(
            where,
            f"The time '{said}' can be read in two ways: Slurm takes it as {first} min {second} s, "
            f"people often mean {first} h {second} min.",
            f"Write the one you mean: '{first} min {second} s' or '{first}:{second}:00'.",
        )
    seconds = _clock(said) if ":" in said or "-" in said else _amounts(said)
    if seconds is None:
        hint = "Write a number and a unit, or a clock: 90 min, 2h, 1.5 h, 2-15:59:00, 01:30:00."
        refuse(where, f"The time '{text}' cannot be read.", hint)
    if not 0 < seconds <= _LONGEST:
        refuse(where, f"The time '{text}' is not one a task can have.", "Write something like 90 min.")
    return int(seconds) if seconds.denominator == 1 else float(seconds)


def _clock(said: str) -> Fraction | None:
    """Read HH:MM:SS and Slurm's D-HH, D-HH:MM, D-HH:MM:SS (sbatch(1), --time)."""
    match = _CLOCK.fullmatch(said)
    days = _DAYS.fullmatch(said)
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


def _amounts(said: str) -> Fraction | None:
    """Read amounts with units, largest first: 90 min, 1h30m, 2 days 3 h."""
    total, position, smaller = Fraction(0), 0, None
    while position < len(said):
        match = _AMOUNT.match(said, position)
        unit = _SECONDS.get(match[2]) if match else None
        if not match or unit is None or (smaller is not None and unit >= smaller):
            return None
        total += Fraction(match[1]) * unit
        position, smaller = match.end(), unit
    return total if smaller is not None else None


def as_memory(node: Node, what: str = "memory") -> int:
    """Return MiB."""
    return memory(_amount(node, what), node.where)


def as_time(node: Node, what: str = "time") -> int | float:
    """Return seconds."""
    return duration(_amount(node, what), node.where)


def _amount(node: Node, what: str) -> str:
    """Return the text of an amount; a bare number passes as text, to be refused with its readings."""
    if isinstance(node.value, bool | list | dict) or node.value is None:
        refuse(
            node,
            f"{what} must be an amount with a unit, but is {found(node)}.",
            "Write for instance 2 GB or 90 min.",
        )
    return node.text


def memory_text(mib: int) -> str:
    """Return MiB as a text that `memory` reads back."""
    return f"{mib // 1024} GiB" if mib % 1024 == 0 else f"{mib} MiB"


def duration_text(seconds: float) -> str:
    """Return seconds as a text that `duration` reads back (to the microsecond)."""
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
