"""Run finished tasks again and compare the results bit for bit."""

from __future__ import annotations

import random
import shlex
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from msgspec import Meta
from msgspec.structs import replace

from packhorse.execution.local_execution import run_worker
from packhorse.model.errors import RunError
from packhorse.model.json_output import JsonOutput
from packhorse.plan.waves import local_slots
from packhorse.project.reporter import Reporter
from packhorse.project.task_filter import TaskFilter
from packhorse.results.compare import Difference, compare
from packhorse.rundata.outcomes import latest_outcomes, read_outcomes
from packhorse.rundir.directory import RunDirectory, find_run, now
from packhorse.rundir.files import write_file
from packhorse.rundir.lock import RunLock
from packhorse.runtime.capacity import usable_cores
from packhorse.worker.warm.facts import FOLDER as WARM_FOLDER


class Rerun(JsonOutput, frozen=True, kw_only=True, tag="packhorse-rerun/1"):
    """Results of tasks that ran again, compared with the first ones."""

    run: Annotated[str, Meta(description="Path of the run directory.")]
    tasks: Annotated[int, Meta(description="Tasks that ran again.")]
    same: Annotated[int, Meta(description="Tasks with the same result.")]
    differing: Annotated[int, Meta(description="Tasks with another result.")]
    failed: Annotated[int, Meta(description="Tasks without a result this time.")]
    differences: Annotated[tuple[Difference, ...], Meta(description="Values that differ.")]
    said: Annotated[str, Meta(description="The comparison as a sentence.")]


def rerun(  # noqa: PLR0913 - the options of the command
    where: Path,
    name: str | None,
    sample: int,
    conditions: Sequence[str],
    jobs: int | None,
    reporter: Reporter,
    *,
    cold: bool = False,
) -> Rerun:
    """Run a random sample of finished tasks again, each in a new copy of the snapshot; compare results bit for bit.

    They start warm where those of the run do, unless `cold`. Raises RunError where no task has finished.
    """
    run = find_run(where, name)
    outcomes = latest_outcomes(run)
    ranges = TaskFilter(outcomes.space, conditions).within(outcomes.fold.ranges("OK"))
    finished = [index for first, end in ranges for index in range(first, end)]
    if not finished:
        raise RunError(
            "no finished task to run again", f"packhorse run {shlex.quote(run.about().study or 'study.yaml')}"
        )
    picked = random.SystemRandom().sample(finished, min(sample, len(finished)))
    if picked == sorted(picked):
        picked.reverse()  # another order than the first time
    with tempfile.TemporaryDirectory(prefix="rerun-", dir=run.path) as scratch:
        again = _twin(run, outcomes.plan.wave, Path(scratch) / "run", picked, cold=cold)
        plan = again.plan(1)
        slots = local_slots(
            cores=usable_cores(), memory=None, cpus=again.work(1)["cpus"], task_memory=None, asked=jobs
        )
        with RunLock(again.path) as lock:
            run_worker(again, plan, slots=slots, lock=lock.descriptor, reporter=reporter)
        found = compare(outcomes.fold, read_outcomes(again, outcomes.space, {}))
    text = f"{found.same} of {len(picked)} finished tasks had the same result again, bit for bit"
    return Rerun(
        run=str(run.path),
        tasks=len(picked),
        same=found.same,
        differing=len(found.different),
        failed=len(picked) - found.compared,
        differences=tuple(found.differences),
        said=text,
    )


def _twin(run: RunDirectory, wave: int, path: Path, picked: list[int], *, cold: bool) -> RunDirectory:
    """Make a run directory that runs these tasks with the snapshot and environment of a wave."""
    twin = RunDirectory.create(path, run.about().name)
    work, plan = run.work(wave), run.plan(wave)
    space = run.space(plan.space)
    twin.write_space(space)
    for name in (work["snapshot"], "worker.pyz"):
        shutil.copyfile(run.path / name, twin.path / name)
    shutil.copytree(run.path / "library", twin.path / "library", dirs_exist_ok=True)
    if not cold and (run.path / WARM_FOLDER).is_dir():
        shutil.copytree(run.path / WARM_FOLDER, twin.path / WARM_FOLDER)
    else:
        work["warm"] = False
    write_file(twin.path / "study.json", (run.path / "study.json").read_bytes())
    draft = replace(plan, wave=1, kind="rerun", unreadable=(), before={}, first=1, created=now())
    # The probe is worked on in its own order, which ranges have not.
    once_more = replace(draft, tasks=len(picked), probe=tuple(picked), ranges=())
    twin.write_wave(once_more, twin.marked_work(dict(work, wave=1, alone=True)))
    return twin
