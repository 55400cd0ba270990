"""An executor with the interface of `concurrent.futures`, whose calls are tasks of a run, here or on a site."""

from __future__ import annotations

import concurrent.futures
import datetime
import gc
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from weakref import WeakSet, finalize

import msgspec

from packhorse.api.calls.callers_folder import callers_folder
from packhorse.api.calls.futures import CallFuture, ChunkFuture, Item, earlier_items
from packhorse.api.calls.lane import LocalLane
from packhorse.api.calls.resources import resources_of, study_resources
from packhorse.api.calls.settings import CallSettings, Names, lane_runs, read_settings
from packhorse.api.calls.site_lane import SiteLane
from packhorse.api.calls.values import Buffers, Function
from packhorse.api.start import refuse_inside_task
from packhorse.execution.calls.stream import CallStream
from packhorse.model.errors import UsageError
from packhorse.rundir.calls import read_calls
from packhorse.rundir.directory import RunDirectory

StrPath = str | os.PathLike[str]
PLACE = ("area", "partition", "account", "qos", "job_time", "max_jobs", "max_core_hours")

_open: WeakSet[Executor] = WeakSet()


class Executor(concurrent.futures.Executor):
    """Makes calls as tasks of a run, on this machine or on a site; the interface is that of `concurrent.futures.Executor`.

    `max_workers` is the number of calls at a time on this machine, by default as many as its cores and memory allow.
    `resources` are those of one call, as in a study: `cores`, `memory`, `time`, `gpus`. `name` keeps the run under
    `runs/NAME`, so that `Executor.attach(NAME)` finds its futures again; without a name, a run on this machine is
    removed at the end. With `reuse`, an equal call of the same code is not made again. The other keywords are keys of a
    study, and the options of `packhorse run` for a site: `partition`, `account`, `qos`, `job_time`, `max_jobs`.

    Raises StudyError where a key is wrong, UsageError for options that need a site.
    """

    def __init__(
        self,
        max_workers: int | None = None,
        *,
        site: str | None = None,
        name: str | None = None,
        folder: StrPath | None = None,
        resources: Mapping[str, Any] | None = None,
        reuse: bool = False,
        **keys: Any,
    ) -> None:
        if max_workers is not None and max_workers < 1:
            raise ValueError("max_workers must be greater than 0")
        refuse_inside_task()
        place = {key: keys.pop(key) for key in PLACE if keys.get(key) is not None}
        if place and site in (None, "local"):
            raise UsageError(f"{next(iter(place))} needs a site", 'Executor(site="NAME")')
        where = (Path(folder) if folder is not None else callers_folder()).absolute()
        self.settings = CallSettings(
            folder=where,
            max_workers=max_workers,
            site=None if site in (None, "local") else site,
            here=site == "local",
            place=place,
            resources=study_resources(resources),
            reuse=reuse,
            kept=name is not None or site not in (None, "local"),
            keys=keys,
        )
        self.resources: Mapping[str, Any] = self.settings.resources
        self.name = name or _new_name(where)
        self.futures: list[CallFuture] = []  # of `attach`
        self.buffers = Buffers()
        self.lanes: dict[str, LocalLane | SiteLane] = {}
        self._root = self.settings.source(self.resources, self.name, 1).root  # refuses what is wrong
        self._names = Names(self.name)
        self._lock = threading.Lock()
        self._closed = False
        _open.add(self)
        finalize(self, _close_lanes, self.lanes)

    @classmethod
    def attach(cls, name: str, *, folder: StrPath | None = None) -> Self:
        """Return the executor of this name again, as after the restart of a notebook; `futures` are those of its calls.

        Calls that are finished have their results, jobs on a site go on, and what was interrupted on this machine is
        made again. Raises UsageError where there is no such run, RunError while another process has it.
        """
        place = (Path(folder) if folder is not None else callers_folder()).absolute()
        runs = lane_runs(place, name)
        if not runs:
            raise UsageError(f"no executor {name!r} in {place / 'runs'}", "packhorse runs")
        executor: Self | None = None
        for run in runs:
            saved = read_settings(run)
            if executor is None:
                executor = cls(name=name, folder=place, **saved["executor"])
            executor._names.take()
            futures, items = earlier_items(read_calls(run.path))
            executor.futures += futures
            executor._adopt(run, saved["resources"], items)
        assert executor is not None
        return executor

    def _adopt(self, run: RunDirectory, resources: dict[str, Any], items: list[Item]) -> None:
        with self._lock:
            lane = self._lane(resources, run.path.name)
        lane.adopt(run, items)

    # Calls

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> CallFuture:
        """Make a call `fn(*args, **kwargs)`; return its future."""
        return self._submit({}, fn, [(args, kwargs)])[0]

    def map(
        self,
        fn: Callable[..., Any],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        **ignored: Any,  # noqa: ARG002 - buffersize, of later Pythons
    ) -> Iterator[Any]:
        """Return the results of `fn` over the iterables, in order; on a site all calls are one array.

        With `chunksize`, so many calls are one task, with one record, log and seed: faster for calls of microseconds. A
        call that raises fails alone; where a whole chunk is lost (a crash, a limit), its calls are made again one by one.
        With `reuse` each call stays a task, so that it is found again.
        """
        return self._map({}, fn, iterables, timeout, chunksize)

    def with_resources(self, **resources: Any) -> Executor:
        """Return this executor for calls with other resources: `cores`, `memory`, `time`, `gpus`.

        They come before those of `@packhorse.task`, which come before those of the executor.
        """
        return _WithResources(self, resources)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002
        """Take no further calls, and wait for those that were made, as in `concurrent.futures`."""
        self.close(wait=wait, cancel=cancel_futures, stop=False)

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        """Wait for the calls; after Ctrl-C do not: calls here end, and jobs on a site go on."""
        interrupted = kind is not None and issubclass(kind, KeyboardInterrupt)
        self.close(wait=not interrupted, cancel=interrupted, stop=interrupted)

    def close(self, *, wait: bool, cancel: bool, stop: bool) -> None:
        """Take no further calls; with `cancel`, cancel those that have not begun, with `stop` end those here too."""
        with self._lock:
            self._closed = True
            lanes = list(self.lanes.values())
        for lane in lanes:
            lane.close(cancel=cancel, stop=stop)
        if wait:
            for lane in lanes:
                lane.join()

    def _submit(
        self,
        nearer: Mapping[str, Any],
        fn: Callable[..., Any],
        calls: Iterable[tuple[tuple[Any, ...], dict[str, Any]]],
        chunksize: int = 1,
    ) -> list[CallFuture]:
        """Take calls; `nearer` are the resources of `with_resources`, which come before those of the function."""
        wanted = study_resources(self.resources, resources_of(fn), nearer)
        function: Function | Exception
        try:
            function = Function(fn, self._root)
        except Exception as error:  # noqa: BLE001 - what the pickle of any object raises belongs to its future
            function = error
        calls = list(calls)
        with _without_collection():
            if chunksize > 1 and not self.settings.reuse and isinstance(function, Function):
                every = [args for args, _ in calls]
                chunks = [every[at : at + chunksize] for at in range(0, len(every), chunksize)]
                items = [item for chunk in chunks for item in _chunk(function, chunk, self.buffers)]
            else:
                items = [_item(function, args, kwargs, self.buffers) for args, kwargs in calls]
        with self._lock:
            if self._closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            if _exiting:
                raise RuntimeError("cannot schedule new futures after interpreter shutdown")
            lane = self._lane(wanted)
            lane.add([item for item in items if item.call is not None])
        futures: list[CallFuture] = []
        for item in items:
            futures += item.future.parts if isinstance(item.future, ChunkFuture) else [item.future]
        return futures

    def _map(
        self,
        resources: Mapping[str, Any],
        fn: Callable[..., Any],
        iterables: tuple[Iterable[Any], ...],
        timeout: float | None,
        chunksize: int,
    ) -> Iterator[Any]:
        if chunksize < 1:
            raise ValueError("chunksize must be >= 1.")
        give_up = None if timeout is None else time.monotonic() + timeout
        calls: Iterator[tuple[tuple[Any, ...], dict[str, Any]]] = (
            (args, {}) for args in zip(*iterables, strict=False)
        )
        futures = self._submit(resources, fn, calls, chunksize)
        return _results(futures, give_up)

    # Lanes: run directories of calls with the same resources

    def _lane(self, resources: Mapping[str, Any], name: str = "") -> LocalLane | SiteLane:
        key = msgspec.json.encode(dict(resources), order="sorted").decode()
        lane = self.lanes.get(key)
        if lane is None:
            lane = self.lanes[key] = self._new_lane(dict(resources), name)
        return lane

    def _new_lane(self, resources: dict[str, Any], name: str) -> LocalLane | SiteLane:
        settings, names = self.settings, self._names
        settings.source(resources, self.name, 1)  # refuses what is wrong before the first call
        if settings.site is not None:
            return SiteLane(settings, resources, names)

        name = name or names.take()

        # Nothing here refers to the executor, so that an unused one can end.
        def stream() -> CallStream:
            return settings.stream(resources, name)

        return LocalLane(stream, reuse=settings.reuse, keep=settings.kept)


class _WithResources(Executor):
    """An executor for calls with other resources than those of the executor that it belongs to."""

    def __init__(self, whole: Executor, resources: Mapping[str, Any]) -> None:  # it opens nothing of its own
        self.whole, self.resources = whole, study_resources(resources)

    def _submit(
        self,
        nearer: Mapping[str, Any],
        fn: Callable[..., Any],
        calls: Iterable[tuple[tuple[Any, ...], dict[str, Any]]],
        chunksize: int = 1,
    ) -> list[CallFuture]:
        return self.whole._submit(study_resources(self.resources, nearer), fn, calls, chunksize)  # noqa: SLF001 - its own class

    def with_resources(self, **resources: Any) -> Executor:
        return _WithResources(self.whole, study_resources(self.resources, resources))

    def close(self, *, wait: bool, cancel: bool, stop: bool) -> None:
        """Close the executor that this one belongs to."""
        self.whole.close(wait=wait, cancel=cancel, stop=stop)


@contextmanager
def _without_collection() -> Iterator[None]:
    """Make many objects, all of which stay: looking for garbage among them took most of the time of 100,000 futures."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _item(
    function: Function | Exception, args: tuple[Any, ...], kwargs: dict[str, Any], buffers: Buffers
) -> Item:
    """Return a call, or a future that failed since the call cannot be pickled."""
    future = CallFuture()
    if isinstance(function, Exception):
        future.set_exception(function)
        return Item(future, None)
    try:
        call, large = function.call(args, kwargs, buffers)
    except Exception as error:  # noqa: BLE001 - what the pickle of any object raises belongs to its future
        future.set_exception(error)
        return Item(future, None)
    item = Item(future, call, function.data)
    item.buffers = large
    return item


def _chunk(function: Function, calls: list[tuple[Any, ...]], buffers: Buffers) -> list[Item]:
    """Return calls as one task; each by itself where they cannot be pickled together."""
    if len(calls) == 1:
        return [_item(function, calls[0], {}, buffers)]
    try:
        call, large = function.chunk(calls, buffers)
    except Exception:  # noqa: BLE001 - what the pickle of any object raises belongs to its future
        return [_item(function, args, {}, buffers) for args in calls]
    item = Item(ChunkFuture([CallFuture() for _ in calls]), call, function.data)
    item.buffers = large
    return [item]


def _results(futures: list[CallFuture], give_up: float | None) -> Iterator[Any]:
    """Yield results in order, and drop each future, so that results are not kept; cancel the rest where one fails."""
    futures.reverse()
    try:
        while futures:
            left = None if give_up is None else give_up - time.monotonic()
            yield _result_or_cancel(futures.pop(), left)
    finally:
        for future in futures:
            future.cancel()


def _result_or_cancel(future: CallFuture, timeout: float | None) -> Any:
    try:
        try:
            return future.result(timeout)
        finally:
            future.cancel()
    finally:
        del future  # a traceback would keep it, and its result


def _new_name(folder: Path) -> str:
    stamp = datetime.datetime.now(datetime.UTC).astimezone().strftime("calls-%Y%m%d-%H%M%S")
    number = 1
    while True:
        name = f"{stamp}-{os.getpid()}" if number == 1 else f"{stamp}-{os.getpid()}-{number}"
        taken = any(one.name == name for one in list(_open) if one.settings.folder == folder)
        if not taken and not (folder / "runs" / name).exists():
            return name
        number += 1


# The end of the interpreter: calls that were made are finished first, as in `concurrent.futures`; after Ctrl-C they end.

_exiting = False


def _close_lanes(lanes: dict[str, LocalLane | SiteLane]) -> None:
    for lane in list(lanes.values()):
        lane.close()


def _finish_at_exit() -> None:
    global _exiting  # noqa: PLW0603 - the interpreter ends once
    _exiting = True
    interrupted = getattr(sys, "last_type", None) is KeyboardInterrupt
    for executor in list(_open):
        executor.close(wait=True, cancel=interrupted, stop=interrupted)


# Threads cannot be waited for by atexit, which runs after they were told to end.
threading._register_atexit(_finish_at_exit)  # type: ignore[attr-defined]  # noqa: SLF001 - as concurrent.futures does

__all__ = ["CallFuture", "Executor"]
