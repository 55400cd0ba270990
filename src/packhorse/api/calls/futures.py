"""Futures of calls, and what lanes hold of a call until it is complete."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

from packhorse.api.calls.values import Buffer, CallRaised, outcomes_of, result_of
from packhorse.results.journal import Record
from packhorse.rundir.calls import Call


class CallFuture(Future[Any]):
    """The future of one call: `run` is its run directory and `number` the index of its task, once they are known."""

    run: Path | None = None
    number: int | None = None

    def locate(self, run: Path | None, number: int | None) -> None:
        """Note which task of which run it is."""
        self.run, self.number = run, number


class ChunkFuture(CallFuture):
    """The future of a chunk of calls, which completes those of its calls, `parts`."""

    def __init__(self, parts: list[CallFuture]) -> None:
        super().__init__()
        self.parts = parts

    def locate(self, run: Path | None, number: int | None) -> None:
        """Note which task the calls are."""
        super().locate(run, number)
        for part in self.parts:
            part.locate(run, number)

    def cancel(self) -> bool:
        """Cancel the calls, unless they have begun."""
        if not super().cancel():
            return False
        for part in self.parts:
            part.cancel()
        return True

    def set_running_or_notify_cancel(self) -> bool:
        """Begin, unless every call is cancelled; a chunk with others makes its cancelled calls too."""
        begun = [part.set_running_or_notify_cancel() for part in self.parts]
        if not any(begun):
            super().cancel()
        return super().set_running_or_notify_cancel()

    def running_parts(self) -> list[tuple[int, CallFuture]]:
        """Return the calls that have no outcome yet, each with its position."""
        return [(position, part) for position, part in enumerate(self.parts) if part.running()]

    def set_result(self, result: Any) -> None:
        """Complete each call with its result or exception."""
        super().set_result(None)
        for position, part in self.running_parts():
            outcome, result[position] = result[position], None
            if isinstance(outcome, CallRaised):
                part.set_exception(outcome.error)
            else:
                part.set_result(outcome)

    def set_exception(self, exception: BaseException | None) -> None:
        """Fail every call."""
        super().set_exception(exception)
        for _, part in self.running_parts():
            part.set_exception(exception)


class Item:
    """A future, its call, and what the call needs beside it; without a call, a call of an earlier session."""

    __slots__ = ("buffers", "call", "data", "function", "future", "number")

    def __init__(
        self,
        future: CallFuture,
        call: Call | None,
        data: bytes = b"",
        number: int | None = None,
        function: str = "",
    ) -> None:
        self.future, self.call, self.data, self.number = future, call, data, number
        self.buffers: list[Buffer] = []
        self.function = function or (call.function if call is not None else "")

    def complete(self, record: Record, pack: Path) -> list[Item]:
        """Complete the future from the final record; return the calls to make one by one, of a chunk that was lost."""
        future = self.future
        if not isinstance(future, ChunkFuture):
            settle(future, partial(result_of, record, pack, self.function))
            return []
        try:
            outcomes = outcomes_of(record, pack, self.function)
        except Exception as error:  # noqa: BLE001 - of a pickle of any library; the futures raise it
            future.set_exception(error)
            return []
        if outcomes is None:
            return self.split()
        future.set_result(outcomes)
        return []

    def split(self) -> list[Item]:
        """Return the calls of a chunk as calls by themselves."""
        assert isinstance(self.future, ChunkFuture)
        assert self.number is not None
        return [
            Item(part, Call(function=self.function, of=(self.number, position)))
            for position, part in self.future.running_parts()
        ]


def settle(future: Future[Any], value: Callable[[], Any]) -> None:
    """Complete a future with what `value` returns or raises."""
    try:
        result = value()
    except BaseException as error:  # noqa: BLE001 - the future raises it
        future.set_exception(error)
        return
    future.set_result(result)


def earlier_items(calls: list[Call | None]) -> tuple[list[CallFuture], list[Item]]:
    """Return the futures of the calls of a run, in order, and what completes them: tasks, or calls of lost chunks."""
    alone = {call.of: number for number, call in enumerate(calls) if call is not None and call.of is not None}
    lost = {chunk for chunk, _ in alone}
    futures: list[CallFuture] = []
    items: list[Item] = []
    for number, call in enumerate(calls):
        if call is not None and call.of is not None:
            continue
        parts = [CallFuture() for _ in range(call.chunk if call is not None and call.chunk else 1)]
        futures += parts
        if call is None or not call.chunk:
            items.append(Item(parts[0], None, number=number, function=call.function if call else ""))
        elif number not in lost:
            items.append(Item(ChunkFuture(parts), None, number=number, function=call.function))
        else:
            items += [
                _alone(part, call, number, at, alone.get((number, at))) for at, part in enumerate(parts)
            ]
    return futures, items


def _alone(part: CallFuture, chunk: Call, number: int, position: int, known: int | None) -> Item:
    if known is not None:
        return Item(part, None, number=known)
    return Item(part, Call(function=chunk.function, of=(number, position)))
