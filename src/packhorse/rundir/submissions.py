"""Files of a run directory that describe its jobs on a batch system."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import msgspec

from packhorse.model.job import Ended
from packhorse.model.script_job import ScriptJob
from packhorse.model.submission import ClusterRun, StopRecord, Submission
from packhorse.rundir.directory import RunDirectory
from packhorse.rundir.files import write_file

JOB_FILE = "job.json"


class FileStore(Protocol):
    """Copies files of a local run directory to the site that the run lives on."""

    def upload(self, *names: str) -> None:
        """Upload files, named relative to the run directory."""

    def delete(self, *names: str) -> None:
        """Remove files from the run directory on the site."""


class Submissions:
    """The submissions of one run. Reading never writes; written files are also uploaded to `store`, if there is one."""

    def __init__(self, run: RunDirectory, store: FileStore | None = None) -> None:
        self.run, self.store = run, store

    def cluster(self) -> ClusterRun | None:
        """Return the site of the run's jobs, or None for a run on this machine."""
        try:
            return msgspec.json.decode((self.run.path / "cluster.json").read_bytes(), type=ClusterRun)
        except FileNotFoundError:
            return None

    def save_cluster(self, cluster: ClusterRun) -> None:
        """Write the site of the run's jobs."""
        text = msgspec.json.format(msgspec.json.encode(cluster), indent=1)
        write_file(self.run.path / "cluster.json", text)

    def remove_cluster(self) -> None:
        """Remove the site, so that the next wave runs on this machine."""
        (self.run.path / "cluster.json").unlink(missing_ok=True)

    def path(self, wave: int) -> Path:
        """Return the path of a wave's submission."""
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
        self._upload(f"waves/{submission.wave}/submission.json")

    def accounting(self, wave: int) -> tuple[Ended, ...]:
        """Return how the jobs of a wave ended by the scheduler's accounting, as far as it was asked."""
        try:
            content = self._accounting(wave).read_bytes()
            return msgspec.json.decode(content, type=tuple[Ended, ...])
        except FileNotFoundError:
            return ()

    def keep_accounting(self, wave: int, ended: tuple[Ended, ...]) -> None:
        """Write how the jobs of a wave ended, in this copy of the run directory."""
        write_file(self._accounting(wave), msgspec.json.encode(ended))

    def _accounting(self, wave: int) -> Path:
        return self.run.path / "waves" / str(wave) / "accounting.json"

    def latest(self) -> Submission | None:
        """Return the submission of the newest wave, or None where that wave ran on this machine."""
        waves = self.run.waves()
        return self.of(waves[-1]) if waves else None

    def stopped(self) -> StopRecord | None:
        """Return the reason why the continuation stopped submitting, or None while it has not stopped."""
        try:
            return msgspec.json.decode((self.run.path / "stopped.json").read_bytes(), type=StopRecord)
        except FileNotFoundError:
            return None

    def stopped_at(self) -> float:
        """Return when the continuation stopped, in Unix seconds; 0 while it has not."""
        try:
            return (self.run.path / "stopped.json").stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def cancel(self) -> None:
        """Record that the user cancelled the run: the continuation submits no further wave."""
        write_file(self.run.path / "cancelled", "")
        self._upload("cancelled")

    @property
    def cancelled(self) -> bool:
        """Whether the user cancelled the run."""
        return (self.run.path / "cancelled").exists()

    def go_on(self) -> None:
        """Remove the marks of a cancelled or stopped run, so that a new wave can be submitted."""
        for name in ("cancelled", "stopped.json"):
            (self.run.path / name).unlink(missing_ok=True)
        if self.store is not None:
            self.store.delete("cancelled", "stopped.json")

    def _upload(self, *names: str) -> None:
        if self.store is not None:
            self.store.upload(*names)


def read_script_job(run: RunDirectory) -> ScriptJob | None:
    """Return the job of a run whose only job is a user's own script, or None for a run of a study."""
    try:
        return msgspec.json.decode((run.path / JOB_FILE).read_bytes(), type=ScriptJob)
    except FileNotFoundError:
        return None


def save_script_job(run: RunDirectory, job: ScriptJob) -> None:
    """Write the job of a run whose only job is a user's own script."""
    write_file(run.path / JOB_FILE, msgspec.json.format(msgspec.json.encode(job), indent=1))
