"""Follow the output of a running task."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from packhorse.app.inspect.status import status
from packhorse.model.errors import RunError, UsageError
from packhorse.project.task_filter import one_task
from packhorse.remote.file_tail import OutputFile, read_new
from packhorse.remote.open_store import open_store
from packhorse.remote.run_store import RunStore
from packhorse.rundata.outcomes import Outcomes, latest_outcomes
from packhorse.rundata.task_log import printed
from packhorse.rundir.directory import find_run
from packhorse.worker.slots.live_output import FOLDER

POLL_SECONDS = 0.5  # on this file system
RENEW_SECONDS = 30.0
RECORD_SECONDS = 5.0  # between two looks whether the task has ended, while it prints
STDERR = "-- stderr --"
ENDED = ("done", "incomplete", "cancelled", "lost", "empty")  # states of a run in which no task is running


def follow_task(
    where: Path,
    name: str | None,
    task: int | None,
    conditions: Sequence[str],
    show: Callable[[str], None],
    note: Callable[[str], None],
) -> None:
    """Show what one task prints until it has ended; `note` tells of the task itself.

    Raises UsageError where several tasks are meant, RunError where the run ends without this task.
    """
    run = find_run(where, name)
    store = open_store(run)
    with store.open():
        store.fetch_records()
        outcomes = latest_outcomes(run)
        if task is None and not conditions and outcomes.space.size > 1:
            raise UsageError(
                f"--follow shows one task, and the run has {outcomes.space.size:,}",
                f"packhorse logs {shlex.quote(run.path.name)} --task 0 --follow",
            )
        index = one_task(outcomes.space, task, conditions)
        if _ended(outcomes, index):
            _show_rest(outcomes, index, {}, show, note)
            return
        followed = FollowedTask(store, index)
        try:
            followed.follow(show, note)
        finally:
            followed.close()


class FollowedTask:
    """A task whose output its worker copies for us."""

    def __init__(self, store: RunStore, index: int) -> None:
        self.store, self.index = store, index
        self.files = {
            suffix: OutputFile(path=f"{store.path}/{FOLDER}/{index}{suffix}", errors=suffix == ".err")
            for suffix in (".out", ".err")
        }
        self.shown = {".out": "", ".err": ""}
        # What an earlier follower left is not ours: the worker copies from the beginning of the task.
        self.offsets = dict.fromkeys(self.files, 0)
        self.renewed = self.looked = 0.0
        self.look_seconds = 0.0  # that the last look at the journals took

    def follow(self, show: Callable[[str], None], note: Callable[[str], None]) -> None:
        """Show new output until the task has ended."""
        waiting = False
        if not (
            self.store.run.path / FOLDER / str(self.index)
        ).exists():  # else another command follows it, too
            self._remove_copies()
        while True:
            self._renew()
            new = self._show_new(show)
            pause = max(RECORD_SECONDS if new else POLL_SECONDS, 4 * self.look_seconds)
            if time.monotonic() - self.looked > pause:
                began = time.monotonic()
                self.store.fetch_records()
                outcomes = latest_outcomes(self.store.run)
                self.looked, self.look_seconds = time.monotonic(), time.monotonic() - began
                if _ended(outcomes, self.index):
                    self._show_new(show)
                    _show_rest(outcomes, self.index, self.shown, show, note)
                    return
                if not new:
                    waiting = self._check_run(note, waiting=waiting)
            time.sleep(self.store.transport.file_poll if self.store.remote_folder else POLL_SECONDS)

    def _check_run(self, note: Callable[[str], None], *, waiting: bool) -> bool:
        """Say once that the task prints nothing yet; raise RunError where the run is over."""
        if any(self.shown.values()):
            return waiting
        run = self.store.run
        state = status(run.path, str(run.path)).state
        if state in ENDED and not _ended(latest_outcomes(run), self.index):
            raise RunError(
                f"task {self.index} is not running: the run is {state}",
                f"packhorse status {shlex.quote(run.path.name)}",
            )
        if not waiting:
            note(f"task {self.index} has printed nothing yet; waiting")
        return True

    def _show_new(self, show: Callable[[str], None]) -> bool:
        new = False
        for suffix, file in self.files.items():
            text, self.offsets[suffix] = read_new(self.store.transport, file, self.offsets[suffix])
            if text:
                show(text)
                self.shown[suffix] += text
                new = True
        return new

    def _renew(self) -> None:
        """Write the request, and again before the worker takes it for forgotten."""
        if self.renewed and time.monotonic() - self.renewed < RENEW_SECONDS:
            return
        self.renewed = time.monotonic()
        path = self.store.run.path / FOLDER / str(self.index)
        path.parent.mkdir(exist_ok=True)
        path.write_text(str(time.time()))
        self.store.upload(f"{FOLDER}/{self.index}")

    def _remove_copies(self) -> None:
        names = [f"{FOLDER}/{self.index}{suffix}" for suffix in self.files]
        self.store.delete(*names)
        for name in names:
            (self.store.run.path / name).unlink(missing_ok=True)

    def close(self) -> None:
        """End the request and remove the copies."""
        (self.store.run.path / FOLDER / str(self.index)).unlink(missing_ok=True)
        self.store.delete(f"{FOLDER}/{self.index}")
        self._remove_copies()


def _ended(outcomes: Outcomes, index: int) -> bool:
    return outcomes.fold.record(index) is not None


def _show_rest(
    outcomes: Outcomes,
    index: int,
    shown: dict[str, str],
    show: Callable[[str], None],
    note: Callable[[str], None],
) -> None:
    """Show what the log of an ended task has beside what was shown, and its outcome."""
    found = outcomes.fold.record(index)
    assert found is not None
    text = printed(outcomes.run, *found)
    _, _, text = text.partition("\n")  # the title line
    out, mark, err = text.partition(f"{STDERR}\n")
    for suffix, whole in ((".out", out), (".err", err if mark else "")):
        before = shown.get(suffix, "")
        # The log leaves out the last line, where that was the result.
        if not before.startswith(whole.rstrip("\n")):
            show(whole.removeprefix(before))
    note(f"task {index} has ended: {outcomes.fold.state(index)}")
