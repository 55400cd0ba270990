"""Plan a study without running it."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packhorse.execution.preparation import prepare
from packhorse.execution.work_file import work_file
from packhorse.model.plan import Plan
from packhorse.model.space import ParameterSpace
from packhorse.plan.waves import local_slots
from packhorse.project.source import Source
from packhorse.project.task_filter import TaskFilter
from packhorse.rundata.outcomes import read_outcomes
from packhorse.rundir.directory import RunDirectory
from packhorse.runtime.local_worker import cores, memory

if TYPE_CHECKING:
    from packhorse.environments.remote import RemoteEnvironment


EXAMPLES = 2  # commands that `plan` shows


def plan_study(
    source: Source,
    directory: Path | None = None,
    where: Sequence[str] = (),
    remote_environment: RemoteEnvironment | None = None,
) -> dict[str, Any]:
    """Return what a study would run, here or in the surroundings that a site has; nothing is written."""
    study = source.study
    space = ParameterSpace.of(study)
    run = RunDirectory(directory or source.folder / "runs" / study.name)
    prepared = prepare(source, run.path, remote_environment=remote_environment)
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
    fold = read_outcomes(run, space, defaults, latest.first if latest else 1)
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


def _examples(work: Any, space: ParameterSpace, where: Sequence[str]) -> list[tuple[int, str]]:
    from packhorse.worker.tasks.slot_folders import SlotFolders
    from packhorse.worker.tasks.task import Task, fill_template

    folders = SlotFolders(tempfile.gettempdir(), 0, work)  # shown, never made
    indices = [index for index, _ in zip(TaskFilter(space, where), range(EXAMPLES), strict=False)]
    if not where and space.size > 1:
        indices = [0, space.size - 1]
    rows = []
    full: Any = dict(work, directory="")
    for index in indices:
        task = Task(full, space.arithmetic, folders, index)
        if work["function"]:
            arguments = ", ".join(f"{name}={value!r}" for name, value in task.parameters.items())
            rows.append((index, f"{work['function']['module']}.{work['function']['name']}({arguments})"))
        else:
            rows.append((index, shlex.join(fill_template(parts, task) for parts in work["command"])))
    return rows
