"""Run one task of a study in the foreground."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from packhorse.execution.preparation import prepare
from packhorse.execution.work_file import work_file
from packhorse.model.plan import Plan
from packhorse.model.space import ParameterSpace
from packhorse.model.study import Study
from packhorse.preflight.command_files import check_command
from packhorse.project.cache_dir import copies_parent
from packhorse.project.source import from_file
from packhorse.project.task_filter import one_task
from packhorse.results.formats.rows import Row, UnreadableError
from packhorse.results.journal import Record
from packhorse.results.payload import Payloads, Readers, result_format
from packhorse.rundir.directory import RunDirectory
from packhorse.rundir.files import write_file
from packhorse.rundir.worker_archive import task_library
from packhorse.runtime.r_files import read_r_files
from packhorse.runtime.sandbox import create_sandbox
from packhorse.runtime.trial import Trial, run_in_foreground
from packhorse.snapshot.snapshot import pack

SHOWN = 500  # bytes of a result
SHOWN_VALUE = 60  # characters of a parameter
SHOWN_COLUMNS = 20  # of a row


def try_task(study: str, task: int | None, where: Sequence[str]) -> tuple[int, list[str]]:
    """Run one task in the foreground from a snapshot; return its exit status and lines on the result."""
    source = from_file(study)
    space = ParameterSpace.of(source.study)
    index = one_task(space, task if task is not None or where else 0, where)
    with tempfile.TemporaryDirectory(prefix="packhorse-try-", dir=copies_parent()) as scratch:
        run = RunDirectory.create(Path(scratch) / "run", source.study.name)
        prepared = prepare(source, source.folder / "runs" / source.study.name)
        check_command(source, prepared.files)
        pack([*prepared.files, *prepared.marks], run.path / f"code-{prepared.identity.code}.tar")
        for name, text in task_library().items():
            write_file(run.path / "library" / name, text)
        plan = Plan(wave=0, space=space.digest, total=space.size, tasks=1, code=prepared.identity.code)
        work = run.marked_work(work_file(source, prepared, plan, space))
        sandbox = create_sandbox(work, run.path, Path(scratch) / "place")
        trial = run_in_foreground(sandbox, space.frozen, index)
        rows: list[Row] = []
        if not trial.cause and not trial.status:
            try:
                rows = _rows(trial, index, source.study)
            except UnreadableError as error:
                trial = replace(trial, cause=str(error))
        lines = _lines(trial, index, space)
        if not trial.cause and not trial.status:
            lines += _table_lines(trial, rows, space, index, source.study)
        return trial.status or (1 if trial.cause else 0), lines


def _lines(trial: Trial, index: int, space: ParameterSpace) -> list[str]:
    values = ", ".join(f"{name}={text[:SHOWN_VALUE]}" for name, text in space.texts(index).items())
    task = f"task {index} ({values})" if values else f"task {index}"
    if trial.status:
        how = f"signal {-trial.status}" if trial.status < 0 else f"exit status {trial.status}"
        return [f"{task} ended with {how}"]
    rows = [f"{task} " + (f"has no result: {trial.cause}" if trial.cause else "succeeded")]
    if trial.result is not None:
        name, content = trial.result
        shown = content[:SHOWN].decode("utf-8", "replace")
        rows.append(
            f"its result, {name}:\n{shown}"
            if "\0" not in shown
            else f"its result: {name}, {len(content):,} bytes"
        )
    return rows


def _table_lines(trial: Trial, rows: list[Row], space: ParameterSpace, index: int, study: Study) -> list[str]:
    """Return the row of a task as it will be in the table."""
    if study.result.kind == "none":
        return []
    first: dict[str, str] = {}
    first.update(space.texts(index))
    if space.replicates > 1:
        first["replicate"] = str(index % space.replicates)
    if not rows:
        why = "no JSON object on the last printed line" if trial.result is None else "no rows"
        return [f"no result for the table: {why}; to name the file that the task writes: result: FILE"]
    first.update((str(name), _cell(value)) for name, value in rows[0].items())
    shown = [f"{name}={value[:SHOWN_VALUE]}" for name, value in first.items()]
    more = f", and {len(shown) - SHOWN_COLUMNS} more columns" if len(shown) > SHOWN_COLUMNS else ""
    which = (
        "its row in the table"
        if len(rows) == 1
        else f"its {len(rows):,} rows in the table, of which this is the first"
    )
    return [f"{which}: {', '.join(shown[:SHOWN_COLUMNS])}{more}"]


def _rows(trial: Trial, index: int, study: Study) -> list[Row]:
    """Return the rows of a task by the reader of the table."""
    recorded: dict[str, object] = {"index": index}
    recorded.update((key, trial.record[key]) for key in ("text", "format", "parts") if key in trial.record)
    record = msgspec.convert(recorded, Record)
    form = result_format(study.result.format, study.result.file)
    payloads = Payloads(None, form, study.result, Readers(r=read_r_files))
    payloads.prepare([record])
    return payloads.rows(record) or []


def _cell(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
