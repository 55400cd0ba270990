"""Try the first and the last task of an adopted study, and read what they wrote."""

from __future__ import annotations

import tempfile
from pathlib import Path

from msgspec import UNSET, Struct
from msgspec.structs import replace

from packhorse.adopt.outputs import Output, outputs
from packhorse.execution.local_execution import run_here
from packhorse.execution.run_model import RunOptions
from packhorse.model.space import ParameterSpace
from packhorse.model.study import Factor, Result, Study
from packhorse.project.cache_dir import copies_parent
from packhorse.project.reporter import Reporter
from packhorse.project.source import Source
from packhorse.results.formats.rows import Row, UnreadableError
from packhorse.results.journal import Record
from packhorse.results.payload import Payloads, Readers
from packhorse.rundata.task_log import last_frames, printed
from packhorse.rundir.directory import RunDirectory
from packhorse.runtime.r_files import read_r_files
from packhorse.worker.results.refusal import NoResult
from packhorse.worker.results.result import ResultFiles
from packhorse.worker.results.suffixes import suffix_format

LAST_LINES = 5


class Tried(Struct, frozen=True, kw_only=True):
    """What the tried tasks did: their names, why one failed, their files, and the rows of each readable file."""

    tasks: tuple[str, ...]
    failure: str = ""
    hints: tuple[str, ...] = ()
    found: tuple[Output, ...] = ()
    unreadable: dict[str, str] = {}  # template -> why
    rows: dict[str, tuple[list[Row], ...]] = {}  # template -> rows of each task
    prints_json: bool = False


def tried(source: Source, seconds: float) -> Tried:
    """Run the first and the last task of a study, each for at most `seconds`, and read the files that they wrote.

    Raises PackhorseError where nothing can run here.
    """
    study = _two_tasks(source.study, seconds)
    space = ParameterSpace.of(study)
    with tempfile.TemporaryDirectory(prefix="packhorse-adopt-", dir=copies_parent()) as scratch:
        run = Path(scratch, "runs", "trial")
        options = RunOptions(run=run, everything=True, warm=False, unchecked=True)
        outcome = run_here(replace(source, study=study), options, Reporter())
        names = [
            ", ".join(f"{key}={value[:40]}" for key, value in space.texts(at).items()) or "the task"
            for at in range(space.size)
        ]
        records = [outcome.report.fold.record(at) for at in range(space.size)]
        for name, found in zip(names, records, strict=True):
            if found is None or found[1].outcome != "OK":
                cause = found[1].cause if found else "it did not end"
                log = printed(RunDirectory(run), *found) if found else ""
                lines = last_frames(log) or log.strip().splitlines()[-LAST_LINES:]
                return Tried(
                    tasks=tuple(names),
                    failure=f"{name}: {cause}" + "".join(f"\n  {line}" for line in lines),
                    hints=tuple(outcome.report.missing_inputs),
                )
        columns = {key: [space.texts(at)[key] for at in range(space.size)] for key in space.names}
        folders = [run / "artifacts" / str(at) for at in range(space.size)]
        written = [_files(folder) for folder in folders]
        existing = [name for name in written[0] if (source.folder / name).exists()]
        listed = [
            one for one in outputs(written, columns) if "{" in one.template or one.paths[0] not in existing
        ]
        return _judged(listed, folders, tuple(names), any(one and one[1].json is not UNSET for one in records))


def _two_tasks(study: Study, seconds: float) -> Study:
    """Return a study of the first and the last task, whose result may be anything."""
    factors = []
    for factor in study.factors:
        levels = factor.levels
        if factor.range is not None:
            start, step, count = factor.range
            levels = tuple((start + step * at,) for at in range(count))
        assert levels is not None
        ends = [0] if len(levels) == 1 else [0, len(levels) - 1]
        spelled = {name: tuple(texts[at] for at in ends) for name, texts in factor.written.items()}
        factors.append(
            Factor(names=factor.names, levels=tuple(levels[at] for at in ends), written=spelled)
        )
    return replace(
        study, factors=tuple(factors), result=Result(kind="auto"), artifacts=(), time_limit=seconds, retries=0
    )


def _files(folder: Path) -> list[str]:
    """Return the files that were kept of a task, relative to the study's folder."""
    if not folder.is_dir():
        return []
    names = (path.relative_to(folder).parts for path in sorted(folder.rglob("*")) if path.is_file())
    return ["/".join(".." if part == "up" else part for part in parts) for parts in names]


def _judged(listed: list[Output], folders: list[Path], names: tuple[str, ...], prints_json: bool) -> Tried:
    unreadable: dict[str, str] = {}
    rows: dict[str, tuple[list[Row], ...]] = {}
    for one in listed:
        if not one.may_be_result:
            continue
        read = []
        for folder, path in zip(folders, one.paths, strict=True):
            try:
                read.append(rows_of_file(folder / path.replace("../", "up/")))
            except UnreadableError as error:
                unreadable[one.template] = str(error)
                break
        else:
            rows[one.template] = tuple(read)
    return Tried(
        tasks=names, found=tuple(listed), unreadable=unreadable, rows=rows, prints_json=prints_json
    )


def rows_of_file(path: Path) -> list[Row]:
    """Return the rows of a result file, as the table will have them. Raises UnreadableError with the reason."""
    form = suffix_format(path.name) or "text"
    record: dict[str, object] = {}
    try:
        packed = ResultFiles({}, [str(path)], [form]).take(record)
    except NoResult as reason:
        raise UnreadableError(str(reason)) from None
    if record.get("cause"):
        raise UnreadableError(str(record["cause"]))
    text = record.get("text")
    if packed is not None:
        text = packed.decode("utf-8", "surrogateescape")
    made = Record(index=0, text=text, format=form) if isinstance(text, str) else Record(index=0, json=record.get("json"))
    payloads = Payloads(None, form, Result(kind="file", file=path.name), Readers(r=read_r_files))
    payloads.prepare([made])
    return payloads.rows(made) or []
