"""List the runs below a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from packhorse.app.inspect.status import RunStatus, ScriptJobStatus, status
from packhorse.model.errors import RunError
from packhorse.model.json_output import JsonOutput
from packhorse.rundir.directory import list_runs


class UnreadableRun(JsonOutput, frozen=True, kw_only=True, tag="packhorse-unreadable-run/1"):
    """A run whose files cannot be read."""

    run: Annotated[str, Meta(description="Path of the run directory.")]
    name: Annotated[str, Meta(description="The directory's name.")]
    state: Annotated[str, Meta(description="Always unreadable.")] = "unreadable"
    why: Annotated[str, Meta(description="The error.")]


class Runs(JsonOutput, frozen=True, kw_only=True, tag="packhorse-runs/1"):
    """The runs below a folder."""

    runs: Annotated[
        tuple[RunStatus | ScriptJobStatus | UnreadableRun, ...],
        Meta(description="The state of each run, the newest first."),
    ]


def runs(where: Path) -> Runs:
    """Return the state of all runs below a folder, the newest first."""
    found: list[RunStatus | ScriptJobStatus | UnreadableRun] = []
    for run in list_runs(where):
        try:
            found.append(status(where, str(run.path)))
        except (RunError, msgspec.MsgspecError, OSError) as error:
            found.append(UnreadableRun(run=str(run.path), name=run.path.name, why=str(error)))
    return Runs(runs=tuple(found))
