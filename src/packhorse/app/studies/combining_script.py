"""Compare the table of a script that combines results with the rows that Packhorse reads from the same files."""

from __future__ import annotations

import glob
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from packhorse.app.runs.single import run_script
from packhorse.app.studies.adopt_trial import rows_of_file
from packhorse.check.finding import Finding, Verdict
from packhorse.execution.local_execution import run_here
from packhorse.execution.run_context import source_of
from packhorse.model.errors import PackhorseError, UsageError
from packhorse.model.space import ParameterSpace
from packhorse.model.study import Result, Study
from packhorse.project.cache_dir import copies_parent
from packhorse.project.reporter import Reporter
from packhorse.project.source import Source
from packhorse.results.formats.rows import Row, UnreadableError
from packhorse.results.journal import Journal, Record
from packhorse.results.payload import Payloads, json_text
from packhorse.rundata.outcomes import latest_outcomes
from packhorse.rundir.directory import RunDirectory
from packhorse.snapshot.snapshot import list_files
from packhorse.study.template import compile_word, show
from packhorse.text.amounts import counted
from packhorse.worker.results.suffixes import suffix_format

if TYPE_CHECKING:
    import polars as pl

DIGITS = 12  # significant ones that two tables must share


def check_combined(run: RunDirectory, script: str, frame: pl.DataFrame) -> Finding:
    """Run a combining script, named from the study's folder, on the results of a run, and compare its table with `frame`.

    Raises UsageError where the script is not there.
    """
    source = source_of(run)
    place = source.folder / script
    if not place.is_file():
        raise UsageError(
            f"{place}, the combining script of the study, does not exist", "correct combine: in the study"
        )
    outcomes = latest_outcomes(run)
    indices = [index for first, end in outcomes.fold.ranges("OK") for index in range(first, end)]
    why, files = "", dict[str, bytes]()
    file = source.study.result.file
    if source.study.result.kind != "file" or source.study.result.more or glob.has_magic(file):
        why = "each task must have one result file, whose name has no wildcard"
    for index in indices if not why else ():
        journal_and_record = outcomes.fold.record(index)
        data = _content(*journal_and_record, source.study.result) if journal_and_record else None
        if data is None:
            why = f"the result of task {index} is not on this machine"
            break
        files[result_path(source.study, outcomes.space, index)] = data
    if not why and len(files) < len(indices):
        why = f"{counted(len(indices), 'task')} have {counted(len(files), 'name')} of result files"
    if why:
        verdict, sentence = Verdict.UNDECIDED, f"{script} was not run: {why}"
    else:
        sentence, same = compare_combined(source, place, files, frame.to_dicts(), existing_results(source))
        verdict = Verdict.PASS if same else Verdict.FAIL
    return Finding(
        check="combining script",
        compared=f"the table of {script} with that of the run",
        verdict=verdict,
        sentence=sentence,
        source=f"{DIGITS} significant digits",
    )


def _content(journal: Journal, record: Record, result: Result) -> bytes | None:
    """Return the bytes of a result file; None where they are not here."""
    if record.json is not UNSET:
        return json_text(record.json).encode()
    try:
        with Payloads(journal, result.format or "text", result) as payloads:
            return payloads.data(record)
    except UnreadableError:
        return None


def existing_results(source: Source) -> list[str]:
    """Return the files in a study's folder that have the name of a result, from that folder."""
    pattern = re.sub(r"\{[^{}]*\}", "*", source.study.result.file)
    return [str(path.relative_to(source.folder)) for path in source.folder.glob(pattern)]


def result_path(study: Study, space: ParameterSpace, index: int) -> str:
    """Return the path of a task's result, relative to the study's folder."""
    values, texts = space[index], space.texts(index)
    parts = compile_word(study.result.file, space.names)
    shown = (
        part if isinstance(part, str) else show(part, values[part["name"]]) if part.get("spec") else texts[part["name"]]
        for part in parts
    )  # fmt: skip
    return str(Path("".join(shown)))


def compare_combined(
    source: Source, script: Path, files: Mapping[str, bytes], rows: Sequence[Row], others: Iterable[str]
) -> tuple[str, bool]:
    """Run a combining script in a copy of the project with these results; return a sentence, and whether it is the same.

    `files` are the results by their paths from the study's folder, `rows` what Packhorse reads from them, and `others` are
    files of results that must not be there.
    """
    place = script.resolve()
    if not place.is_relative_to(source.root):
        raise UsageError(f"{script} is not in the project {source.root}", "name a script of the project")
    with tempfile.TemporaryDirectory(prefix="packhorse-adopt-", dir=copies_parent()) as scratch:
        copy = Path(scratch, "project").resolve()
        folder = copy / source.folder.relative_to(source.root)
        _fill(copy, folder, source, files, others)
        try:
            made = _tables(folder, copy / place.relative_to(source.root), Path(scratch, "run"))
        except PackhorseError as error:
            return f"{script.name} could not run: {error.message}", False
    if not made:
        return f"{script.name} wrote no table that can be read", False
    reasons = [f"{name}: {why}" for name, table in made.items() if (why := _difference(table, rows))]
    if len(reasons) == len(made):
        return f"the table of {script.name} is not the same; {'; '.join(reasons)}", False
    return f"the table of {script.name} is the same: {counted(len(rows), 'row')}", True


def _fill(
    copy: Path, folder: Path, source: Source, files: Mapping[str, bytes], others: Iterable[str]
) -> None:
    """Copy the project to a folder, with these results and no others."""
    for file in list_files(source.root, source.folder).files:
        if file.kind == "file":
            goal = copy / file.path
            goal.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file.source, goal)
    for name in set(others) - set(files):
        (folder / name).unlink(missing_ok=True)
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def _tables(folder: Path, script: Path, run: Path) -> dict[str, list[Row]]:
    """Return the tables that a script writes, by name."""
    study, options = run_script(str(script), (), run, folder)
    outcome = run_here(study, options, Reporter())
    found = outcome.report.fold.record(0)
    if found is None or found[1].outcome != "OK":
        raise UsageError(f"{found[1].cause if found else 'it did not end'}")
    made = {}
    for path in sorted((run / "artifacts" / "0").rglob("*")):
        if path.is_file() and suffix_format(path.name):
            try:
                made[path.name] = rows_of_file(path)
            except UnreadableError:
                continue
    return made


def _difference(theirs: Sequence[Row], ours: Sequence[Row]) -> str:
    """Return how two tables differ in the columns that both have; their order does not matter."""
    names = [name for name in (theirs[0] if theirs else {}) if any(name in row for row in ours)]
    if not names:
        return "it has no column of the results"
    if len(theirs) != len(ours):
        return f"it has {counted(len(theirs), 'row')} instead of {len(ours)}"
    first, second = (
        Counter(tuple(_plain(row.get(n)) for n in names) for row in one) for one in (theirs, ours)
    )
    extra = list((first - second).elements())
    if not extra:
        return ""
    shown = ", ".join(f"{name}={value}" for name, value in zip(names, extra[0], strict=True))
    return f"{counted(len(extra), 'row')} of it, such as {shown}, {'is' if len(extra) == 1 else 'are'} not among the results"


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return value
    return (
        f"{value:.{DIGITS}g}"
        if isinstance(value, int | float) and not isinstance(value, bool)
        else str(value)
    )
