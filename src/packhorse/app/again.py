"""Tasks once more: failed ones for a result, finished ones to see whether the result is the same."""

from __future__ import annotations

import math
import random
import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from packhorse.app.carrier import carrier_of
from packhorse.app.collect import collect
from packhorse.app.run import Options, Retry, to_do
from packhorse.app.select import Chosen
from packhorse.app.sites import site_name
from packhorse.app.source import Source, from_file, from_study
from packhorse.app.watch import Watcher
from packhorse.app.waves import work_off
from packhorse.app.words import latest_words, read_words
from packhorse.model.errors import RunError, UsageError
from packhorse.model.study import Study
from packhorse.plan.waves import joined, local_slots, plan_wave
from packhorse.results.fold import to_ranges
from packhorse.run.directory import RunDirectory, find_run, now
from packhorse.run.files import write
from packhorse.run.local import cores
from packhorse.run.lock import RunLock
from packhorse.run.submissions import Submissions
from packhorse.text import units


def retry_source(
    where: Path, said: str | None, chosen: Sequence[str], options: dict[str, Any], place: dict[str, Any]
) -> tuple[Source, Options, dict[str, Any]]:
    """Return the study of a run, the options that run its failed tasks again, and where.

    `options` may hold `memory` and `time` (a size, or `2x`: so many times as much) and `lost`. `place` is what the
    command line says of the site; without one, it is the run's own, as it was, asked for what it was asked for.
    """
    run = find_run(where, said)
    carrier_of(run).bring_all()
    cluster = Submissions(run).cluster()
    site = site_name(place["site"], where) if "site" in place else None
    if cluster is not None and site is None:
        site = cluster.site.name
        called = cluster.chosen.get("site", site)
        place = {**cluster.chosen, **place, "site": cluster.site, "called": called}
    words = latest_words(run)
    only = Chosen(words.space, chosen)
    memory, time, lost = (options.pop(name, None) for name in ("memory", "time", "lost"))
    source = more(source_of(run, site), memory, time)
    if lost:
        gone = only.within(to_do(words.fold))
        if not gone:
            raise RunError("no lost task to run again", f"packhorse status {run.path}")
        return source, Options(run=run.path, retry=Retry(ranges=tuple(gone)), **options), place
    failed = only.within(words.fold.ranges("FAILED", "TIMEOUT", "MEMORY", "UNFINISHED"))
    # Whether a result can be read is known only to who reads it.
    unreadable = only.within(to_ranges(sorted(collect(run).merge.unreadable)))
    if not failed and not unreadable:
        raise RunError("no failed task to run again", f"packhorse status {run.path}")
    retry = Retry(ranges=tuple(joined([*failed, *unreadable])), unreadable=tuple(unreadable))
    return source, Options(run=run.path, retry=retry, **options), place


def more(source: Source, memory: str | None, time: str | None) -> Source:
    """Return a study whose tasks ask for other memory and time."""
    study = source.study
    resources = study.resources
    if memory:
        resources = replace(resources, memory=_scaled(memory, resources.memory, "memory", units.memory))
    limit = study.time_limit
    if time:
        if resources.time is None and limit is None and time.lower().endswith("x"):
            _nothing_to_scale(time, "time")
        if resources.time is not None or not time.lower().endswith("x"):
            resources = replace(resources, time=_scaled(time, resources.time, "time", units.duration))
        limit = None if limit is None else float(_scaled(time, limit, "time", units.duration))
    return replace(source, study=replace(study, resources=resources, time_limit=limit))


def _scaled(said: str, now_is: float | None, what: str, parse: Callable[[str, str], float]) -> int:
    """Return an amount: as it is said, or so many times what it was."""
    number = re.fullmatch(r"(\d+(?:\.\d+)?)\s*[x×]", said.strip(), re.IGNORECASE)
    if number is None:
        return math.ceil(parse(said, f"--{what}"))
    if now_is is None:
        _nothing_to_scale(said, what)
    assert now_is is not None
    return math.ceil(float(number[1]) * now_is)


def _nothing_to_scale(said: str, what: str) -> None:
    message = f"--{what} {said}: the study names no {what} that could be multiplied"
    raise UsageError(message, f"say an amount with its unit: --{what} {'4GB' if what == 'memory' else '2h'}")


def source_of(run: RunDirectory, site: str | None = None) -> Source:
    """Return the study of a run: its file where that is still there, else as it was last planned."""
    about = run.about()
    if about.study and Path(about.study).exists():
        return from_file(about.study, site)
    plan = run.latest()
    if plan is None:
        raise run.unplanned()
    study = msgspec.json.decode((run.path / "study.json").read_bytes(), type=Study)
    study = replace(study, factors=run.space(plan.space).factors)
    said = msgspec.json.decode((run.path / "provenance.json").read_bytes())
    text = (run.path / "study.yaml").read_text(encoding="utf-8")
    return from_study(study, text, Path(said["folder"]), said.get("sources", ()))


def rerun(
    where: Path, said: str | None, sample: int, chosen: Sequence[str], jobs: int | None, watcher: Watcher
) -> dict[str, Any]:
    """Run a random sample of finished tasks again from the snapshot; compare results bit for bit."""
    from packhorse.results.compare import compare

    run = find_run(where, said)
    words = latest_words(run)
    finished = [
        i for a, b in Chosen(words.space, chosen).within(words.fold.ranges("OK")) for i in range(a, b)
    ]
    if not finished:
        raise RunError("no finished task to run again", f"packhorse run {run.about().study or 'study.yaml'}")
    picked = sorted(random.SystemRandom().sample(finished, min(sample, len(finished))))
    with tempfile.TemporaryDirectory(prefix="rerun-", dir=run.path) as scratch:
        again = _twin(run, words.plan.wave, Path(scratch) / "run", picked)
        plan = again.plan(1)
        slots = local_slots(
            cores=cores(), memory=None, cpus=again.work(1)["cpus"], task_memory=None, asked=jobs
        )
        with RunLock(again.path) as lock:
            work_off(again, plan, slots=slots, lock=lock.descriptor, watcher=watcher)
        found = compare(words.fold, read_words(again, words.space, {}))
    said = f"{found.same} of {len(picked)} finished tasks gave the same result again, bit for bit"
    return {
        "run": str(run.path),
        "tasks": len(picked),
        "same": found.same,
        "differing": len(found.different),
        "failed": len(picked) - found.compared,
        "differences": [msgspec.to_builtins(one) for one in found.differences],
        "said": said,
    }


def _twin(run: RunDirectory, wave: int, path: Path, picked: list[int]) -> RunDirectory:
    """Make a run directory that runs these tasks with the snapshot and environment of a wave."""
    twin = RunDirectory.create(path, run.about().name)
    work, plan = run.work(wave), run.plan(wave)
    space = run.space(plan.space)
    twin.write_space(space)
    for name in (work["snapshot"], "worker.pyz"):
        shutil.copyfile(run.path / name, twin.path / name)
    shutil.copytree(run.path / "library", twin.path / "library", dirs_exist_ok=True)
    write(twin.path / "study.json", (run.path / "study.json").read_bytes())
    draft = replace(plan, wave=1, kind="rerun", unreadable=(), before={}, first=1, created=now())
    once_more = plan_wave(draft, [(index, index + 1) for index in picked])
    twin.write_wave(once_more, twin.owned(dict(work, wave=1)))
    return twin
