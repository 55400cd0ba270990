"""The plan of a wave: the tasks that it runs, and the outcomes known when it was made."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field


class Plan(Struct, frozen=True, kw_only=True):
    """The plan of one wave. `ranges` of task indices are half-open.

    `before` counts the final outcomes of tasks outside this wave; `refused` of those failed only because their result
    cannot be read. `unreadable` are tasks of a retry whose earlier
    OK no longer counts, since the result cannot be read. `same_code` are older snapshots that differ from `code` only
    in files that no finished task has used. `first` is the first wave whose records count: a fresh
    start supersedes all waves before it. `follows` is the wave before, in a plan that the continuation made.
    `open` is the digest of the space of this wave's journals, where tasks join the wave while it runs; `space` then grows.
    """

    format: str = "packhorse-plan"
    version: int = 1
    wave: int
    kind: Literal["run", "retry", "rerun"] = "run"
    space: str
    code: str
    same_code: tuple[str, ...] = ()
    environment: str = ""
    data: str = ""
    total: int
    tasks: int
    probe: tuple[int, ...] = ()
    ranges: tuple[tuple[int, int], ...] = ()
    unreadable: tuple[tuple[int, int], ...] = ()
    before: dict[str, int] = field(default_factory=dict)
    refused: int = 0
    first: int = 1
    follows: int = 0
    open: str = ""
    unchecked: bool = False
    own_seeds: bool = False  # whether the script sets its own seeds, so that the table has none
    created: str = ""


class Identity(Struct, frozen=True, kw_only=True):
    """Digests of what results depend on beside parameters and seeds: code, environment and data."""

    code: str
    environment: str = ""
    data: str = ""
