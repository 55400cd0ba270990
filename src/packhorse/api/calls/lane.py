"""The calls of an executor that run on this machine: a thread that gives them to a worker, and completes futures."""

from __future__ import annotations

import os
import selectors
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress

from packhorse.api.calls.futures import CallFuture, Item, settle
from packhorse.api.calls.values import CallLost
from packhorse.execution.calls.stream import CallStream
from packhorse.results.fold import Fold, to_ranges
from packhorse.rundata.progress import EndReason
from packhorse.rundir.calls import (
    CallLog,
    cancelled_calls,
    count_calls,
    keep_buffers,
    keep_function,
    note_cancelled,
    read_calls,
)
from packhorse.rundir.directory import RunDirectory

AHEAD_SECONDS = 0.5  # of work that the worker has ahead; the rest can still be cancelled
IDLE_SECONDS = 0.5  # between two looks at a worker that has reported nothing
IDLE_WAVES = 2  # workers that died without a new record, after which repeating will not help


class KnownCalls:
    """Calls that were made, by their keys, for equal calls of an executor that reuses results."""

    def __init__(self) -> None:
        self.futures: dict[str, CallFuture] = {}

    def add(self, key: str, future: CallFuture) -> None:
        """Remember a call that has a result."""
        self.futures[key] = future

    def takes(self, item: Item, *identity: str) -> bool:
        """Return whether an equal call was made, whose result becomes that of this one; else remember this one."""
        assert item.call is not None
        key = item.call.key(*identity)
        known = self.futures.get(key)
        if known is None or known.cancelled() or (known.done() and known.exception() is not None):
            self.futures[key] = item.future
            return False
        future = item.future
        if future.set_running_or_notify_cancel():
            future.locate(known.run, known.number)
            known.add_done_callback(lambda known: settle(future, known.result))
        return True


class LocalLane:
    """Calls with the same resources, which one worker of this machine makes."""

    def __init__(self, stream: Callable[[], CallStream], *, reuse: bool, keep: bool = True) -> None:
        self._make, self.reuse, self.keep = stream, reuse, keep
        self.inbox: deque[Item] = deque()
        self.waiting: deque[Item] = deque()  # written, not given to the worker
        self.given: dict[int, Item] = {}
        self.known = KnownCalls()
        self.functions: set[str] = set()
        self.cancelled: list[int] = []
        self.started = False
        self.closing = self.stopping = self.cancelling = self.failed = False
        self.read_end, self.write_end = os.pipe()
        os.set_blocking(self.write_end, False)
        self.done = self.idle = 0
        self.rate = 0.0  # calls a second
        self.began = 0.0
        self.stream: CallStream | None = None
        self.log: CallLog | None = None
        self.thread = threading.Thread(target=self._run, name="packhorse-calls", daemon=True)

    # From other threads

    def add(self, items: Iterable[Item]) -> None:
        """Take calls."""
        self.inbox.extend(items)
        self._begin()
        self.wake()

    def adopt(self, run: RunDirectory, items: list[Item]) -> None:  # noqa: ARG002 - the run is that of the lane
        """Take calls of an earlier session."""
        self.add(items)

    def _begin(self) -> None:
        if not self.started:
            self.started = True
            self.thread.start()

    def join(self) -> None:
        """Wait for the thread."""
        if self.started:
            self.thread.join()

    def wake(self) -> None:
        """Let the thread look at what is new."""
        with suppress(OSError):  # the pipe is full, so it will look, or closed, so it has ended
            os.write(self.write_end, b"\0")

    def close(self, *, cancel: bool = False, stop: bool = False) -> None:
        """Take no further call; with `cancel`, cancel those that have not begun, with `stop` end the others too."""
        self.cancelling = self.cancelling or cancel
        self.stopping = self.stopping or stop
        self.closing = True
        self.wake()

    # The thread

    def _run(self) -> None:
        try:
            self.stream = self._make()
            try:
                self._serve(self.stream)
            finally:
                if self.log is not None:
                    self.log.close()
                    self.stream.keep_plan(self.log.next, finally_=True)
                self.stream.close()
                if not self.keep:
                    shutil.rmtree(self.stream.run.path, ignore_errors=True)
        except BaseException as error:  # noqa: BLE001 - whatever it is, every future must end
            self._fail(error)
        finally:
            os.close(self.read_end)
            write_end, self.write_end = self.write_end, -1
            os.close(write_end)

    def _fail(self, error: BaseException) -> None:
        self.failed = True
        items = [*self.given.values(), *self.waiting]
        while self.inbox:
            items.append(self.inbox.popleft())
        for item in items:
            if not item.future.done() and (
                item.future.running() or item.future.set_running_or_notify_cancel()
            ):
                item.future.set_exception(error)

    def _serve(self, stream: CallStream) -> None:
        first = stream.total = count_calls(stream.run.path)
        fold = stream.prepare()
        self.log = CallLog(stream.run.path, first)
        self._remember(stream, fold, first)
        self._drain(stream)
        while True:
            if self.waiting and not stream.alive():
                stream.total = self.log.next
                stream.start(fold)
            self._feed(stream)
            if self.closing and not self.waiting and not self.given and not self.inbox:
                break
            self._wait(stream)
            self._drain(stream)
            self._complete(stream)
            stream.keep_plan(self.log.next)
            if stream.worker is not None and not stream.alive() and (self.given or self.waiting):
                fold = self._worker_ended(stream)
        stream.finish()

    def _remember(self, stream: CallStream, fold: Fold, calls: int) -> None:
        """Complete the futures of calls of earlier sessions, and remember their results for equal calls."""
        adopted = {item.number: item for item in self.inbox if item.number is not None}
        self.inbox = deque(item for item in self.inbox if item.number is None)
        if not adopted and not self.reuse:
            return
        earlier = read_calls(stream.run.path)
        cancelled = cancelled_calls(stream.run.path)
        for number in range(calls):
            call = earlier[number] if number < len(earlier) else None
            by_itself = call is not None and not call.chunk and call.of is None
            item = adopted.get(number)
            if item is None and not by_itself:
                continue
            item = item or Item(CallFuture(), call, number=number)
            future = item.future
            future.locate(stream.run.path, number)
            found = fold.record(number)
            if number in cancelled:
                future.cancel()
                future.set_running_or_notify_cancel()
            elif found is not None and found[1].outcome != "UNFINISHED":
                journal, record = found
                future.set_running_or_notify_cancel()
                self.inbox.extend(item.complete(record, journal.pack))
                if by_itself and journal.header is not None and record.outcome == "OK":
                    assert call is not None
                    self.known.add(call.key(journal.header.code, journal.header.environment), future)
            elif number in adopted:
                self.waiting.append(item)

    def _drain(self, stream: CallStream) -> None:
        """Write the calls that came."""
        assert self.log is not None
        while self.inbox:
            item = self.inbox.popleft()
            assert item.call is not None
            if self.cancelling:
                item.future.cancel()
            if self.reuse and not item.call.of and self.known.takes(item, *stream.identity):
                continue
            if item.data and item.call.function not in self.functions:
                self.functions.add(keep_function(stream.run.path, item.data))
            keep_buffers(stream.run.path, [(one.digest, one.data) for one in item.buffers])
            item.buffers = []
            item.number = self.log.add(item.call)
            item.future.locate(stream.run.path, item.number)
            item.call, item.data = None, b""
            self.waiting.append(item)
        self.log.flush()

    def _feed(self, stream: CallStream) -> None:
        """Give the worker calls, as many as it will make soon."""
        if not stream.alive():
            return
        if self.cancelling or self.stopping:
            for item in self.waiting:
                item.future.cancel()
        if self.stopping:
            stream.stop()
        numbers = self._begin_some(stream)
        for first, stop in to_ranges(numbers):
            stream.send(first, stop)
        if self.cancelled:
            note_cancelled(stream.run.path, self.cancelled)
            self.cancelled.clear()

    def _begin_some(self, stream: CallStream) -> list[int]:
        """Let calls begin that are not cancelled, and return their numbers."""
        room = max(2 * stream.slots, int(self.rate * AHEAD_SECONDS)) - len(self.given)
        numbers = []
        while self.waiting and (room > 0 or self.cancelling):
            item = self.waiting.popleft()
            assert item.number is not None
            if not item.future.running() and not item.future.set_running_or_notify_cancel():
                self.cancelled.append(item.number)
                continue
            if not self.given:
                self.began, self.done = time.monotonic(), 0
            self.given[item.number] = item
            numbers.append(item.number)
            room -= 1
        return numbers

    def _wait(self, stream: CallStream) -> None:
        if self.inbox:
            return
        with selectors.DefaultSelector() as selector:
            selector.register(self.read_end, selectors.EVENT_READ)
            if stream.worker is not None and stream.alive():
                selector.register(stream.descriptor(), selectors.EVENT_READ)
            for key, _ in selector.select(IDLE_SECONDS if self.given or self.waiting else 5.0):
                if key.fd == self.read_end:
                    os.read(self.read_end, 1 << 16)

    def _complete(self, stream: CallStream) -> None:
        if stream.worker is None:
            return
        for record, pack in stream.records():
            if record.outcome == "UNFINISHED":
                continue
            item = self.given.pop(record.index, None)
            if item is not None:
                self.done += 1
                self.inbox.extend(item.complete(record, pack))
        elapsed = time.monotonic() - self.began
        self.rate = self.done / elapsed if elapsed > 0 else 0.0

    def _worker_ended(self, stream: CallStream) -> Fold:
        """Begin again after the death of a worker, where that can help; else fail what is left."""
        self._complete(stream)
        assert stream.worker is not None
        stream.worker.close()
        stream.worker = None
        self.idle = self.idle + 1 if not self.done else 0
        if stream.end.how is not EndReason.DIED or self.idle >= IDLE_WAVES:
            cause = stream.end.cause or f"its worker ended: {stream.end.how}"
            self._fail(CallLost(f"{stream.run.path.name}: {cause}"))
            self.given.clear()
            self.waiting.clear()
        # Calls that were running in the dead worker are made again.
        self.done = 0
        self.waiting.extendleft(item for _, item in sorted(self.given.items(), reverse=True))
        self.given.clear()
        assert stream.context is not None
        return stream.context.fold(merged=False)
