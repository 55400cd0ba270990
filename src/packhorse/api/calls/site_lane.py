"""The calls of an executor that run on a site: what is submitted within a short time is one array of one run."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from packhorse.api.calls.futures import Item
from packhorse.api.calls.lane import KnownCalls
from packhorse.api.calls.settings import CallSettings, Names
from packhorse.api.calls.values import CallLost
from packhorse.app.runs.run import run_on_site
from packhorse.execution.calls.stream import JournalReader
from packhorse.execution.preparation import prepare
from packhorse.execution.run_context import open_run
from packhorse.execution.run_model import Outcome
from packhorse.model.errors import Stopped, Unreachable
from packhorse.project.placement import place_of
from packhorse.project.reporter import Reporter
from packhorse.project.source import Source
from packhorse.remote.open_store import open_store
from packhorse.results.journal import Record
from packhorse.rundir.calls import (
    CallLog,
    cancelled_calls,
    count_calls,
    keep_buffers,
    keep_function,
    read_calls,
)
from packhorse.rundir.directory import RunDirectory

GATHER_SECONDS = 0.2  # without a further call, after which those that came are submitted
LONGEST_GATHER = 2.0  # seconds that a call waits for others
MOST_ARRAYS = 20  # of one executor at a time
POLL_SECONDS = 0.2  # between two looks at the journals of a run on this file system
FETCH_SECONDS = 5.0  # the same, over ssh
FINAL = ("OK", "FAILED", "TIMEOUT")  # others may run again, with more memory or in a later wave


class SiteLane:
    """Calls with the same resources on a site. Each array has a run directory, which is used again when its jobs ended."""

    def __init__(self, settings: CallSettings, resources: dict[str, Any], names: Names) -> None:
        self.settings, self.resources, self.names = settings, resources, names
        self.inbox: deque[Item] = deque()
        self.news = threading.Condition()
        self.came = self.first_came = 0.0
        self.parts: list[Part] = []
        self.known = KnownCalls()
        self.code: str | None = None
        self.closing = self.cancelling = self.stopping = False
        self.thread = threading.Thread(target=self._run, name="packhorse-calls", daemon=True)
        self.started = False

    def add(self, items: Iterable[Item]) -> None:
        """Take calls."""
        with self.news:
            self.came = time.monotonic()
            self.first_came = self.first_came if self.inbox else self.came
            self.inbox.extend(items)
            self._begin()
            self.news.notify()

    def adopt(self, run: RunDirectory, items: list[Item]) -> None:
        """Take calls that an earlier session submitted in one run."""
        self.parts.append(Part(self.settings, self.resources, run.path.name, items))

    def _begin(self) -> None:
        if not self.started:
            self.started = True
            self.thread.start()

    def close(self, *, cancel: bool = False, stop: bool = False) -> None:
        """Take no further call; with `cancel`, cancel what is not submitted, with `stop` wait for nothing."""
        with self.news:
            self.cancelling, self.stopping = self.cancelling or cancel, self.stopping or stop
            self.closing = True
            self.news.notify()

    def join(self) -> None:
        """Wait until every call has ended, unless it was stopped: the jobs go on then."""
        if self.started and not self.stopping:
            self.thread.join()
        for part in self.parts:
            while part.thread.is_alive() and not self.stopping:
                part.thread.join(0.2)

    def _run(self) -> None:
        while True:
            items = self._gather()
            if not items:
                return
            try:
                self._submit(items)
            except BaseException as error:  # noqa: BLE001 - whatever it is, every future must end
                fail(items, error)

    def _gather(self) -> list[Item]:
        """Return the calls that came within a short time; none once the executor is closed."""
        with self.news:
            while True:
                now = time.monotonic()
                due = min(self.came + GATHER_SECONDS, self.first_came + LONGEST_GATHER)
                busy = sum(part.thread.is_alive() for part in self.parts) >= MOST_ARRAYS
                if self.inbox and (self.closing or now >= due) and not busy:
                    items, self.inbox = list(self.inbox), deque()
                    return items
                if self.closing and not self.inbox:
                    return []
                self.news.wait(1.0 if busy or not self.inbox else max(0.0, due - now))

    def _submit(self, items: list[Item]) -> None:
        begun = []
        for item in items:
            if self.cancelling:
                item.future.cancel()
            assert item.call is not None
            if self.settings.reuse and not item.call.of and self.known.takes(item, self._code()):
                continue
            if item.future.set_running_or_notify_cancel():
                begun.append(item)
        if not begun:
            return
        free = next((part.name for part in self.parts if part.reusable()), None)
        self.parts = [part for part in self.parts if part.name != free]
        self.parts.append(Part(self.settings, self.resources, free or self.names.take(), begun))

    def _code(self) -> str:
        if self.code is None:
            source = self.settings.source(self.resources, self.names.name, 1)
            self.code = prepare(source, source.folder / "runs").identity.code
        return self.code


def fail(items: Iterable[Item], error: BaseException) -> None:
    """End the futures that have no result with an error."""
    for item in items:
        future = item.future
        if not future.done() and (future.running() or future.set_running_or_notify_cancel()):
            future.set_exception(error)


class Part:
    """One run of calls on a site: it is submitted, followed to its end, and its records complete the futures."""

    def __init__(
        self, settings: CallSettings, resources: dict[str, Any], name: str, items: list[Item]
    ) -> None:
        self.settings, self.resources, self.name = settings, resources, name
        self.left = {item.number: item for item in items if item.number is not None}
        self.new = [item for item in items if item.number is None]
        self.lost: list[Item] = []  # calls of lost chunks, which the next wave makes one by one
        self.records: dict[int, tuple[Record, Path]] = {}  # not final, by call
        self.reader = JournalReader(settings.folder / "runs" / name / "journal")
        self.error: BaseException | None = None
        self.complete = False
        self.run: RunDirectory | None = None
        self.thread = threading.Thread(target=self._work, name=f"packhorse-{name}", daemon=True)
        self.thread.start()

    def reusable(self) -> bool:
        """Return whether the run may grow: its jobs have ended, and every call of it has an outcome."""
        return self.complete and not self.thread.is_alive()

    def _work(self) -> None:
        items = [*self.left.values(), *self.new]
        try:
            self._write()
            self._settle_known()
            while self.left or self.lost:
                if self.lost:
                    self.new, self.lost = self.lost, []
                    items += self.new
                    self._write()
                self._follow()
                if self.error is not None:
                    break
        except BaseException as error:  # noqa: BLE001 - whatever it is, every future must end
            self.error = error
        self.complete = self.error is None and not self.left
        fail(items, self.error or CallLost(f"{self.name}: the run ended without a result of this call"))

    def _write(self) -> None:
        """Write the new calls into the run."""
        options = self.settings.options(self.name)
        assert options.run is not None
        first = count_calls(options.run)
        source = self.settings.source(self.resources, self.name, max(1, first + len(self.new)))
        self.run = open_run(options.run, source)
        self.settings.write(self.run, self.resources)
        if not self.new:
            return
        log = CallLog(self.run.path, first)
        functions: set[str] = set()
        for item in self.new:
            assert item.call is not None
            if item.data and item.call.function not in functions:
                functions.add(item.call.function)
                keep_function(self.run.path, item.data)
            keep_buffers(self.run.path, [(one.digest, one.data) for one in item.buffers])
            item.buffers = []
            item.number = log.add(item.call)
            item.future.locate(self.run.path, item.number)
            self.left[item.number] = item
        log.close()

    def _settle_known(self) -> None:
        """Complete calls of an earlier session from what is known of their run."""
        assert self.run is not None
        for number in cancelled_calls(self.run.path) & set(self.left):
            future = self.left.pop(number).future
            future.cancel()
            future.set_running_or_notify_cancel()
        if any(item.future.number is None for item in self.left.values()):
            if (self.run.path / "cluster.json").exists():
                self._fetch()
            calls = read_calls(self.run.path)
            for number, item in self.left.items():
                item.future.locate(self.run.path, number)
                item.future.set_running_or_notify_cancel()
                item.call = calls[number] if number < len(calls) else None
            self._read()

    def _follow(self) -> None:
        """Submit what is missing, and complete futures until the run has ended."""
        assert self.run is not None
        source = self.settings.source(self.resources, self.name, count_calls(self.run.path))
        following = Following(self.settings, source, self.name)
        pause, far = POLL_SECONDS, False
        while following.is_alive():
            following.join(pause)
            if not far and (self.run.path / "cluster.json").exists():
                far = bool(open_store(self.run).remote_folder)
                pause = FETCH_SECONDS if far else POLL_SECONDS
            if far:
                self._fetch()
            self._read()
        self._fetch()
        self._read()
        self._end(following)

    def _fetch(self) -> None:
        assert self.run is not None
        with suppress(Unreachable):  # `Following` reports it, once it lasts
            open_store(self.run).fetch_records()

    def _read(self) -> None:
        """Complete the futures whose records are new."""
        assert self.run is not None
        folder = self.run.path / "journal"
        for path in sorted(folder.glob("*.ndjson")):
            for record in self.reader.read(path.name):
                if record.index in self.left:
                    self._take(record, path.with_suffix(".pack"))

    def _take(self, record: Record, pack: Path) -> None:
        if record.outcome not in FINAL:
            self.records[record.index] = (record, pack)
            return
        self.lost += self.left.pop(record.index).complete(record, pack)

    def _end(self, following: Following) -> None:
        """End the futures that have no final record, when the run has ended."""
        for number, (record, pack) in self.records.items():
            item = self.left.pop(number, None)
            if item is not None:
                self.lost += item.complete(record, pack)
        self.records.clear()
        if not self.left:
            return
        self.error = following.error
        if self.error is None or isinstance(self.error, Stopped):
            reason = str(self.error or following.reason)
            text = "the run ended without a result of this call"
            self.error = CallLost(f"{self.name}: {text}{': ' if reason else ''}{reason}")


class Following(threading.Thread):
    """Submits a run and follows it to its end, as `packhorse run` does; `error` or `reason` say why it ended early."""

    def __init__(self, settings: CallSettings, source: Source, name: str) -> None:
        super().__init__(name=f"packhorse-{name}-run", daemon=True)
        self.settings, self.source, self.options = settings, source, settings.options(name)
        self.error: BaseException | None = None
        self.reason = ""
        self.start()

    def run(self) -> None:
        """Do it."""
        try:
            place = place_of(self.source, **{"site": self.settings.site, **self.settings.place})
            outcome = run_on_site(self.source, self.options, place, Reporter(), detach=False)
        except BaseException as error:  # noqa: BLE001 - it becomes that of the futures
            self.error = error
            return
        if isinstance(outcome, Outcome) and outcome.stopped:
            cause = outcome.report.end.cause if outcome.report.end is not None else ""
            self.reason = f"{outcome.stopped}{': ' if cause else ''}{cause}"
