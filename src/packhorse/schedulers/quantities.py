"""Times, sizes and dates in the formats of batch systems; None or "" for text in another format."""

from __future__ import annotations

import math
import re

_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d+):(\d+)")
_SIZE = re.compile(r"(\d+)([kmgt]?)[bw]?", re.IGNORECASE)
_DATE = re.compile(r"\w{3} (\w{3}) +(\d+) (\d\d:\d\d:\d\d) (\d{4})")
_IN_MIB = {"": 1 / 2**20, "k": 1 / 1024, "m": 1.0, "g": 1024.0, "t": 1024.0**2}
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def clock(duration: int) -> str:
    """Return seconds as HH:MM:SS, with as many hours as there are."""
    minutes, last = divmod(duration, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{last:02}"


def seconds(text: str) -> int | None:
    """Return the seconds of `HH:MM:SS` or `D:HH:MM:SS`, or of a plain number."""
    if text.isascii() and text.isdigit():
        return int(text)
    found = _CLOCK.fullmatch(text)
    if not found:
        return None
    days, hours, minutes, last = (int(part or 0) for part in found.groups())
    return days * 86400 + hours * 3600 + minutes * 60 + last


def mebibytes(text: str) -> int | None:
    """Return the MiB of `4812kb` or `8gb`, rounded up; None also for nothing, which is a job too short to measure."""
    found = _SIZE.fullmatch(text)
    return math.ceil(int(found[1]) * _IN_MIB[found[2].lower()]) or None if found else None


def moment(text: str) -> str:
    """Return `Sat Nov 21 23:15:21 2026` in the form of ISO 8601."""
    found = _DATE.fullmatch(text)
    if not found or found[1] not in _MONTHS:
        return ""
    return f"{found[4]}-{_MONTHS.index(found[1]) + 1:02}-{int(found[2]):02}T{found[3]}"
