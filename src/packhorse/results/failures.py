"""Failures grouped by cause: outcome, exit status or signal, and message without its variable parts."""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

from packhorse.results.fold import Fold
from packhorse.results.journal import OUTCOMES, Record

EXAMPLES = 5

# The order of substitution matters: paths may contain numbers, and a hexadecimal address begins with a digit.
_PATH = re.compile(r"(?:~|\.{1,2})?(?:/[^\s/'\"<>:,;()]+)*/([^\s/'\"<>:,;()]+)")
_HEX = re.compile(r"\b0[xX][0-9a-fA-F]+\b|\b(?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{8,}\b")
_NUMBER = re.compile(r"(?:(?<!\w)[+-])?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


class Cause(Struct, frozen=True):
    """One cause of failures, with the number of tasks, some of their indices, and the message of the first."""

    outcome: str
    exit: int | None
    signal: int | None
    pattern: str
    message: str
    count: int
    examples: tuple[int, ...]


def group_failures(fold: Fold) -> list[Cause]:
    """Group the tasks whose final outcome is not OK by outcome, exit status, signal and normalised message."""
    failures: list[tuple[int, Record]] = []
    for journal, indices, lines in fold.winners(*OUTCOMES[1:]):
        failures.extend(zip(indices, journal.records(lines), strict=True))
    return group_records(failures)


def group_records(failures: Iterable[tuple[int, Record]]) -> list[Cause]:
    """Group failures, given as (task index, record); the most frequent cause comes first."""
    groups: dict[tuple[str, int | None, int | None, str], list[tuple[int, str]]] = {}
    for index, record in failures:
        key = (record.outcome, record.exit, record.signal, normalise_message(record.cause))
        groups.setdefault(key, []).append((index, record.cause))
    causes = []
    for (outcome, code, signal, pattern), tasks in groups.items():
        tasks.sort()
        examples = tuple(index for index, _ in tasks[:EXAMPLES])
        causes.append(Cause(outcome, code, signal, pattern, tasks[0][1], len(tasks), examples))
    return sorted(causes, key=lambda cause: (-cause.count, cause.examples))


def normalise_message(message: str) -> str:
    """Return a message with the parts that vary between tasks replaced: folders, addresses, numbers."""
    message = _PATH.sub(r".../\1", message.strip())
    message = _HEX.sub("HEX", message)
    return _NUMBER.sub("N", message)
