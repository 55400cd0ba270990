"""Runs without a study file: a script once, or one line of the shell over parameters."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from packhorse.app.run import Options
from packhorse.app.source import Source, from_mapping
from packhorse.model.errors import UsageError
from packhorse.model.study import Environment


def run_script(
    script: str, arguments: tuple[str, ...], directory: Path | None, here: Path
) -> tuple[Source, Options]:
    """Return the study of one task that runs a script with its arguments, and keeps all it writes.

    The script sees the folder `here`, if it lies in it, else its own.
    """
    from packhorse.run.environment import resolve
    from packhorse.run.programs import script_command

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
    command = [one.replace("{", "{{").replace("}", "}}") for one in (*argv, *arguments)]
    source = from_mapping({"name": plain_name(path.stem), "command": command, "result": "auto"}, folder)
    run = directory or next_run(folder / "runs", plain_name(path.stem))
    return source, Options(run=run, everything=True)


def map_source(
    template: str, assignments: tuple[str, ...], save: Path | None, keys: dict[str, Any], here: Path
) -> Source:
    """Return the study of a `map` line; write it to a file where the user wants to keep it."""
    from packhorse.study.write import map_study

    said = map_study(template, assignments, **keys)
    if save is None:
        said.setdefault("name", plain_name(_script_of(template)))
        return from_mapping(said, here)
    from packhorse.app.source import from_file
    from packhorse.study.write import study_text

    if save.exists():
        raise UsageError(f"{save} exists", "choose another name with --save, or: packhorse run " + str(save))
    save.write_text(study_text(said), encoding="utf-8")
    return from_file(save)


def _script_of(template: str) -> str:
    words = [word for word in template.split() if re.search(r"\.\w+$", word) and "{" not in word]
    return (
        Path(words[0]).stem
        if words
        else Path(template.split(maxsplit=1)[0]).name
        if template.split()
        else "map"
    )


def plain_name(stem: str) -> str:
    """Return a word that can name a run's folder."""
    return re.sub(r"[^\w.-]+", "-", stem).strip("-.") or "script"


def next_run(runs: Path, name: str) -> Path:
    """Return a new run directory: a script that is run again is another run."""
    number = 1
    while (runs / f"{name}-{number}").exists():
        number += 1
    return runs / f"{name}-{number}"
