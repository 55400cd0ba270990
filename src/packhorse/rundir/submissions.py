"""What a run on a batch system keeps beside its waves: submissions, why it stopped, and job scripts."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import msgspec

from packhorse.model.submission import ClusterRun, Stopped, Submission
from packhorse.rundir.directory import RunDirectory
from packhorse.rundir.files import write_file


class Carrier(Protocol):
    """Brings what is written here to where the run lives."""

    def put(self, *names: str) -> None:
        """Send files of the run directory."""

    def drop(self, *names: str) -> None:
        """Remove files of the run directory there."""


class Submissions:
    """The submissions of one run. Reading never writes; what is written is handed to `carrier`, where there is one."""

    def __init__(self, run: RunDirectory, store: Carrier | None = None) -> None:
        self.run, self.store = run, store

    def _carry(self, *names: str) -> None:
        if self.store is not None:
            self.store.put(*names)

    def cluster(self) -> ClusterRun | None:
        """Return where the run's jobs are, or None for a run of this machine."""
        try:
            return msgspec.json.decode((self.run.path / "cluster.json").read_bytes(), type=ClusterRun)
        except FileNotFoundError:
            return None

    def keep_cluster(self, said: ClusterRun) -> None:
        """Write where the run's jobs are."""
        write_file(self.run.path / "cluster.json", msgspec.json.format(msgspec.json.encode(said), indent=1))

    def forget_cluster(self) -> None:
        """Forget the site: the run's next wave is this machine's."""
        (self.run.path / "cluster.json").unlink(missing_ok=True)

    def path(self, wave: int) -> Path:
        """Return where a wave's submission stands."""
        return self.run.path / "waves" / str(wave) / "submission.json"

    def of(self, wave: int) -> Submission | None:
        """Return a wave's submission, or None where it has none."""
        try:
            return msgspec.json.decode(self.path(wave).read_bytes(), type=Submission)
        except FileNotFoundError:
            return None

    def keep(self, submission: Submission) -> None:
        """Write a submission."""
        write_file(self.path(submission.wave), msgspec.json.encode(submission))
        self._carry(f"waves/{submission.wave}/submission.json")

    def latest(self) -> Submission | None:
        """Return the submission of the newest wave, if that wave was for a batch system."""
        waves = self.run.waves()
        return self.of(waves[-1]) if waves else None

    def stopped(self) -> Stopped | None:
        """Return why the continuation submitted nothing more, or None while it may."""
        try:
            return msgspec.json.decode((self.run.path / "stopped.json").read_bytes(), type=Stopped)
        except FileNotFoundError:
            return None

    def stopped_at(self) -> float:
        """Return when the continuation stopped, in Unix seconds; 0 while it may go on."""
        try:
            return (self.run.path / "stopped.json").stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def cancel(self) -> None:
        """Say that the user wants no further wave."""
        write_file(self.run.path / "cancelled", "")
        self._carry("cancelled")

    @property
    def cancelled(self) -> bool:
        """Whether the user wants no further wave."""
        return (self.run.path / "cancelled").exists()

    def go_on(self) -> None:
        """Take back what stopped an earlier call, since a new wave is wanted."""
        for name in ("cancelled", "stopped.json"):
            (self.run.path / name).unlink(missing_ok=True)
        if self.store is not None:
            self.store.drop("cancelled", "stopped.json")
