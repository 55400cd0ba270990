"""What a run keeps whose only job is a script of the user's own."""

from __future__ import annotations

import msgspec

from packhorse.model.script_job import ScriptJob
from packhorse.rundir.directory import RunDirectory
from packhorse.rundir.files import write_file

FILE = "job.json"


def script_job(run: RunDirectory) -> ScriptJob | None:
    """Return the job of a run, or None for a run of a study."""
    try:
        return msgspec.json.decode((run.path / FILE).read_bytes(), type=ScriptJob)
    except FileNotFoundError:
        return None


def save_script_job(run: RunDirectory, said: ScriptJob) -> None:
    """Write it down."""
    write_file(run.path / FILE, msgspec.json.format(msgspec.json.encode(said), indent=1))
