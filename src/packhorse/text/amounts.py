"""Amounts as text for people: 16 GB, 2 h 30 min, 1 node. `text.units` parses memory and times."""

from __future__ import annotations

import math
from collections.abc import Mapping

LEAST_HOURS = 0.001  # that is shown as a number


def size(mib: int) -> str:
    """Return an amount in MiB with a unit. It is exact, so that an amount never looks equal to a limit that it exceeds."""
    for unit, per_unit in (("TB", 1024**2), ("GB", 1024)):
        for parts in (1, 10):  # a whole number, or one decimal place
            if mib >= per_unit and mib * parts % per_unit == 0:
                return f"{mib / per_unit:.{parts // 10}f} {unit}"
    return f"{mib} MB"


def span(seconds: float) -> str:
    """Return a duration in seconds with units.

    Below ten seconds it has two digits; else it is rounded up to a second, from one hour on to a minute.
    """
    if seconds < 10 and seconds != int(seconds):
        return f"{seconds:.2g} s"
    whole = math.ceil(seconds)
    if whole >= 3600:
        whole = -(-whole // 60) * 60
    parts = []
    for unit, per_unit in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        number, whole = divmod(whole, per_unit)
        if number:
            parts.append(f"{number} {unit}")
    return " ".join(parts) or "0 s"


def hours(number: float) -> str:
    """Return a number of hours or core-hours: two digits below 10, one decimal below 100, else rounded up."""
    if 0 < number < LEAST_HOURS:
        return f"less than {LEAST_HOURS}"
    if number >= 100:
        return f"{math.ceil(number):,}"
    return f"{number:.1f}" if number >= 10 else f"{number:.2g}"


def counted(number: int, thing: str) -> str:
    """Return a number with a noun in the singular or plural: 1 node, 4 nodes, 10,000 tasks."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def elapsed(seconds: float | None) -> str:
    """Return a duration in one unit: `3.2 s`, `15 min`, `2.5 h`, `4.0 days`; `?` where it is unknown."""
    if seconds is None:
        return "?"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    if seconds < 172800:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"


def byte_size(number: float) -> str:
    """Return bytes in decimal units: `512 B`, `1.5 MB`."""
    for unit in ("B", "KB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" or number >= 100 else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def retry_command(run: str, counts: Mapping[str, int]) -> str:
    """Return the command that runs failed tasks again with more of what they lacked; empty where none failed.

    `run` is quoted for a shell; `counts` are numbers of tasks by outcome.
    """
    if not any(counts.get(outcome) for outcome in ("FAILED", "TIMEOUT", "MEMORY", "UNFINISHED")):
        return ""
    more = " --memory 2x" if counts.get("MEMORY") else ""
    more += " --time 2x" if counts.get("TIMEOUT") else ""
    return f"packhorse retry {run}{more}"
