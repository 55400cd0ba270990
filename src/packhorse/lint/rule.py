"""What a rule is, and the list of all rules.

A rule is a function that takes a `Job` or a `Source` and yields a `Note` for each place that is wrong. Its docstring is
its page: what is wrong and why, an example, and when the fix is safe.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, Literal

from msgspec import Struct

from packhorse.jobscript.lines import Edit

Severity = Literal["error", "warning", "hint"]
Kind = Literal["job", "python", "r"]


class Note(Struct, frozen=True, kw_only=True):
    """A place where a rule is broken; `column` counts from 0."""

    message: str
    line: int
    column: int = 0
    edits: tuple[Edit, ...] = ()  # a fix that does not change what the author meant
    advice: str = ""  # what to write instead, where there is no safe fix
    severity: Severity | None = None  # where it differs from the rule's


class Rule(Struct, frozen=True, kw_only=True):
    """A rule and its function."""

    id: str
    severity: Severity
    reason: str  # in one line
    kind: Kind
    check: Callable[[Any], Iterator[Note]]
    optional: bool = False  # runs only where it is selected by its id

    @property
    def page(self) -> str:
        """The text of its page."""
        return inspect.cleandoc(self.check.__doc__ or "")


RULES: dict[str, Rule] = {}

Check = Callable[[Any], Iterator[Note]]


def rule(
    identity: str, severity: Severity, reason: str, *, kind: Kind = "job", optional: bool = False
) -> Callable[[Check], Check]:
    """Register a function as the rule with this id."""

    def register(check: Check) -> Check:
        assert identity not in RULES, identity
        RULES[identity] = Rule(
            id=identity, severity=severity, reason=reason, kind=kind, check=check, optional=optional
        )
        return check

    return register
