"""Read what a wave needs beside its tasks: snapshot, environment and data, with their digests."""

from __future__ import annotations

import hashlib
import os
import posixpath
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from packhorse.environments.local import LocalTaskEnvironment
from packhorse.environments.task_environment import TaskEnvironment
from packhorse.model.errors import SnapshotError
from packhorse.model.plan import Identity
from packhorse.model.space import ParameterSpace, text
from packhorse.model.study import Study
from packhorse.preflight.changed_code import ProjectNow
from packhorse.project.cache_dir import cache_dir
from packhorse.project.source import Source
from packhorse.runtime.interpreter import Interpreter
from packhorse.snapshot.code import SnapshotFile, code_digest, code_files
from packhorse.snapshot.data_files import data_digests
from packhorse.snapshot.import_roots import import_roots
from packhorse.snapshot.root_marks import root_marks
from packhorse.snapshot.snapshot import list_files
from packhorse.worker.tasks.environment import LONGEST


class Prepared(Struct, frozen=True, kw_only=True):
    """Snapshot, environment and data of a project, as they are now."""

    files: tuple[SnapshotFile, ...]
    marks: tuple[SnapshotFile, ...]  # of the project's root, for the working copies
    left_out: tuple[tuple[str, str], ...]
    interpreter: Interpreter
    argv: tuple[str, ...]
    environ: dict[str, str]
    path: tuple[str, ...]  # folders to put first on the PATH that tasks inherit, beside `environ`
    unset: tuple[str, ...]
    search: tuple[str, ...]
    identity: Identity
    provenance: dict[str, Any]
    data: dict[str, Any]
    notes: tuple[str, ...]


def prepare(source: Source, exclude: Path, environment: TaskEnvironment | None = None) -> Prepared:
    """Read code, environment and data of a project; only caches are written.

    `exclude` is the run directory; `environment` that of the tasks (default: this machine's).
    """
    study, folder, root = source.study, source.folder, source.root
    check_places(source)
    around = environment or LocalTaskEnvironment(source)
    barred = [exclude, *(folder / name for name in study.data), *_own_outputs(root)]
    listing = list_files(root, folder, code=study.code, include=study.include, exclude=barred)
    argv, note = _argv(study, around)
    data = data_digests(folder, study.data, cache_dir() / "data.json", inputs=study.inputs)
    relative = folder.relative_to(root).as_posix()
    provenance = around.provenance(argv, data)
    return Prepared(
        files=listing.files,
        marks=root_marks(root, folder, listing.files, provenance["git"]),
        left_out=listing.left_out,
        interpreter=around.interpreter,
        argv=argv,
        environ=around.changed(),
        path=around.path,
        unset=around.unset(),
        search=tuple(import_roots(listing.files, relative, around.editable(argv))),
        identity=Identity(
            code=_code(source, listing.files),
            environment=provenance["environment"]["digest"],
            data=_digest(data),
        ),
        provenance=provenance,
        data=data,
        notes=tuple(one for one in (*around.interpreter.notes, *around.notes, note, _too_long(study)) if one),
    )


def _too_long(study: Study) -> str:
    """Return a note on parameters that are too long for environment variables, empty if there are none."""
    lengths: dict[str, int] = {}
    for factor in study.factors:
        for number, name in enumerate(factor.names):
            values = (row[number] for row in factor.levels or ())
            long = (len(text(value).encode()) for value in values if isinstance(value, str | list))
            lengths[name] = max(long, default=20)
    if sum(lengths.values()) < LONGEST // 2:
        return ""
    total, names = 0, []
    for name in sorted(lengths, key=lambda name: lengths[name]):
        total += lengths[name] + len(f"PACKHORSE_PARAM_{name}=") + 1
        names += [f"PACKHORSE_PARAM_{name}"] if total > LONGEST else []
    shown = ", ".join(["PACKHORSE_TASK", *names])
    return (
        f"values of more than {LONGEST // 1024} KiB are too long for environment variables, so tasks with such values"
        f" have no {shown}; packhorse.task, packhorse.R and {{params.json}} give every value"
        if total > LONGEST
        else ""
    )


def check_places(source: Source) -> None:
    """Raise SnapshotError where a path of the study leads out of the project, or its directory does not exist."""
    study = source.study
    place = source.folder.relative_to(source.root).as_posix()
    result = [file for file in (study.result.file, *(one.file for one in study.result.more)) if file]
    for key, paths in (("directory", [study.directory]), ("result", result), ("artifacts", study.artifacts)):
        for path in paths:
            joined = posixpath.normpath(posixpath.join(place, path))
            if joined == ".." or joined.startswith(("../", "/")):
                raise SnapshotError(
                    f"{key}: {path} leads out of the project {source.root}, of which tasks have a copy",
                    "name a place in the project; the root of a project without git is the study's folder,"
                    " so put the study there, or: git init",
                )
    if not source.start.is_dir():
        raise SnapshotError(
            f"directory: {study.directory} does not exist",
            f"make it: mkdir -p {shlex.quote(str(source.start))}",
        )


def _code(source: Source, files: Iterable[SnapshotFile]) -> str:
    result = msgspec.json.encode(source.study.result).decode()
    return code_digest(files, command=command_text(source.study), result=result, apart=_apart(source))


def project_code_files(source: Source, files: Iterable[SnapshotFile]) -> list[SnapshotFile]:
    """Return the files of a snapshot that its code digest counts."""
    return code_files(files, command_text(source.study), _apart(source))


def project_now(source: Source, space: ParameterSpace, prepared: Prepared) -> ProjectNow:
    """Return what a run compares its finished tasks with."""
    return ProjectNow(
        study=source.study,
        space=space,
        folder=source.folder.relative_to(source.root).as_posix(),
        files=prepared.files,
        code=project_code_files(source, prepared.files),
        command=command_text(source.study),
        identity=prepared.identity,
    )


def _apart(source: Source) -> list[str]:
    """Return the files that define what runs: the study, and the files its parameters were read from.

    More rows in them are growth, not a change of code. A file named in the command is read by tasks, so it is code.
    """
    paths = [
        source.folder / name for name in source.sources if Path(name).name not in command_text(source.study)
    ]
    paths += [source.path] if source.path else []
    placed = [Path(os.path.normpath(path)) for path in paths]
    return [path.relative_to(source.root).as_posix() for path in placed if path.is_relative_to(source.root)]


def command_text(study: Study) -> str:
    """Return what a study runs as text, for its code digest."""
    text = study.function or study.shell or "\0".join(study.command)
    return f"{text}\0directory: {study.directory}" if study.directory else text


def _argv(study: Study, around: TaskEnvironment) -> tuple[tuple[str, ...], str]:
    if study.function:
        return (around.interpreter.python,), ""
    if study.shell:
        return ("/bin/sh", "-c", study.shell), ""
    if "{" in study.command[0]:
        return study.command, ""  # a placeholder chooses the program: it is looked up for each task
    program = around.program(study.command)
    return program.argv, program.note


def _digest(value: Any) -> str:
    if not value:
        return ""
    digests = {name: facts["sha256"] for name, facts in value.items()}
    return hashlib.sha256(msgspec.json.encode(digests, order="sorted")).hexdigest()[:16]


def _own_outputs(root: Path) -> list[Path]:
    """Return the files below `root` to which this command's own output goes, as with `> log.txt`."""
    found = []
    for descriptor in (1, 2):
        try:
            path = Path(f"/proc/self/fd/{descriptor}").readlink()
            if path.is_relative_to(root) and path.is_file():
                found.append(path)
        except OSError:
            continue  # no /proc, or a file in a folder of another user, who has redirected our output
    return found
