"""Running a study here: plan what is missing, work it off, fold, merge, and say how it went."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from packhorse.app.checks import run_checks
from packhorse.app.collect import merge_table
from packhorse.app.prepare import Prepared, prepare
from packhorse.app.source import Source
from packhorse.app.watch import Outcome, Watcher
from packhorse.app.waves import WaveEnd, work_off
from packhorse.app.words import read_words
from packhorse.app.workfile import work_file
from packhorse.model.errors import RunError
from packhorse.model.plan import Identity, Plan
from packhorse.model.space import ParameterSpace
from packhorse.model.study import Study
from packhorse.plan.waves import IndexRange, count, joined, local_slots, plan_wave
from packhorse.results.fold import Fold
from packhorse.run.archive import task_library, worker_archive
from packhorse.run.directory import RunDirectory, now
from packhorse.run.files import write
from packhorse.run.local import cores, memory
from packhorse.run.lock import RunLock
from packhorse.run.snapshot import pack
from packhorse.run.survivors import end_survivors

IDLE_WAVES = 2  # waves without a new result after which something is wrong that repeating does not mend


class Options(Struct, frozen=True, kw_only=True):
    """How to run: where, how many at a time, and what to do about changes."""

    run: Path | None = None
    jobs: int | None = None
    fresh: bool = False
    keep: bool = False
    old_code: bool = False
    unchecked: bool = False
    everything: bool = False
    retry: tuple[IndexRange, ...] | None = None


def run_study(source: Source, options: Options, watcher: Watcher) -> Outcome:
    """Run what is missing of a study on this machine and merge its table.

    Raises RunError where the run is locked or changed, CheckError where a check fails, and leaves it to the
    caller to judge failed tasks by the outcome.
    """
    begun = time.monotonic()
    directory = options.run or source.folder / "runs" / source.study.name
    run = open_run(directory, source)
    with RunLock(run.path) as lock:
        ended = end_survivors(run.mark())
        if ended:
            watcher.say(f"ended {ended} process(es) that an interrupted run had left")
        runner = Runner(source, options, watcher, run, lock.descriptor)
        end = runner.work()
        return runner.close(end, begun)


def open_run(directory: Path, source: Source) -> RunDirectory:
    """Open a study's run directory, or make it."""
    run = RunDirectory(directory.absolute())
    if run.exists:
        about = run.about()
        if about.name != source.study.name:
            message = f"{run.path} is the run of the study {about.name!r}, not of {source.study.name!r}"
            raise RunError(message, "choose another directory with --run, or another name in the study")
        return run
    if run.path.exists() and any(run.path.iterdir()):
        raise RunError(f"{run.path} exists, is not empty and is not a run", "choose another directory with --run")
    return RunDirectory.create(run.path, source.study.name, str(source.path or ""))


class Runner:
    """One call of `run` on one run directory."""

    def __init__(self, source: Source, options: Options, watcher: Watcher, run: RunDirectory, lock: int) -> None:
        self.source, self.options, self.watcher = source, options, watcher
        self.run, self.lock = run, lock
        self.study: Study = source.study
        self.latest = run.latest()
        self.space = grown_space(ParameterSpace.of(self.study), run, self.latest)
        self.prepared: Prepared = prepare(source, run.path)
        self.first = self.latest.first if self.latest else 1
        for note in self.prepared.notes:
            watcher.say(note)
        for path, why in self.prepared.left_out:
            watcher.say(f"left out of the snapshot: {path} ({why})")

    def work(self) -> WaveEnd | None:
        """Work off waves until nothing is missing or nothing moves."""
        if self.options.fresh and self.latest:
            self.first = self.latest.wave + 1
        fold = self._fold()
        identity = self._identity(fold)
        ranges = list(self.options.retry) if self.options.retry is not None else to_do(fold)
        kind = "run" if self.options.retry is None else "retry"
        if not ranges:
            return None
        self._write_files(identity)
        unchecked = self._checks(identity)
        idle = 0
        while True:
            before = fold.counts["OK"]
            plan = self._plan(fold, ranges, kind, identity, unchecked)
            self.run.write_wave(plan, self._work(plan))
            end = work_off(
                self.run, plan, slots=self._slots(), lock=self.lock, watcher=self.watcher, tee=self.options.everything
            )
            fold = self._fold()
            ranges, kind = to_do(fold), "run"
            idle = idle + 1 if fold.counts["OK"] == before else 0
            if end.how not in ("done", "died") or not ranges or idle >= IDLE_WAVES:
                if end.how == "died":
                    end.cause = end.cause or f"the worker died; see {self.run.path / 'logs' / 'worker.log'}"
                return end
            self.watcher.warn("the worker died; its unfinished tasks run again")

    def _fold(self) -> Fold:
        return read_words(self.run, self.space, self.study.defaults, self.first)

    def _identity(self, fold: Fold) -> Identity:
        """Return the digests this wave works under; refuse silent mixing of old and new results."""
        now_is = self.prepared.identity
        done = fold.counts["OK"]
        if self.latest is None or not done or self.options.fresh or self.options.keep:
            return now_is
        before = Identity(code=self.latest.code, environment=self.latest.environment, data=self.latest.data)
        if self.options.old_code:
            return Identity(code=before.code, environment=now_is.environment, data=now_is.data)
        changed = [name for name in ("code", "environment", "data") if getattr(before, name) != getattr(now_is, name)]
        changed += self._changed_seeds()
        missing = count(to_do(fold)) if self.options.retry is None else count(self.options.retry)
        if not changed:
            return now_is
        what = " and ".join(changed)
        if not missing:
            self.watcher.warn(f"the {what} changed since these results were made; --fresh runs all again")
            return before
        said = f"packhorse run {self.source.path or ''}".strip()
        ways = [f"{said} --keep      keep the {done} finished tasks, run the other {missing} with what is here now"]
        if "code" in changed:
            ways.append(f"{said} --old-code  run the other {missing} with the code of the finished tasks")
        ways.append(f"{said} --fresh     run all again")
        raise RunError(f"the {what} changed since {done} tasks finished", "\n".join(ways))

    def _changed_seeds(self) -> list[str]:
        """Return whether finished tasks had other seeds than the same tasks would have now."""
        assert self.latest is not None
        old, new = self.run.space(self.latest.space).frozen, self.space.frozen
        return [name for name in ("seed", "seeding") if old[name] != new[name]]

    def _slots(self) -> int:
        resources = self.study.resources
        return local_slots(
            cores=cores(), memory=memory(), cpus=resources.cpus, task_memory=resources.memory, asked=self.options.jobs
        )

    def _write_files(self, identity: Identity) -> None:
        """Write everything of the run but its waves."""
        path = self.run.path
        write(path / "study.yaml", self.source.text)
        write(path / "study.json", msgspec.json.encode(replace(self.study, factors=())))
        self.run.write_space(self.space)
        archive = worker_archive()
        if not (path / "worker.pyz").exists() or (path / "worker.pyz").read_bytes() != archive:
            write(path / "worker.pyz", archive)
        for name, text in task_library().items():
            write(path / "library" / name, text)
        if not self._tar(identity).exists():
            pack(self.prepared.files, self._tar(identity))
        said = dict(self.prepared.provenance, created=now(), run=msgspec.to_builtins(self.run.about()))
        said["sources"] = list(self.source.sources)
        said["identity"] = msgspec.to_builtins(identity)
        write(path / "provenance.json", msgspec.json.format(msgspec.json.encode(said), indent=1))

    def _tar(self, identity: Identity) -> Path:
        return self.run.path / f"code-{identity.code}.tar"

    def _plan(
        self, fold: Fold, ranges: list[IndexRange], kind: str, identity: Identity, unchecked: bool
    ) -> Plan:
        waves = self.run.waves()
        before = {name: number for name, number in fold.counts.items() if number and name != "MISSING"}
        if kind == "retry":
            for a, b in ranges:
                for index in range(a, b):
                    before[fold.state(index)] -= 1
        return plan_wave(
            wave=waves[-1] + 1 if waves else 1,
            kind=kind,
            space=self.space.digest,
            total=self.space.size,
            ranges=ranges,
            identity=identity,
            before=before,
            first=self.first,
            unchecked=unchecked,
            created=now(),
            slots=self._slots(),
        )

    def _work(self, plan: Plan) -> dict[str, Any]:
        return work_file(
            self.source,
            self.prepared,
            plan,
            self.space,
            run=self.run.about().id,
            mark=self.run.mark(),
            everything=self.options.everything,
        )

    def _checks(self, identity: Identity) -> bool:
        if not self.study.checks:
            return False
        plan = Plan(wave=0, space=self.space.digest, total=self.space.size, tasks=0, code=identity.code)
        return run_checks(
            self.run,
            self.study.checks,
            self._work(plan),
            identity,
            unchecked=self.options.unchecked,
            watcher=self.watcher,
        )

    def close(self, end: WaveEnd | None, begun: float) -> Outcome:
        """Merge the table and say how the run stands."""
        fold = self._fold()
        report = merge_table(self.run, self.space, fold, self.study, self.prepared.identity.code)
        counts = fold.counts
        failed = sum(number for name, number in counts.items() if name not in ("OK", "MISSING"))
        stopped = "" if end is None or end.how == "done" else end.how
        return Outcome(
            run=str(self.run.path),
            name=self.study.name,
            tasks=self.space.size,
            done=counts["OK"],
            failed=failed,
            missing=counts["MISSING"],
            seconds=round(time.monotonic() - begun, 3),
            results=str(self.run.path / "results.parquet") if report.rows else "",
            stopped=stopped,
            report=Close(report, fold, end),
        )


class Close:
    """What the command line tells at the end: the merge, the words, and why the last wave ended."""

    def __init__(self, merge: Any, fold: Fold, end: WaveEnd | None) -> None:
        self.merge, self.fold, self.end = merge, fold, end


def to_do(fold: Fold) -> list[IndexRange]:
    """Return the tasks without a final word: those never finished, and those a deadline cut off."""
    return joined([*fold.missing(), *fold.ranges("UNFINISHED")])


def grown_space(space: ParameterSpace, run: RunDirectory, latest: Plan | None) -> ParameterSpace:
    """Return the space with every level that the last plan had in the very form it had there."""
    if latest is None or latest.space == space.digest:
        return space
    from packhorse.model.space import inherit

    return inherit(space, run.space(latest.space))


