"""What one task ran, and how to repeat it by hand."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from packhorse.model.space import ParameterSpace
from packhorse.project.task_filter import one_task
from packhorse.remote.open_store import open_store
from packhorse.rundata.outcomes import latest_outcomes
from packhorse.rundir.directory import find_run


def explain(where: Path, said: str | None, task: int | None, chosen: Sequence[str]) -> dict[str, Any]:
    """Return what a task ran, where, with what, and how to repeat it by hand."""
    run = find_run(where, said)
    store = open_store(run)
    store.bring()
    words = latest_outcomes(run)
    index = one_task(words.space, task, chosen)
    found = words.fold.record(index)
    seed, seed32 = words.space.seeds(index)
    wave = found[0].order[0] if found else words.plan.wave
    answer: dict[str, Any] = {
        "run": str(run.path),
        "task": index,
        "parameters": words.space[index],
        "replicate": words.space.replicate(index),
        "seed": seed,
        "seed32": seed32,
        "key": words.space.key(index),
        "state": words.fold.state(index),
        "wave": wave,
    }
    plan, work = run.plan(wave), run.work(wave)
    answer |= {"code": f"code-{plan.code}.tar", "environment": plan.environment, "python": work["python"][0]}
    if found:
        journal, record = found
        about = {
            name: getattr(record, name) for name in record.__struct_fields__ if name not in ("json", "text")
        }
        kept = {name: value for name, value in about.items() if value not in (None, "", msgspec.UNSET)}
        answer["record"] = kept
        answer["host"] = journal.header.host if journal.header else ""
        answer["journal"] = journal.path.name
    answer["site"] = store.transport.site.name if store.far else ""
    answer["repeat"] = repeat(store.path, work, words.space, index)
    return answer


def repeat(run: str, work: dict[str, Any], space: ParameterSpace, index: int) -> list[str]:
    """Return the lines of a shell that run one task again by hand, where the run's directory is."""
    from packhorse.worker.tasks.environment import task_environment
    from packhorse.worker.tasks.slot_folders import SlotFolders
    from packhorse.worker.tasks.task import Task, fill_template
    from packhorse.worker.work_file import with_directory

    full = with_directory(work, run)
    folders = SlotFolders(str(Path(tempfile.gettempdir()) / f"packhorse-{work['run']}-{index}"), 0, full)
    task = Task(full, space.arithmetic, folders, index)
    rows = [
        f"mkdir -p {shlex.quote(folders.code)} {shlex.quote(folders.scratch)}",
        f"tar -xf {shlex.quote(run + '/' + work['snapshot'])} -C {shlex.quote(folders.code)}",
        f"cd {shlex.quote(folders.study)}",
    ]
    rows += [f"ln -sfn {shlex.quote(target)} {shlex.quote(name)}" for name, target in work["links"]]
    search = ":".join([*folders.search, full["library"]])
    changed = {**work["environ"], **task_environment(task, {}), "PYTHONPATH": search}
    rows += [f"export {name}={shlex.quote(value)}" for name, value in changed.items()]
    if work["function"]:
        said = work["function"]
        arguments = ", ".join(f"{name}={value!r}" for name, value in task.parameters.items())
        code = f"import {said['module']}; print({said['module']}.{said['name']}({arguments}))"
        rows.append(shlex.join([*work["python"], "-c", code]))
    else:
        rows.append(shlex.join(fill_template(parts, task) for parts in work["command"]))
    return rows
