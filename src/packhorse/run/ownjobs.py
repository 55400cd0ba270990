"""What a run keeps whose only job is a script of the user's own."""

from __future__ import annotations

import msgspec

from packhorse.model.ownjob import OwnJob
from packhorse.run.directory import RunDirectory
from packhorse.run.files import write

FILE = "job.json"


def own_job(run: RunDirectory) -> OwnJob | None:
    """Return the job of a run, or None for a run of a study."""
    try:
        return msgspec.json.decode((run.path / FILE).read_bytes(), type=OwnJob)
    except FileNotFoundError:
        return None


def keep_job(run: RunDirectory, said: OwnJob) -> None:
    """Write it down."""
    write(run.path / FILE, msgspec.json.format(msgspec.json.encode(said), indent=1))
