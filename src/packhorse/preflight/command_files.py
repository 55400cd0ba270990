"""Check, before anything runs, that the scripts which a command names are there and that each parameter is used."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath

from packhorse.model.errors import RunError
from packhorse.model.study import Study
from packhorse.project.source import Source
from packhorse.snapshot.code import SnapshotFile
from packhorse.study.discover.job_script import script_calls

SUFFIXES = {".py", ".r", ".jl", ".pl", ".sh", ".bash"}
MOST_SCRIPTS, LARGEST_SCRIPT = 100, 200_000  # number and bytes of the files in which a use is looked for
SHOWN = 3  # names that are like a missing one
_INTERPRETER = re.compile(r"(?:python[\d.]*|rscript|julia|perl|bash|sh)$", re.IGNORECASE)
_CODE_FOLLOWS = ("-c", "-m", "-e", "-")


def check_command(source: Source, files: Sequence[SnapshotFile]) -> tuple[str, ...]:
    """Return notes on unused parameters; raise RunError where a script that the command names does not exist."""
    study = source.study
    scripts = [named_script(study.command)] if study.command else []
    if study.shell and not re.search(r"(?:^|[;&|\s])(?:cd|pushd)\s", study.shell):
        scripts = [call.script for call in script_calls(study.shell)]
    for script in scripts:
        if script and not Path(script).is_absolute() and not (source.start / script).exists():
            raise RunError(
                f"{script}, which the command names, does not exist", _nearest(script, source, files)
            )
    return tuple(_unused(study, files)) if any(scripts) else ()


def named_script(command: Sequence[str]) -> str:
    """Return the script that an interpreter in a command runs; empty where it is not known before the task."""
    if not command or not _INTERPRETER.fullmatch(PurePath(command[0]).name):
        return ""
    for word in command[1:]:
        if word in _CODE_FOLLOWS:
            return ""
        if not word.startswith("-"):
            return word if PurePath(word).suffix.lower() in SUFFIXES and "{" not in word else ""
    return ""


def missing_scripts(text: str, folder: Path) -> list[str]:
    """Return a sentence for each script that shell lines run and that a folder lacks; after a cd nothing is known."""
    if re.search(r"^\s*(?:cd|pushd)\s", text, re.MULTILINE):
        return []
    missing = [
        call.script
        for call in script_calls(text)
        if not Path(call.script).is_absolute() and not (folder / call.script).exists()
    ]
    names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
    return [f"{script} does not exist in {folder}{_like(script, names)}" for script in dict.fromkeys(missing)]


def _nearest(script: str, source: Source, files: Sequence[SnapshotFile]) -> str:
    """Return where a script may be: elsewhere in the project, or by a name that is like it."""
    start = source.start.relative_to(source.root).as_posix()
    paths = [os.path.relpath(file.path, start) for file in files]
    elsewhere = [path for path in paths if PurePath(path).name == PurePath(script).name]
    if elsewhere:
        return f"write its path from {source.start}, where tasks start: {elsewhere[0]}"
    return f"tasks start in {source.start}{_like(script, paths)}"


def _like(script: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(script, list(names), n=SHOWN, cutoff=0.5)
    return f"; nearest names: {', '.join(near)}" if near else ""


def _unused(study: Study, files: Sequence[SnapshotFile]) -> list[str]:
    """Return a note on each parameter that no placeholder has, where no file of the project reads parameters itself."""
    # The index of a resample is there to give each task a seed, and a chunk has three names of which one may be enough.
    factors = [factor for factor in study.factors if not factor.resample and not factor.chunks]
    names = [name for factor in factors for name in factor.names]
    result = study.result
    templates = [
        *study.command,
        study.shell,
        result.file,
        *(one.file for one in result.more),
        *result.convert,
    ]
    text = " ".join(templates)
    index = study.index_variable.parameter if study.index_variable else ""
    unused = [name for name in names if name != index and not _is_in(name, text)]
    if not unused or "{params" in text or reads_packhorse(files):
        return []
    return [
        f"the parameter '{name}' is not used: write {{{name}}} in the command, or let the script read it (packhorse.task)"
        for name in unused
    ]


def _is_in(name: str, text: str) -> bool:
    spellings = "|".join(re.escape(one) for one in {name, name.replace("_", "-")})
    return bool(re.search(rf"\{{-*(?:{spellings})(?:\}}|:|\.\.\.)", text))


def reads_packhorse(files: Sequence[SnapshotFile]) -> bool:
    """Return whether a file of the project mentions Packhorse, or too many or too large files were not searched."""
    scripts = [
        file for file in files if file.kind == "file" and PurePath(file.path).suffix.lower() in SUFFIXES
    ]
    if len(scripts) > MOST_SCRIPTS or any(file.size > LARGEST_SCRIPT for file in scripts):
        return True
    return any(b"packhorse" in Path(file.source).read_bytes().lower() for file in scripts)
