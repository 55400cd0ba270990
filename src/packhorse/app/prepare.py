"""What a wave needs beside its tasks: the snapshot, the environment, the data, and their digests."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from packhorse.app.source import Source
from packhorse.model.plan import Identity
from packhorse.model.study import Study
from packhorse.run.code import SnapshotFile
from packhorse.run.environment import Interpreter

PYTHONS = ("python", "pypy")


class Prepared(Struct, frozen=True, kw_only=True):
    """The project as it is now."""

    files: tuple[SnapshotFile, ...]
    left_out: tuple[tuple[str, str], ...]
    interpreter: Interpreter
    argv: tuple[str, ...]
    environ: dict[str, str]
    unset: tuple[str, ...]
    search: tuple[str, ...]
    identity: Identity
    provenance: dict[str, Any]
    data: dict[str, Any]
    notes: tuple[str, ...]


def prepare(source: Source, exclude: Path, environ: Mapping[str, str] | None = None) -> Prepared:
    """Look at code, environment and data; nothing is written but caches."""
    from packhorse.record import provenance
    from packhorse.run.datafiles import data_digests
    from packhorse.run.environment import resolve
    from packhorse.run.imports import editable_folders, import_roots
    from packhorse.run.snapshot import list_files

    study, folder, root = source.study, source.folder, source.root
    base = dict(os.environ if environ is None else environ)
    interpreter = resolve(study.environment, folder, env=base)  # first, since uv may write its lock file
    barred = [exclude, *(folder / name for name in study.data)]
    listing = list_files(root, folder, code=study.code, include=study.include, exclude=barred)
    argv, note = _argv(study, interpreter, folder, base)
    environment = interpreter.environ(base)
    environment.update((name, value) for name, value in study.env.items() if value is not None)
    changed = {name: value for name, value in environment.items() if base.get(name) != value}
    data = data_digests(folder, study.data, cache_folder() / "data.json")
    relative = folder.relative_to(root).as_posix()
    languages = _languages(study, interpreter, argv)
    editable = editable_folders(interpreter.python, root) if languages.python else []
    told = provenance.collect(
        study, root, folder, languages=languages, env=environment, cache=cache_folder(), data=data
    )
    return Prepared(
        files=listing.files,
        left_out=listing.left_out,
        interpreter=interpreter,
        argv=argv,
        environ=changed,
        unset=tuple(sorted(set(base) - set(environment))),
        search=tuple(import_roots(listing.files, relative, editable)),
        identity=Identity(
            code=_code(source, listing.files), environment=told["environment"]["digest"], data=_digest(data)
        ),
        provenance=told,
        data=data,
        notes=tuple(one for one in (*interpreter.notes, note) if one),
    )


def _code(source: Source, files: Iterable[SnapshotFile]) -> str:
    from packhorse.run.code import code_digest

    result = msgspec.json.encode(source.study.result).decode()
    return code_digest(files, command=said_command(source.study), result=result, apart=_apart(source))


def code_files(source: Source, files: Iterable[SnapshotFile]) -> list[SnapshotFile]:
    """Return the files of a snapshot that its code digest counts."""
    from packhorse.run.code import counted

    return counted(files, said_command(source.study), _apart(source))


def _apart(source: Source) -> list[str]:
    """Return the files that say what is run: the study, and what its parameters were read from.

    More rows in them are growth, not a change of code. A file that the command itself names is read by tasks.
    """
    paths = [
        source.folder / name for name in source.sources if Path(name).name not in said_command(source.study)
    ]
    paths += [source.path] if source.path else []
    placed = [Path(os.path.normpath(path)) for path in paths]
    return [path.relative_to(source.root).as_posix() for path in placed if path.is_relative_to(source.root)]


def said_command(study: Study) -> str:
    """Return what a study runs, as text that its code digest counts."""
    return study.function or study.shell or "\0".join(study.command)


def cache_folder() -> Path:
    """Return the user's private cache, made when it is absent; a temporary one where there is no home."""
    base = os.environ.get("XDG_CACHE_HOME")
    place = Path(base) / "packhorse" if base else Path.home() / ".cache" / "packhorse"
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError:
        return Path(tempfile.mkdtemp(prefix="packhorse-"))
    return place


def _argv(
    study: Study, interpreter: Interpreter, folder: Path, env: Mapping[str, str]
) -> tuple[tuple[str, ...], str]:
    from packhorse.run.programs import resolve_command

    if study.function:
        return (interpreter.python,), ""
    if study.shell:
        return ("/bin/sh", "-c", study.shell), ""
    if "{" in study.command[0]:
        return study.command, ""  # a placeholder chooses the program: it is looked up for each task
    program = resolve_command(study.command, interpreter, folder, env=env)
    return program.argv, program.note


def _languages(study: Study, interpreter: Interpreter, argv: tuple[str, ...]) -> Any:
    from packhorse.record.provenance import Languages

    name = Path(argv[0]).name
    if study.function or name.startswith(PYTHONS):
        return Languages(python=interpreter.python if study.function else argv[0])
    if study.shell:
        # A shell line may start anything: Python and R take part where it names them.
        found = {}
        if "python" in study.shell:
            found["python"] = interpreter.python
        return Languages(program="/bin/sh", **found)
    if name in ("Rscript", "R"):
        return Languages(rscript=argv[0])
    return Languages(program=argv[0] if argv[0].startswith("/") else "")


def _digest(value: Any) -> str:
    if not value:
        return ""
    kept = {name: about["sha256"] for name, about in value.items()}
    return hashlib.sha256(msgspec.json.encode(kept, order="sorted")).hexdigest()[:16]
