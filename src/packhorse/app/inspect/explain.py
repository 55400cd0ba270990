"""What one task ran, and how to repeat it by hand."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from packhorse.model.json_output import JsonOutput
from packhorse.model.space import ParameterSpace
from packhorse.project.task_filter import one_task
from packhorse.remote.last_known import fetch_or_note
from packhorse.remote.open_store import open_store
from packhorse.results.journal import Record
from packhorse.rundata.outcomes import latest_outcomes
from packhorse.rundata.task_log import kept_files, kept_folder, last_attempt, last_frames, printed
from packhorse.rundata.warm_start import warm_start
from packhorse.rundir.directory import find_run
from packhorse.worker.tasks.environment import inputs_variable, task_environment
from packhorse.worker.tasks.parameter_files import parameter_file
from packhorse.worker.tasks.slot_folders import SlotFolders
from packhorse.worker.tasks.task import Task, fill_command, task_json
from packhorse.worker.work_file import with_directory


class Explanation(JsonOutput, frozen=True, kw_only=True, tag="packhorse-explain/1"):
    """What a task ran, where, with what, and how to repeat it."""

    run: Annotated[str, Meta(description="Path of the run directory.")]
    task: Annotated[int, Meta(description="The task's index.")]
    parameters: Annotated[dict[str, Any], Meta(description="Its parameters.")]
    replicate: Annotated[int, Meta(description="Its replicate, from 0.")]
    seed: Annotated[int, Meta(description="Its seed, 63 bits.")]
    seed32: Annotated[int, Meta(description="Its seed, 31 bits.")]
    key: Annotated[str, Meta(description="The digest of parameters and replicate that identifies it.")]
    state: Annotated[str, Meta(description="Its outcome: OK, FAILED, TIMEOUT, MEMORY, UNFINISHED, MISSING.")]
    wave: Annotated[int, Meta(description="The wave that ran it.")]
    code: Annotated[str, Meta(description="The snapshot's file in the run directory.")]
    environment: Annotated[str, Meta(description="The digest of the environment.")]
    python: Annotated[str, Meta(description="The Python interpreter.")]
    record: Annotated[
        dict[str, Any] | UnsetType, Meta(description="The journal's record of the attempt that counts.")
    ] = UNSET
    host: Annotated[str | UnsetType, Meta(description="The machine that ran it.")] = UNSET
    journal: Annotated[str | UnsetType, Meta(description="The journal's file.")] = UNSET
    traceback: Annotated[
        tuple[str, ...], Meta(description="The last frames of the traceback that it printed, if it failed.")
    ] = ()
    files: Annotated[tuple[str, ...], Meta(description="Files that were kept of it, in `folder`.")] = ()
    folder: Annotated[
        str, Meta(description="The folder of `files` in the run directory; empty if none were kept.")
    ] = ""
    partial: Annotated[
        bool, Meta(description="Whether what is kept of it may be incomplete, since it did not end OK.")
    ] = False
    note: Annotated[
        str, Meta(description="Where the run's site cannot be reached: why, and the time of what is shown.")
    ] = ""
    start: Annotated[
        str, Meta(description="How it started: cold, or warm as a fork of a process with its modules.")
    ] = ""
    warm: Annotated[str, Meta(description="How tasks of the wave start, and why; empty: not known.")] = ""
    site: Annotated[str, Meta(description="The site that ran it; empty: this machine.")]
    repeat: Annotated[tuple[str, ...], Meta(description="Lines of a shell that repeat it.")]


def explain(where: Path, name: str | None, task: int | None, conditions: Sequence[str]) -> Explanation:
    """Return what a task ran, where, with what, and how to repeat it by hand."""
    run = find_run(where, name)
    store = open_store(run)
    note = fetch_or_note(store, store.fetch_records)
    outcomes = latest_outcomes(run)
    space = outcomes.space
    index = one_task(space, task, conditions)
    found = last_attempt(outcomes, index)
    failed = found is not None and found[1].outcome == "FAILED"
    seed, seed32 = space.seeds(index)
    wave = found[0].order[0] if found else outcomes.plan.wave
    plan, work = run.plan(wave), run.work(wave)
    header = found[0].header if found else None
    warm = warm_start(run, wave)
    return Explanation(
        run=str(run.path),
        task=index,
        parameters=space[index],
        replicate=space.replicate(index),
        seed=seed,
        seed32=seed32,
        key=space.key(index),
        state=outcomes.fold.state(index),
        wave=wave,
        code=f"code-{plan.code}.tar",
        environment=plan.environment,
        python=work["python"][0],
        record=_facts(found[1]) if found else UNSET,
        host=(header.host if header else "") if found else UNSET,
        journal=found[0].path.name if found else UNSET,
        traceback=tuple(last_frames(printed(run, *found))) if found and failed else (),
        files=tuple(kept_files(run, *found)) if found else (),
        folder=kept_folder(*found) if found else "",
        partial=bool(found and found[1].partial),
        note=note,
        start=found[1].start if found and work["command"] else "",
        warm=warm.sentence if warm else "",
        site=store.remote_site,
        repeat=tuple(repeat(store.path, work, space, index)),
    )


def _facts(record: Record) -> dict[str, Any]:
    """Return the members of a record that have a value, without the result."""
    names = [name for name in record.__struct_fields__ if name not in ("json", "text")]
    values = {name: getattr(record, name) for name in names}
    return {name: value for name, value in values.items() if value not in (None, "", msgspec.UNSET)}


def repeat(run: str, work: dict[str, Any], space: ParameterSpace, index: int) -> list[str]:
    """Return the lines of a shell that run one task again by hand, on the machine that has the run directory."""
    full = with_directory(work, run)
    folders = SlotFolders(str(Path(tempfile.gettempdir()) / f"packhorse-{work['run']}-{index}"), 0, full)
    task = Task(full, space.arithmetic, folders, index)
    rows = [
        f"mkdir -p {shlex.quote(folders.code)} {shlex.quote(folders.scratch)}",
        f"tar -xf {shlex.quote(run + '/' + work['snapshot'])} -C {shlex.quote(folders.code)}",
        f"cd {shlex.quote(folders.study)}",
    ]
    rows += [f"ln -sfn {shlex.quote(target)} {shlex.quote(name)}" for name, target in work["links"]]
    if folders.start != folders.study:
        rows.append(f"cd {shlex.quote(folders.start)}")
    search = ":".join([*folders.search, full["library"]])
    changed = {
        **work["environ"],
        **task_environment(task, inputs_variable(full, folders)),
        "PYTHONPATH": search,
    }
    rows += [f"export {name}={shlex.quote(value)}" for name, value in changed.items()]
    files = {str(Path(folders.root, name)): parameter_file(task, name) for name in work["files"]}
    if task.json_file:
        files[task.json_file] = task_json(task)
    rows += [f"printf %s {shlex.quote(content)} > {shlex.quote(path)}" for path, content in files.items()]
    if work["function"]:
        function = work["function"]
        arguments = ", ".join(f"{name}={value!r}" for name, value in task.parameters.items())
        code = f"import {function['module']}; print({function['module']}.{function['name']}({arguments}))"
        rows.append(shlex.join([*work["python"], "-c", code]))
    else:
        rows.append(shlex.join(fill_command(work["command"], task)))
    return rows
