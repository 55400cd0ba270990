"""The values that describe one run: options, work to do, report, outcome."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from packhorse.environments.remote import RemoteEnvironment
from packhorse.model.plan import Identity
from packhorse.plan.waves import IndexRange
from packhorse.project.placement import Place
from packhorse.project.reporter import Reporter
from packhorse.project.source import Source
from packhorse.remote.remote_store import RemoteRunStore
from packhorse.results.fold import Fold
from packhorse.results.table import MergeReport
from packhorse.rundata.progress import WaveEnd


class OnSite(Struct, frozen=True):
    """What a run on a site that is reached over ssh has there."""

    store: RemoteRunStore
    remote_environment: RemoteEnvironment
    area: str  # of its data, as a path
    place: Place  # with the modules that its interpreters need

    def places(self, data: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
        """Return where data stand there: by their digests, so that they are sent once for all runs."""
        return {
            name: f"{self.area}/packhorse/data/{about['sha256'][:16]}/{_last(name)}"
            for name, about in data.items()
        }

    def send_data(self, source: Source, data: Mapping[str, Mapping[str, Any]], reporter: Reporter) -> None:
        """Send the study's data that are not there yet, each file whole and checked."""
        from packhorse.remote.transfer import upload

        for name, place in self.places(data).items():
            upload(self.store.ssh, source.folder / name, place, reporter, check=self.store.check_room)


def _last(name: str) -> str:
    return name.rstrip("/").rpartition("/")[2] or "data"


class Detached(Struct, frozen=True, kw_only=True):
    """What `--detach` leaves behind."""

    run: str
    name: str
    site: str
    job: str
    tasks: int
    joined: bool


class Retry(Struct, frozen=True, kw_only=True):
    """Tasks to run once more; `unreadable` are those among them that ended well with a result nobody can read."""

    ranges: tuple[IndexRange, ...]
    unreadable: tuple[IndexRange, ...] = ()


class Todo(Struct, frozen=True, kw_only=True):
    """What the next wave has to do: these tasks, for this code, environment and data."""

    fold: Fold
    ranges: list[IndexRange]
    identity: Identity
    retry: Retry | None = None


class Options(Struct, frozen=True, kw_only=True):
    """How to run: where, how many at a time, and what to do about changes."""

    run: Path | None = None
    jobs: int | None = None
    fresh: bool = False
    keep: bool = False
    old_code: bool = False
    unchecked: bool = False
    everything: bool = False
    here: bool = False  # on this machine, also where it is a login node
    retry: Retry | None = None


class Report(Struct, frozen=True, kw_only=True):
    """What is told at the end of a run: why its last wave ended, the words, the table, and what to know."""

    end: WaveEnd | None
    fold: Fold
    merge: MergeReport
    notes: tuple[str, ...]
    absent: tuple[str, ...]
    git: dict[str, Any]
    summary: bool
    given: bool  # whether any task gave a result beside its record
    kept: tuple[Path, ...] | None = None  # what a single script wrote, when one was run


class Outcome(Struct, frozen=True, kw_only=True):
    """How a run ended; `ran` tasks got their word in this call.

    `results` is the table's path, or empty where no task has a result.
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
    stopped: str = ""
    report: Any = None
