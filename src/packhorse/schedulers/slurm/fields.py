"""Slurm's words: states, times, sizes, array expressions and job numbers. What it does not know, it says so."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from packhorse.model.job import JobState

# squeue(1) and sacct(1), JOB STATE CODES. A job that ends is RUNNING until Slurm has let it go (COMPLETING), since its
# processes may still write; one whose nodes are being started (CONFIGURING) waits. REVOKED is absent: the job goes
# on in another cluster of a federation, so nothing can be said of it here.
STATES: dict[str, JobState] = {
    **dict.fromkeys(
        (
            "PENDING",
            "CONFIGURING",
            "REQUEUED",
            "REQUEUE_FED",
            "REQUEUE_HOLD",
            "RESV_DEL_HOLD",
            "SPECIAL_EXIT",
            "EXPEDITING",
        ),
        "QUEUED",
    ),
    **dict.fromkeys(
        ("RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "RESIZING", "STAGE_OUT"), "RUNNING"
    ),
    **dict.fromkeys(
        (
            "COMPLETED",
            "CANCELLED",
            "FAILED",
            "TIMEOUT",
            "NODE_FAIL",
            "PREEMPTED",
            "BOOT_FAIL",
            "DEADLINE",
            "OUT_OF_MEMORY",
            "LAUNCH_FAILED",
        ),
        "GONE",
    ),
}

_TIME = re.compile(r"(?:(\d+)-)?(\d+):(\d+)(?::(\d+))?(\.\d+)?")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)([KMGTP]?)")
_RANGE = re.compile(r"(\d+)(?:-(\d+)(?::(\d+))?)?")
_IN_MIB = {"": 1 / 2**20, "K": 1 / 1024, "M": 1.0, "G": 1024.0, "T": 1024.0**2, "P": 1024.0**3}


def state(word: str) -> JobState:
    """Return what a state word means; UNKNOWN for a foreign one."""
    return STATES.get(word, "UNKNOWN")


def seconds(text: str) -> float | None:
    """Return the seconds of `1-02:03:04`, `30:00` or `00:00.003`; None where Slurm gives a word, such as UNLIMITED."""
    found = _TIME.fullmatch(text)
    if not found:
        return None
    days, first, second, third, rest = found.groups()
    # Without days, two parts are minutes and seconds.
    hours, minutes, last = (first, second, third) if third else ("0", first, second)
    if days and not third:
        hours, minutes, last = first, second, "0"
    return int(days or 0) * 86400 + int(hours) * 3600 + int(minutes) * 60 + int(last) + float(rest or 0)


def whole_seconds(text: str) -> int | None:
    """Return the seconds of a time that has no fraction."""
    found = seconds(text)
    return None if found is None else int(found)


def mebibytes(text: str) -> int | None:
    """Return the MiB of `4812K` or `4.50M`, rounded up; None for nothing, and for the 0 of a job too short to measure."""
    found = _SIZE.fullmatch(text)
    if not found:
        return None
    return math.ceil(float(found[1]) * _IN_MIB[found[2]]) or None


def elements(expression: str) -> list[range]:
    """Return the elements of an array expression such as `2-5%2`, `7,9,20` or `0-12:2`, as ranges."""
    found = []
    for part in expression.partition("%")[0].split(","):
        match = _RANGE.fullmatch(part.strip())
        if match:
            first = int(match[1])
            found.append(range(first, int(match[2] or first) + 1, int(match[3] or 1) or 1))
    return found


def written_time(duration: int) -> str:
    """Return seconds as D-HH:MM:SS, the one form that names every part."""
    minutes, last = divmod(duration, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{days}-{hours:02}:{minutes:02}:{last:02}"


def written_array(indices: Iterable[tuple[int, int, int]]) -> str:
    """Return the elements of an array as an expression: `1-100`, `0-12:4,20`."""
    parts = []
    for first, last, step in indices:
        parts.append(str(first) if first == last else f"{first}-{last}" + (f":{step}" if step > 1 else ""))
    return ",".join(parts)


def tres(text: str) -> dict[str, str]:
    """Return what `cpu=4,mem=8000M,node=1,gres/gpu=2` says."""
    return {name: value for name, _, value in (part.partition("=") for part in text.split(",")) if value}


def number(text: str) -> int | None:
    """Return a whole number of ASCII digits; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() else None
