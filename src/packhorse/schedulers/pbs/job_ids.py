"""Job numbers with brackets: 26.host is a job, 26[].host an array, 26[3].host an element of it."""

from __future__ import annotations

import re

from msgspec import Struct

_ID = re.compile(r"(\d+)(?:\[(\d*)\])?(?:\.(\S+))?")
_ROW = 11  # columns of `qstat -u`


class Id(Struct, frozen=True):
    """A job's number."""

    number: int
    array: bool
    element: int | None
    server: str

    @property
    def job(self) -> str:
        """Return the number of the job, or of the array that the element is one of."""
        brackets = "[]" if self.array else ""
        return f"{self.number}{brackets}{f'.{self.server}' if self.server else ''}"


def job_id(text: str) -> Id | None:
    """Return a job's number; None for anything else."""
    found = _ID.fullmatch(text)
    if not found:
        return None
    element = int(found[2]) if found[2] else None
    return Id(int(found[1]), found[2] is not None, element, found[3] or "")


def numeral(text: str) -> int:
    """Return the numeral that a job's number begins with, to sort by; the first job of a server is 0."""
    found = job_id(text)
    return found.number if found else 0


def same_job(typed: str, job: str) -> bool:
    """Tell whether a number that a user typed is that of a job; the server and an array's brackets may be absent."""
    mine, theirs = job_id(typed), job_id(job)
    if mine is None or theirs is None or mine.number != theirs.number:
        return False
    return (not mine.array or theirs.array) and (not mine.server or mine.server == theirs.server)


def element_of(job: str, element: int) -> str:
    """Return the number of an element of an array."""
    number, _, server = job.replace("[]", "").partition(".")
    return f"{number}[{element}]{f'.{server}' if server else ''}"


def listed(text: str) -> list[tuple[str, str]] | None:
    """Return (number, state letter) of each job in `qstat -u`; None for any other text.

    The server after a number's dot may be cut. The jobs follow a line of dashes.
    """
    found = []
    _, dashes, rows = text.partition("\n---")
    for line in rows.splitlines()[1:]:
        fields = line.split()
        number = fields[0].partition(".")[0] if fields else ""
        if fields and (len(fields) < _ROW or not job_id(number)):
            return None
        if fields:
            found.append((number, fields[-2]))
    return found if dashes or not text.strip() else None
