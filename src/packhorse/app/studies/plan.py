"""Plan a study without running it."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import replace

from packhorse.app.jobs.lint import program_notes
from packhorse.environments.task_environment import TaskEnvironment
from packhorse.execution.next_wave import unfinished
from packhorse.execution.preparation import Prepared, prepare, project_now
from packhorse.execution.run_context import grown_study, inherited_space
from packhorse.execution.work_file import work_file
from packhorse.model.json_output import JsonOutput
from packhorse.model.plan import Plan
from packhorse.model.space import ParameterSpace
from packhorse.plan.cost import Cost
from packhorse.plan.shape import Rung, Shape
from packhorse.plan.waves import count, local_slots
from packhorse.preflight.changed_code import code_change, mended, mended_sentence
from packhorse.preflight.command_files import check_command, named_script
from packhorse.project.source import Source
from packhorse.project.task_filter import TaskFilter
from packhorse.rundata.outcomes import read_outcomes
from packhorse.rundata.pilot_file import pilot_notes
from packhorse.rundir.directory import RunDirectory
from packhorse.runtime.capacity import available_memory, usable_cores
from packhorse.snapshot.code import printable
from packhorse.study.discover.places import absolute_path_note, literals
from packhorse.text.amounts import counted
from packhorse.worker.tasks.slot_folders import SlotFolders
from packhorse.worker.tasks.task import Task, fill_command

EXAMPLES = 2  # commands that `plan` shows
SCRIPTS = {".py", ".r", ".sh", ".bash", ".jl", ".m"}  # in which `plan` looks for absolute paths
MOST_SCRIPTS, LARGEST_SCRIPT = 100, 200_000  # number and bytes


class SitePlan(Struct, frozen=True, kw_only=True):
    """What a study would request of a site. Times in seconds, memory in MiB."""

    name: Annotated[str, Meta(description="The site's name.")]
    folder: Annotated[str, Meta(description="Over SSH: the run's folder on the site.")]
    sentence: Annotated[str, Meta(description="Jobs and cost as a sentence.")]
    jobs: Annotated[str, Meta(description="The jobs as a phrase.")]
    shape: Annotated[Shape, Meta(description="The job array: elements, and the request of each.")]
    rungs: Annotated[tuple[Rung, ...], Meta(description="The requests, the larger ones for repeated tasks.")]
    cost: Annotated[Cost, Meta(description="Hours and core-hours, expected and at most.")]
    notes: Annotated[tuple[str, ...], Meta(description="What to know before submitting.")]
    assumed: Annotated[tuple[str, ...], Meta(description="Assumptions of the estimate.")]
    script: Annotated[str, Meta(description="The job script.")]
    environment: Annotated[tuple[str, ...], Meta(description="Interpreters and packages there.")] = ()
    connected: Annotated[bool, Meta(description="Whether the site could be asked.")] = True


class StudyPlan(JsonOutput, frozen=True, kw_only=True, tag="packhorse-plan/1"):
    """What a study would run."""

    name: Annotated[str, Meta(description="The study's name.")]
    tasks: Annotated[int, Meta(description="Tasks of the study.")]
    points: Annotated[int, Meta(description="Points of the parameter space.")]
    product: Annotated[str, Meta(description="How the number of tasks follows.")]
    slots: Annotated[int, Meta(description="Tasks at a time on this machine.")]
    python: Annotated[str, Meta(description="The interpreter of the tasks.")]
    notes: Annotated[tuple[str, ...], Meta(description="What to know before running.")]
    examples: Annotated[
        tuple[tuple[int, str], ...], Meta(description="Pairs of a task's index and its command.")
    ]
    finished: Annotated[int, Meta(description="Tasks with a result.")] = 0
    failed: Annotated[int, Meta(description="Tasks that failed and do not run again.")] = 0
    missing: Annotated[int, Meta(description="Tasks to run.")]
    expected: Annotated[float | None, Meta(description="Estimated seconds on this machine.")] = None
    code: Annotated[str, Meta(description="The digest of the code.")]
    snapshot: Annotated[str, Meta(description="The files that the tasks get, as a phrase.")]
    site: Annotated[SitePlan | UnsetType, Meta(description="With --site: the request there.")] = UNSET


def plan_study(
    source: Source,
    directory: Path | None = None,
    conditions: Sequence[str] = (),
    environment: TaskEnvironment | None = None,
) -> StudyPlan:
    """Return what a study would run, here or with the task environment of a site; write nothing."""
    run = RunDirectory(directory or source.folder / "runs" / source.study.name)
    study = grown_study(source.study, run, run.latest()) if run.exists else source.study
    source, space = replace(source, study=study), ParameterSpace.of(study)
    prepared = prepare(source, run.path, environment)
    unused = check_command(source, prepared.files)
    wave = Plan(wave=0, space=space.digest, total=space.size, tasks=space.size, code=prepared.identity.code)
    work = work_file(source, prepared, wave, space)
    slots = local_slots(
        cores=usable_cores(),
        memory=available_memory(),
        cpus=study.resources.cpus,
        task_memory=study.resources.memory,
        asked=None,
    )
    plan = StudyPlan(
        name=study.name,
        tasks=space.size,
        points=space.points,
        product=product(space),
        slots=slots,
        python=prepared.interpreter.description,
        notes=(
            *prepared.notes,
            *unused,
            *_path_notes(prepared.files),
            *_notes(source, space),
            *_program_notes(source),
            *pilot_notes(source, space.digest, prepared.identity, here=environment is None),
        ),
        examples=tuple(_examples(work, space, conditions)),
        missing=space.size,
        code=prepared.identity.code,
        snapshot=f"{counted(len(prepared.files), 'file')}, {sum(file.size for file in prepared.files):,} bytes",
    )
    if run.exists and run.latest() is not None:
        return _with_progress(plan, run, source, prepared)
    return plan


def _with_progress(plan: StudyPlan, run: RunDirectory, source: Source, prepared: Prepared) -> StudyPlan:
    """Return the plan with the outcomes of the run so far, and an estimate from them."""
    latest = run.latest()
    assert latest is not None
    space = inherited_space(ParameterSpace.of(source.study), run, latest)
    fold = read_outcomes(run, space, source.study.defaults, latest.first)
    change = code_change(run, latest, fold, project_now(source, space, prepared))
    repeated = count(mended(run, latest, fold, change, prepared.identity))
    finished, missing = fold.counts["OK"], count(unfinished(fold)) + repeated
    failed = space.size - finished - missing
    walls = [journal.totals.get("wall", 0.0) for journal in fold.journals if journal.totals]
    ended = space.size - fold.counts["MISSING"]
    expected = sum(walls) / ended * missing / plan.slots if finished and walls else None
    notes = (*plan.notes, mended_sentence(repeated)) if repeated else plan.notes
    return replace(plan, finished=finished, missing=missing, failed=failed, expected=expected, notes=notes)


def product(space: ParameterSpace) -> str:
    """Return the size of a space as a product, such as `n (3) x replicates (100)`; empty for a single task."""
    parts = [f"{'+'.join(axis.names)} ({axis.count:,})" for axis in space.arithmetic.axes if axis.count != 1]
    if space.replicates > 1:
        parts.append(f"replicates ({space.replicates:,})")
    return " x ".join(parts)


def _path_notes(files: Any) -> Iterator[str]:
    """Yield a sentence for each script of the snapshot with absolute paths, to which tasks would lead each other."""
    scripts = [
        file for file in files if Path(file.path).suffix.lower() in SCRIPTS and file.size < LARGEST_SCRIPT
    ]
    for file in scripts[:MOST_SCRIPTS]:
        text = Path(file.source).read_text("utf-8", "replace")
        note = absolute_path_note(printable(file.path), literals(text, Path(file.path).suffix.lower()))
        if note:
            yield note


def _program_notes(source: Source) -> tuple[str, ...]:
    """Return what lint finds in the program of the study."""
    program = named_script(source.study.command)
    return program_notes(program, source.start, hints=True) if program else ()


def _notes(source: Source, space: ParameterSpace) -> list[str]:
    study, rows = source.study, []
    template = " ".join([*study.command, study.shell])
    if "{seed32" in template:
        pairs = space.size * (space.size - 1) / 2 / 2**31
        if pairs >= 0.01:
            rows.append(
                f"seed32 has 31 bits: about {pairs:,.2g} pairs of tasks share a value; {{seed}} has 63"
            )
    if space.replicates > 1 and not study.function and "{seed" not in template and "{params" not in template:
        rows.append(
            "the command has no {seed}: replicates differ only if the script reads PACKHORSE_SEED or packhorse.task"
        )
    if study.until is not None:
        rule = study.until
        rows.append(
            f"replicates are added, up to {rule.at_most:,}, until the MCSE of {rule.of} is at most {rule.mcse:g}"
        )
    index = study.index_variable
    if index is not None and not index.parameter:
        rows.append(f"{index.name} runs from {index.start} to {index.start + space.size - 1}")
    return rows


def _examples(work: Any, space: ParameterSpace, conditions: Sequence[str]) -> list[tuple[int, str]]:
    folders = SlotFolders(tempfile.gettempdir(), 0, work)  # shown, never made
    indices = [index for index, _ in zip(TaskFilter(space, conditions), range(EXAMPLES), strict=False)]
    if not conditions and space.size > 1:
        indices = [0, space.size - 1]
    rows = []
    full: Any = dict(work, directory="")
    for index in indices:
        task = Task(full, space.arithmetic, folders, index)
        if work["function"]:
            arguments = ", ".join(f"{name}={value!r}" for name, value in task.parameters.items())
            rows.append((index, f"{work['function']['module']}.{work['function']['name']}({arguments})"))
        else:
            rows.append((index, shlex.join(fill_command(work["command"], task))))
    return rows
