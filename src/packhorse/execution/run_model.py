"""The values that describe one run: options, pending tasks, report, outcome."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from packhorse.model.plan import Identity
from packhorse.plan.waves import IndexRange
from packhorse.results.fold import Fold
from packhorse.results.table import MergeReport
from packhorse.rundata.progress import EndReason, WaveEnd


class RetrySelection(Struct, frozen=True, kw_only=True):
    """Tasks to run again; `unreadable` are those among them that ended OK with a result that cannot be read."""

    ranges: tuple[IndexRange, ...]
    unreadable: tuple[IndexRange, ...] = ()


class RunOptions(Struct, frozen=True, kw_only=True):
    """How to run a study; `run` is the run directory, `jobs` the number of tasks at a time."""

    run: Path | None = None
    jobs: int | None = None
    fresh: bool = False
    keep: bool = False
    old_code: bool = False
    failed: Literal["run", "keep"] = "run"  # whether failed tasks run again where their code has changed
    unchecked: bool = False
    trust_pickle: bool = False  # accept pickles as results, which run code when they are read
    everything: bool = False  # keep every file that the task writes
    warm: bool = True  # as the study says; False: every task starts its interpreter
    here: bool = False  # run on this machine, although it is a login node
    retry: RetrySelection | None = None
    only: tuple[IndexRange, ...] | None = None  # no other tasks run; None: all that are missing


class PendingTasks(Struct, frozen=True, kw_only=True):
    """The tasks of the next wave, and the code, environment and data that it runs with."""

    fold: Fold
    ranges: list[IndexRange]
    identity: Identity
    retry: RetrySelection | None = None
    same_code: tuple[str, ...] = ()  # older snapshots that count as that of `identity`


class RunReport(Struct, frozen=True, kw_only=True):
    """What a user needs to know when a run has ended; `end` is None where nothing was left to run."""

    end: WaveEnd | None
    fold: Fold
    merge: MergeReport
    notes: tuple[str, ...]
    missing_inputs: tuple[str, ...]  # sentences about files that tasks did not find
    git: dict[str, Any]
    summary: bool  # whether the study asks for a summary
    has_results: bool  # whether the table has a result column
    kept: tuple[Path, ...] | None = None  # files of a script that was run once


class Outcome(Struct, frozen=True, kw_only=True):
    """How a call of `run` ended; `ran` is the number of tasks that got an outcome in this call.

    `results` is the table's path, empty where no task has a result. `seconds` is the time of the call.
    `stopped` is why the run ended before it was done.
    """

    run: str
    name: str
    tasks: int
    done: int
    failed: int
    missing: int
    ran: int
    seconds: float
    results: str
    report: RunReport
    stopped: EndReason | None = None


class Detached(Struct, frozen=True, kw_only=True):
    """A run that continues on its site without this command; `joined` where it was already under way."""

    run: str
    name: str
    site: str
    job: str
    tasks: int
    joined: bool
