"""Make a study of one task from a script."""

from __future__ import annotations

import os
from pathlib import Path

from packhorse.execution.run_model import RunOptions
from packhorse.model.errors import UsageError
from packhorse.model.study import Environment
from packhorse.project.run_name import next_run, plain_name
from packhorse.project.source import Source, from_mapping
from packhorse.runtime.interpreter import resolve
from packhorse.runtime.programs import script_command


def run_script(
    script: str, arguments: tuple[str, ...], directory: Path | None, here: Path
) -> tuple[Source, RunOptions]:
    """Return the study of one task that runs a script with its arguments, and keeps every file that it writes.

    The snapshot is of the folder `here` where the script is below it, else of the script's own folder.
    """
    folder = here
    if not Path(script).exists():
        raise UsageError(
            f"no file {script}", "packhorse run SCRIPT ARGUMENTS..., or packhorse run study.yaml"
        )
    path = Path(script).resolve()
    if path.is_relative_to(folder):
        word = path.relative_to(folder).as_posix()
    else:
        folder, word = path.parent, path.name
    interpreter = resolve(Environment(), folder, env=os.environ)
    argv = script_command(word, interpreter, folder, env=os.environ)
    command = [word.replace("{", "{{").replace("}", "}}") for word in (*argv, *arguments)]
    source = from_mapping({"name": plain_name(path.stem), "command": command, "result": "auto"}, folder)
    run = directory or next_run(folder / "runs", plain_name(path.stem))
    return source, RunOptions(run=run, everything=True)
