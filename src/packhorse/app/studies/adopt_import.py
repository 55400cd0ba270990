"""Take in results that tasks of an adopted script have written already, so that only the missing ones run."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from packhorse.adopt.finished import FinishedFile, differs, error_text, repeated, suspicious, template_of
from packhorse.app.studies.adopt_trial import rows_of_file
from packhorse.app.studies.combining_script import result_path
from packhorse.execution.next_wave import start_wave, write_wave
from packhorse.execution.run_context import RunContext, open_run, prepare_run, write_run_files
from packhorse.execution.run_model import PendingTasks, RunOptions
from packhorse.execution.target import LocalTarget
from packhorse.model.errors import UsageError
from packhorse.model.space import ParameterSpace
from packhorse.project.reporter import Reporter
from packhorse.project.source import Source
from packhorse.results.fold import to_ranges
from packhorse.results.formats.rows import UnreadableError
from packhorse.rundir.files import write_file
from packhorse.rundir.lock import RunLock
from packhorse.text.amounts import counted
from packhorse.worker.journal import Journal, journal_header, journal_name
from packhorse.worker.results.complete import is_complete
from packhorse.worker.results.result import ResultFiles
from packhorse.worker.results.suffixes import suffix_format
from packhorse.worker.work_file import read_work_file

SHOWN = 5


class Imported(Struct, frozen=True, kw_only=True):
    """How many tasks were taken in, of how many, and sentences on the others."""

    taken: int
    tasks: int
    notes: tuple[str, ...]
    files: tuple[FinishedFile, ...] = ()


def result_template(pattern: str, space: ParameterSpace, folder: Path) -> str:
    """Return the result of a study whose files match a pattern. Raises UsageError where no parameter fits."""
    found = {str(path.relative_to(folder)) for path in folder.glob(pattern)}
    columns = {name: [space.texts(at)[name] for at in range(space.size)] for name in space.names}
    template = template_of(str(Path(pattern)), columns, found)
    if not template:
        raise UsageError(
            f"no file matches {pattern} with the value of a parameter in place of *",
            f"write the parameter: --results 'out/{{{next(iter(space.names), 'task_id')}}}.csv'",
        )
    return template


def import_finished(source: Source, pattern: str) -> Imported:
    """Make the run of a study with the results that exist in its folder. Raises UsageError, and writes nothing then."""
    space = ParameterSpace.of(source.study)
    if (source.folder / "runs" / source.study.name).exists():
        raise UsageError(
            f"runs/{source.study.name} exists, so that results cannot be taken in",
            f"packhorse rm {source.study.name}, or give the study another name",
        )
    paths = {index: result_path(source.study, space, index) for index in range(space.size)}
    files, notes = [], []
    missing = [index for index, path in paths.items() if not (source.folder / path).exists()]
    for index, path in paths.items():
        if index not in set(missing):
            files.append(_read(source.folder, path, index))
    readable = [one for one in files if not one.problem]
    wrong = [clause for one in readable if (clause := differs(one, space.texts(one.index)))]
    if wrong:
        raise UsageError(
            "these results are of another design: " + "; ".join(wrong[:SHOWN]),
            "name the files of this design with --results, or correct the script",
        )
    odd = suspicious(readable)
    taken = [one for one in readable if one.index not in odd]
    bad = {**{one.index: one.problem for one in files if one.problem}, **odd}
    notes += [f"{paths[index]} {why}; its task runs again" for index, why in sorted(bad.items())[:20]]
    if missing:
        shown = ", ".join(paths[index] for index in missing[:SHOWN])
        notes.append(
            f"{counted(len(missing), 'task')} without a file: {shown}{', ...' if len(missing) > SHOWN else ''}"
        )
    matching = {str(path.relative_to(source.folder)) for path in source.folder.glob(pattern)}
    stray = sorted(matching - set(paths.values()))
    if stray and "*" in pattern:
        notes.append(f"{counted(len(stray), 'file')} of no task, such as {stray[0]}")
    columns = {name: [space.texts(at)[name] for at in range(space.size)] for name in space.names}
    notes += repeated(taken, columns)
    if taken:
        _write(source, taken)
        notes.append(
            "which code wrote these files is not known; they count as results of the code that is here now"
        )
    return Imported(taken=len(taken), tasks=space.size, notes=tuple(notes), files=tuple(taken))


def _read(folder: Path, path: str, index: int) -> FinishedFile:
    file = folder / path
    data = file.read_bytes()
    known: dict[str, Any] = {
        "index": index, "path": path, "modified": file.stat().st_mtime, "digest": hashlib.sha256(data).hexdigest(),
    }  # fmt: skip
    if not data.strip():
        return FinishedFile(**known, problem="is empty")
    try:
        rows = tuple(rows_of_file(file))
    except UnreadableError as error:
        return FinishedFile(**known, problem=f"cannot be read: {error}")
    if not is_complete(data, suffix_format(path) or "text"):
        return FinishedFile(**known, problem="is half written: its last line has no end")
    if text := error_text(rows):
        return FinishedFile(**known, problem=f"holds the message of an error ({text[:60]!r})")
    return FinishedFile(**known, rows=rows)


def _write(source: Source, taken: list[FinishedFile]) -> None:
    """Make the run: a wave of the tasks that are taken in, whose journal has their results."""
    options = RunOptions(unchecked=True)
    run = open_run(source.folder / "runs" / source.study.name, source)
    with RunLock(run.path):
        context = prepare_run(source, options, run, LocalTarget(), Reporter())
        identity = context.prepared.identity
        ranges = to_ranges(sorted(one.index for one in taken))
        pending = PendingTasks(fold=context.fold(), ranges=ranges, identity=identity)
        write_run_files(context, identity)
        plan = start_wave(context, pending, slots=1, unchecked=bool(source.study.checks))
        write_wave(context, plan)
        listed = {
            "format": "packhorse-imported", "version": 1, "at": round(time.time(), 3),
            "tasks": [
                {"index": one.index, "file": one.path, "sha256": one.digest, "modified": round(one.modified, 3)}
                for one in taken
            ],
        }  # fmt: skip
        write_file(run.path / "imported.json", msgspec.json.format(msgspec.json.encode(listed), indent=1))
        _write_journal(context, plan.wave, taken)


def _write_journal(context: RunContext, wave: int, taken: list[FinishedFile]) -> None:
    run, result = context.run, context.study.result
    work, _ = read_work_file(str(run.work_path(wave)))
    (run.path / "journal").mkdir(exist_ok=True)
    journal = Journal(str(run.path), journal_name(wave, 0, 0), journal_header(work, 0, 0))
    totals: dict[str, Any] = {"OK": 0, "wall": 0.0, "cpu": 0.0, "longest": 0.0}
    for one in taken:
        path = str(context.source.folder / one.path)
        record: dict[str, Any] = {"index": one.index, "begin": round(one.modified, 3), "start": "imported"}
        packed = ResultFiles(work["result"], [path], [result.format]).take(record)
        totals["OK"] += 1
        journal.write([(record, packed)], dict(totals))
    journal.close("done", totals)
