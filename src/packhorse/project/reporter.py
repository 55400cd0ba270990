"""The reporter: receives messages and progress of a use case."""

from __future__ import annotations

from msgspec import Struct


class Progress(Struct, frozen=True, kw_only=True):
    """How far a run is; `seconds` is the time since this call began to work."""

    total: int
    done: int
    failed: int
    started_with: int
    seconds: float

    @property
    def rate(self) -> float:
        """Tasks a second since this call began."""
        return (self.done + self.failed - self.started_with) / self.seconds if self.seconds > 0 else 0.0

    @property
    def left(self) -> float | None:
        """Seconds left at this rate, or None where nothing is known."""
        missing = self.total - self.done - self.failed
        return missing / self.rate if self.rate > 0 else None


class Reporter:
    """Listens and does nothing; the command line's watcher prints."""

    def say(self, text: str) -> None:
        """Take a sentence for the user."""

    def warn(self, text: str) -> None:
        """Take a sentence that the user should act on."""

    def progress(self, progress: Progress) -> None:
        """Take how far the run is, a few times a second."""

    def output(self, data: bytes, *, error: bool) -> None:
        """Take what a single script prints."""

    def finished(self) -> None:
        """Learn that no more progress comes for now."""
