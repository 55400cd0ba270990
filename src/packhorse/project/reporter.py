"""The reporter: receives messages and progress of a use case."""

from __future__ import annotations

from msgspec import Struct


class Progress(Struct, frozen=True, kw_only=True):
    """Finished tasks of a run; `started_with` were finished before this call, which has worked for `seconds`."""

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
        """Seconds left at this rate; None where the rate is unknown."""
        missing = self.total - self.done - self.failed
        return missing / self.rate if self.rate > 0 else None


class Reporter:
    """Receives messages and progress, and ignores them; subclasses show them."""

    def say(self, text: str) -> None:
        """Receive a message for the user."""

    def warn(self, text: str) -> None:
        """Receive a message that the user should act on."""

    def progress(self, progress: Progress) -> None:
        """Receive the progress of a run, a few times a second."""

    def output(self, data: bytes, *, error: bool) -> None:
        """Receive what a script prints that was run once."""

    def finished(self) -> None:
        """Receive the end of progress for now."""
