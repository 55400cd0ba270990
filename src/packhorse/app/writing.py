"""Studies before they run: written for a script, planned, tried with one task."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packhorse.app.prepare import prepare
from packhorse.app.select import Chosen, one_task
from packhorse.app.source import Source, from_file
from packhorse.app.words import read_words
from packhorse.app.workfile import work_file
from packhorse.model.errors import UsageError
from packhorse.model.plan import Plan
from packhorse.model.space import ParameterSpace
from packhorse.plan.waves import local_slots
from packhorse.run.archive import task_library
from packhorse.run.directory import RunDirectory
from packhorse.run.files import write
from packhorse.run.local import cores, memory
from packhorse.run.place import run_in_foreground, stand
from packhorse.run.snapshot import pack

if TYPE_CHECKING:
    from packhorse.app.abroad import Abroad


EXAMPLES = 2  # commands that `plan` shows


def write_study(script: Path, output: Path | None, *, replace: bool) -> tuple[Path, str]:
    """Write a study for a script beside it; return its path and what was found."""
    from packhorse.study.discover import discover, study_lines

    try:
        source = script.read_bytes().decode("utf-8", "replace")
    except OSError as error:
        raise UsageError(f"{script} cannot be read: {error.strerror}", "packhorse init SCRIPT") from None
    found = discover(source, script.name)
    path = output or script.parent / "study.yaml"
    if path.exists() and not replace:
        raise UsageError(f"{path} exists", f"packhorse init {script} --force, or -o another.yaml")
    path.write_text(study_lines(found), encoding="utf-8")
    names = [one.name for one in found.found.parameters if one.role == "parameter"]
    return path, f"parameters {', '.join(names)}" if names else "no parameters found in the script"


def plan_study(
    source: Source, directory: Path | None = None, where: Sequence[str] = (), abroad: Abroad | None = None
) -> dict[str, Any]:
    """Return what a study would run, here or in the surroundings that a site has; nothing is written."""
    study = source.study
    space = ParameterSpace.of(study)
    run = RunDirectory(directory or source.folder / "runs" / study.name)
    prepared = prepare(source, run.path, abroad=abroad)
    plan = Plan(wave=0, space=space.digest, total=space.size, tasks=space.size, code=prepared.identity.code)
    work = work_file(source, prepared, plan, space)
    slots = local_slots(
        cores=cores(),
        memory=memory(),
        cpus=study.resources.cpus,
        task_memory=study.resources.memory,
        asked=None,
    )
    found: dict[str, Any] = {
        "name": study.name,
        "tasks": space.size,
        "points": space.points,
        "product": product(space),
        "slots": slots,
        "python": prepared.interpreter.description,
        "notes": [*prepared.notes, *_notes(source, space, prepared.files)],
        "examples": _examples(work, space, where),
        "finished": 0,
        "failed": 0,
        "missing": space.size,
        "expected": None,
        "code": prepared.identity.code,
    }
    if run.exists and run.latest() is not None:
        _standing(found, run, space, study.defaults, slots)
    return found


def _standing(
    found: dict[str, Any], run: RunDirectory, space: ParameterSpace, defaults: Any, slots: int
) -> None:
    latest = run.latest()
    fold = read_words(run, space, defaults, latest.first if latest else 1)
    counts = fold.counts
    found["finished"], found["missing"] = counts["OK"], counts["MISSING"]
    found["failed"] = sum(n for name, n in counts.items() if name not in ("OK", "MISSING"))
    walls = [journal.totals.get("wall", 0.0) for journal in fold.journals if journal.totals]
    if counts["OK"] and walls:
        found["expected"] = sum(walls) / (counts["OK"] + found["failed"]) * counts["MISSING"] / slots


def product(space: ParameterSpace) -> str:
    """Return how a space's size comes about, such as `n (3) x replicates (100)`."""
    parts = [f"{'+'.join(axis.names)} ({axis.count:,})" for axis in space.arithmetic.axes if axis.count != 1]
    if space.replicates > 1 or not parts:
        parts.append(f"replicates ({space.replicates:,})")
    return " x ".join(parts)


def _notes(source: Source, space: ParameterSpace, files: Any) -> list[str]:
    study = source.study
    rows = [f"snapshot: {len(files)} files, {sum(file.size for file in files):,} bytes"]
    template = " ".join([*study.command, study.shell])
    if "{seed32" in template:
        pairs = space.size * (space.size - 1) / 2 / 2**31
        if pairs >= 0.01:
            rows.append(
                f"seed32 has 31 bits: about {pairs:,.2g} pairs of tasks share a value; {{seed}} has 63"
            )
    if space.replicates > 1 and not study.function and "{seed" not in template and "{params" not in template:
        rows.append(
            "the command names no {seed}: replicates differ only if the script reads PACKHORSE_SEED or packhorse.task"
        )
    if study.index_variable is not None:
        first = study.index_variable.start
        if not study.index_variable.parameter:
            rows.append(f"{study.index_variable.name} runs from {first} to {first + space.size - 1}")
    return rows


def _examples(work: dict[str, Any], space: ParameterSpace, where: Sequence[str]) -> list[tuple[int, str]]:
    from packhorse.worker.fill import Task, fill
    from packhorse.worker.place import Place

    place = Place(tempfile.gettempdir(), 0, work)  # shown, never made
    indices = [index for index, _ in zip(Chosen(space, where), range(EXAMPLES), strict=False)]
    if not where and space.size > 1:
        indices = [0, space.size - 1]
    rows = []
    for index in indices:
        task = Task(dict(work, directory=""), space.arithmetic, place, index)
        if work["function"]:
            arguments = ", ".join(f"{name}={value!r}" for name, value in task.parameters.items())
            rows.append((index, f"{work['function']['module']}.{work['function']['name']}({arguments})"))
        else:
            rows.append((index, shlex.join(fill(parts, task) for parts in work["command"])))
    return rows


def try_task(said: str, task: int | None, where: Sequence[str]) -> tuple[int, list[str]]:
    """Run one task in the foreground from a snapshot; return its exit status and what to tell."""
    source = from_file(said)
    space = ParameterSpace.of(source.study)
    index = one_task(space, task if task is not None or where else 0, where)
    with tempfile.TemporaryDirectory(prefix="packhorse-try-") as scratch:
        run = RunDirectory.create(Path(scratch) / "run", source.study.name)
        prepared = prepare(source, source.folder / "runs" / source.study.name)
        pack(prepared.files, run.path / f"code-{prepared.identity.code}.tar")
        for name, text in task_library().items():
            write(run.path / "library" / name, text)
        plan = Plan(wave=0, space=space.digest, total=space.size, tasks=1, code=prepared.identity.code)
        work = run.owned(work_file(source, prepared, plan, space))
        standing = stand(work, run.path, Path(scratch) / "place")
        status, target = run_in_foreground(standing, space.frozen, index)
        return status, _tried(status, target, index, space)


def _tried(status: int, target: Path | None, index: int, space: ParameterSpace) -> list[str]:
    named = ", ".join(f"{name}={value}" for name, value in space[index].items())
    rows = []
    if status:
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        rows.append(f"task {index} ({named}) ended with {how}")
    else:
        rows.append(f"task {index} ({named}) ended well")
    if target is not None and target.exists():
        text = target.read_bytes()[:500].decode("utf-8", "replace")
        rows.append(f"its result, {target.name}:\n{text}")
    elif target is not None and not status:
        rows.append(f"but it wrote no {target.name}, which `result` names")
    return rows
