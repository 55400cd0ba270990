"""A plan: which tasks the next wave runs, and what was known when it was made."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field


class Plan(Struct, frozen=True, kw_only=True):
    """One wave. `ranges` are half-open; `before` counts the words on tasks outside this wave.

    `unreadable` are tasks of a retry whose earlier OK counts no more, since nobody can read its result.
    `first` is the first wave whose records count: a fresh start overrules everything before it.
    """

    format: str = "packhorse-plan"
    version: int = 1
    wave: int
    kind: Literal["run", "retry", "rerun"] = "run"
    space: str
    code: str
    environment: str = ""
    data: str = ""
    total: int
    tasks: int
    probe: tuple[int, ...] = ()
    ranges: tuple[tuple[int, int], ...] = ()
    unreadable: tuple[tuple[int, int], ...] = ()
    before: dict[str, int] = field(default_factory=dict)
    first: int = 1
    unchecked: bool = False
    created: str = ""


class Identity(Struct, frozen=True, kw_only=True):
    """What results depend on beside parameters and seeds: digests of code, environment and data."""

    code: str
    environment: str = ""
    data: str = ""
