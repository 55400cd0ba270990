"""Whether the script of a study sets its own seeds, so that those which Packhorse computes are not what it used."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from packhorse.model.study import Study
from packhorse.preflight.command_files import named_script, reads_packhorse
from packhorse.snapshot.code import SnapshotFile
from packhorse.study.discover.job_script import script_calls
from packhorse.study.discover.seeding import seed_calls

_SEED = re.compile(r"\{seed(?:32)?\b|\{params|PACKHORSE_")


def sets_own_seeds(study: Study, start: str, files: Sequence[SnapshotFile]) -> bool:
    """Return whether the script of a command calls a function that sets a seed, and nothing passes it one of ours.

    `start` is the folder in which tasks start, below the root of the snapshot. False where that is not sure.
    """
    templates = [*study.command, study.shell, *study.env.values()]
    if study.function or _SEED.search(" ".join(map(str, templates))) or reads_packhorse(files):
        return False
    named = (
        [call.script for call in script_calls(study.shell)] if study.shell else [named_script(study.command)]
    )
    places = {os.path.normpath(f"{start}/{script}") for script in named if script}
    return any(
        bool(seed_calls(Path(file.source).read_text("utf-8", "replace")))
        for file in files
        if file.path in places and file.kind == "file"
    )
