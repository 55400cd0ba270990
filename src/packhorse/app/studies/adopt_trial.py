"""Try the first and the last task of an adopted study, and read what they wrote."""

from __future__ import annotations

import tempfile
from pathlib import Path

from msgspec import UNSET, Struct
from msgspec.structs import replace

from packhorse.adopt.outputs import Output, outputs, patterns
from packhorse.app.studies.adopt_job import Ask
from packhorse.execution.local_execution import run_here
from packhorse.execution.run_model import RunOptions
from packhorse.model.space import ParameterSpace
from packhorse.model.study import Factor, Result, Study
from packhorse.project.cache_dir import copies_parent
from packhorse.project.reporter import Reporter
from packhorse.project.source import Source
from packhorse.results.formats.rows import Row, UnreadableError
from packhorse.results.journal import Journal, Record
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
    contents: dict[str, dict[str, bytes]] = {}  # template -> content by path


def tried(source: Source, seconds: float) -> Tried:
    """Run the first and the last task of a study, each for at most `seconds`, and read the files that they wrote.

    Raises PackhorseError where nothing can run here.
    """
    size = ParameterSpace.of(source.study).size
    # Each in a run of its own: what a task wrote is known for the first task of a worker only.
    studies = [_one_task(source.study, at, seconds) for at in ((0, size - 1) if size > 1 else (0,))]
    texts = [ParameterSpace.of(study).texts(0) for study in studies]
    names = tuple(
        ", ".join(f"{key}={value[:40]}" for key, value in one.items()) or "the task" for one in texts
    )
    with tempfile.TemporaryDirectory(prefix="packhorse-adopt-", dir=copies_parent()) as scratch:
        folders, prints_json = list[Path](), False
        for name, study in zip(names, studies, strict=True):
            run = Path(scratch, "runs", str(len(folders)))
            options = RunOptions(run=run, everything=True, warm=False, unchecked=True)
            outcome = run_here(replace(source, study=study), options, Reporter())
            found = outcome.report.fold.record(0)
            if found is None or found[1].outcome != "OK":
                failure, hints = _failure(name, found, run), tuple(outcome.report.missing_inputs)
                return Tried(tasks=names, failure=failure, hints=hints)
            prints_json = found[1].json is not UNSET or bool(found[1].text)
            folders.append(run / "artifacts" / "0")
        columns = {key: [one[key] for one in texts] for key in texts[0]}
        written = [_files(folder) for folder in folders]
        existing = {name for name in written[0] if (source.folder / name).exists()}
        shared = [
            one for one in outputs(written, columns) if "{" in one.template or one.paths[0] not in existing
        ]
        judged = _judged(shared, folders)
        return replace(judged, tasks=names, prints_json=prints_json)


def _failure(name: str, found: tuple[Journal, Record] | None, run: Path) -> str:
    """Return why a tried task failed, with the last lines that it printed."""
    log = printed(RunDirectory(run), *found) if found else ""
    lines = last_frames(log) or log.strip().splitlines()[-LAST_LINES:]
    cause = found[1].cause if found else "it did not end"
    return f"{name}: {cause}" + "".join(f"\n  {line}" for line in lines)


def _one_task(study: Study, index: int, seconds: float) -> Study:
    """Return the study of one task, whose result may be anything."""
    factors = []
    for factor in study.factors:
        if factor.range is not None:
            start, step, _ = factor.range
            level: tuple[object, ...] = (start + step * index,)
        else:
            assert factor.levels is not None
            level = factor.levels[index]
        spelled = {name: (texts[index],) for name, texts in factor.written.items()}
        factors.append(Factor(names=factor.names, levels=(level,), written=spelled))
    result = Result(kind="auto")
    return replace(study, factors=tuple(factors), result=result, artifacts=(), time_limit=seconds, retries=0)


def _files(folder: Path) -> list[str]:
    """Return the files that were kept of a task, relative to the study's folder."""
    if not folder.is_dir():
        return []
    names = (path.relative_to(folder).parts for path in sorted(folder.rglob("*")) if path.is_file())
    return ["/".join(".." if part == "up" else part for part in parts) for parts in names]


def _judged(listed: list[Output], folders: list[Path]) -> Tried:
    unreadable: dict[str, str] = {}
    rows: dict[str, tuple[list[Row], ...]] = {}
    contents: dict[str, dict[str, bytes]] = {}
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
            places = zip(folders, one.paths, strict=True)
            contents[one.template] = {
                path: (folder / path.replace("../", "up/")).read_bytes() for folder, path in places
            }
    return Tried(tasks=(), found=tuple(listed), unreadable=unreadable, rows=rows, contents=contents)


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
    made = (
        Record(index=0, text=text, format=form)
        if isinstance(text, str)
        else Record(index=0, json=record.get("json"))
    )
    payloads = Payloads(None, form, Result(kind="file", file=path.name), Readers(r=read_r_files))
    payloads.prepare([made])
    return payloads.rows(made) or []


def result_keys(trial: Tried | None, given: str, ask: Ask, notes: list[str]) -> dict[str, object]:
    """Return the keys result and artifacts, as far as they are known, and add notes on what is not."""
    if given or trial is None or trial.failure:
        return {"result": given} if given else {}
    readable = list(trial.rows)
    chosen = readable[0] if len(readable) == 1 else ""
    if len(readable) > 1:
        chosen = ask("Which file is the result of a task?", readable)
    if not chosen:
        notes += _notes_without_result(trial)
    others = [one for one in trial.found if one.template != chosen]
    keys: dict[str, object] = {"artifacts": list(patterns(others))} if others else {}
    if chosen or not trial.prints_json:
        keys = {"result": chosen or "none", **keys}
    return keys


def _notes_without_result(trial: Tried) -> list[str]:
    if trial.rows:
        names = ", ".join(trial.rows)
        return [f"each task writes {names}; all are kept as artifacts; for a table: --result FILE"]
    notes = [
        f"{template} is kept as an artifact, since it is not read as a table: {why}"
        for template, why in trial.unreadable.items()
    ]
    if not trial.found and not trial.prints_json:
        notes.append("the tried tasks wrote no file in the project; what tasks print is in their log")
    return notes
