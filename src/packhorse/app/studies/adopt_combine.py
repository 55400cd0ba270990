"""Compare the table of a script that combines results with the rows that Packhorse reads from the same files."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from packhorse.app.runs.single import run_script
from packhorse.app.studies.adopt_trial import rows_of_file
from packhorse.execution.local_execution import run_here
from packhorse.model.errors import PackhorseError, UsageError
from packhorse.project.cache_dir import copies_parent
from packhorse.project.reporter import Reporter
from packhorse.project.source import Source
from packhorse.results.formats.rows import Row, UnreadableError
from packhorse.snapshot.snapshot import list_files
from packhorse.text.amounts import counted
from packhorse.worker.results.suffixes import suffix_format

DIGITS = 12  # significant ones that two tables must share


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
    for name in others:
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
