"""Failures grouped by cause, so that a thousand tracebacks are told as the three that they are."""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

from packhorse.results.fold import Fold
from packhorse.results.journal import OUTCOMES, Record

EXAMPLES = 5

# The order matters: paths may hold numbers, and a hexadecimal address begins with a digit.
_PATH = re.compile(r"(?:~|\.{1,2})?(?:/[^\s/'\"<>:,;()]+)*/([^\s/'\"<>:,;()]+)")
_HEX = re.compile(r"\b0[xX][0-9a-fA-F]+\b|\b(?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{8,}\b")
_NUMBER = re.compile(r"(?:(?<!\w)[+-])?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


class Cause(Struct, frozen=True):
    """One way to fail: how many tasks, some of them, and the message of the first."""

    outcome: str
    exit: int | None
    signal: int | None
    pattern: str
    message: str
    count: int
    examples: tuple[int, ...]


def group_failures(fold: Fold) -> list[Cause]:
    """Group the tasks whose word is not OK by outcome, exit code or signal, and normalised message."""
    found: list[tuple[int, Record]] = []
    for journal, indices, lines in fold.winners(*OUTCOMES[1:]):
        found.extend(zip(indices, journal.records(lines), strict=True))
    return group_records(found)


def group_records(failures: Iterable[tuple[int, Record]]) -> list[Cause]:
    """Group records of failures, given with their task's index; the commonest cause comes first."""
    groups: dict[tuple[str, int | None, int | None, str], list[tuple[int, str]]] = {}
    for index, record in failures:
        key = (record.outcome, record.exit, record.signal, normalise_message(record.cause))
        groups.setdefault(key, []).append((index, record.cause))
    told = []
    for (outcome, code, signal, pattern), tasks in groups.items():
        tasks.sort()
        examples = tuple(index for index, _ in tasks[:EXAMPLES])
        told.append(Cause(outcome, code, signal, pattern, tasks[0][1], len(tasks), examples))
    return sorted(told, key=lambda cause: (-cause.count, cause.examples))


def normalise_message(message: str) -> str:
    """Return a message with what differs from task to task taken out: folders, addresses, numbers."""
    message = _PATH.sub(r".../\1", message.strip())
    message = _HEX.sub("HEX", message)
    return _NUMBER.sub("N", message)
