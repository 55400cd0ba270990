"""Running a study here: plan what is missing, work it off, fold, merge, and say how it went."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from packhorse.app.absent import absent_files
from packhorse.app.arriving import OnSite
from packhorse.app.changes import Changes
from packhorse.app.checks import run_checks
from packhorse.app.collect import has_results, merge_table, table_notes
from packhorse.app.login import MINUTE, check_minute, login_site, too_much
from packhorse.app.prepare import Prepared, code_files, prepare
from packhorse.app.source import Source
from packhorse.app.watch import Outcome, Watcher
from packhorse.app.waves import WaveEnd, work_off
from packhorse.app.words import read_words
from packhorse.app.workfile import work_file
from packhorse.model.errors import RunError
from packhorse.model.plan import Identity, Plan
from packhorse.model.site import Site
from packhorse.model.space import ParameterSpace, inherit
from packhorse.model.study import Study
from packhorse.plan.waves import IndexRange, count, joined, local_slots, plan_wave
from packhorse.results.fold import Fold
from packhorse.results.table import MergeReport
from packhorse.run.archive import keep_archive, task_library
from packhorse.run.directory import RunDirectory, now
from packhorse.run.files import write
from packhorse.run.local import cores, memory
from packhorse.run.lock import RunLock
from packhorse.run.snapshot import changed_files, pack
from packhorse.run.submissions import Submissions
from packhorse.run.survivors import end_survivors

if TYPE_CHECKING:  # runs on this machine need none of it
    from packhorse.app.carrier import Carrier

IDLE_WAVES = 2  # waves without a new result after which something is wrong that repeating does not mend


class Retry(Struct, frozen=True, kw_only=True):
    """Tasks to run once more; `unreadable` are those among them that ended well with a result nobody can read."""

    ranges: tuple[IndexRange, ...]
    unreadable: tuple[IndexRange, ...] = ()


class Todo(Struct, frozen=True, kw_only=True):
    """What the next wave has to do: these tasks, for this code, environment and data."""

    fold: Fold
    ranges: list[IndexRange]
    identity: Identity
    retry: Retry | None = None


class Options(Struct, frozen=True, kw_only=True):
    """How to run: where, how many at a time, and what to do about changes."""

    run: Path | None = None
    jobs: int | None = None
    fresh: bool = False
    keep: bool = False
    old_code: bool = False
    unchecked: bool = False
    everything: bool = False
    here: bool = False  # on this machine, also where it is a login node
    retry: Retry | None = None


def run_study(source: Source, options: Options, watcher: Watcher) -> Outcome:
    """Run what is missing of a study on this machine and merge its table.

    Raises RunError where the run is locked or changed, CheckError where a check fails, and leaves it to the
    caller to judge failed tasks by the outcome.
    """
    begun = time.monotonic()
    directory = options.run or source.folder / "runs" / source.study.name
    run = open_run(directory, source)
    with RunLock(run.path) as lock:
        stays = leave_site(run)
        if stays:
            watcher.say(stays)
        ended = end_survivors(run.mark())
        if ended:
            watcher.say(f"ended {ended} process(es) that an interrupted run had left")
        runner = Runner(source, options, watcher, run, lock.descriptor)
        end = runner.work()
        return runner.close(end, begun)


def leave_site(run: RunDirectory, carrier: Carrier | None = None, *, keep: bool = False) -> str:
    """Take a run from its site with all that it has there, but for the note where it was if `keep`.

    Return a sentence about what stays there. Raises RunError while jobs wait or run there.
    """
    kept = Submissions(run)
    cluster = kept.cluster()
    if cluster is None:
        return ""
    from packhorse.app.carrier import carrier_of
    from packhorse.app.queue import Queue
    from packhorse.app.standing import standing, standing_line

    carrier, site = carrier or carrier_of(run), cluster.site.name
    queue = Queue(cluster.site, carrier.reach)
    with carrier.open():
        found = standing(run, queue, queue.jobs(0))
        if found.alive or found.state == "unknown":
            raise RunError(
                f"this run is on the site {site}: {standing_line(found)}",
                f"packhorse run --site {site} follows it; packhorse cancel {run.path} ends it",
            )
        if keep:
            return ""
        stays = carrier.leave()
    kept.forget_cluster()
    return stays


def open_run(directory: Path, source: Source) -> RunDirectory:
    """Open a study's run directory, or make it."""
    run = RunDirectory(directory.absolute())
    if run.is_foreign:
        message = f"{run.path} exists, is not empty and is not a run"
        raise RunError(message, "choose another directory with --run")
    if not run.exists:
        RunDirectory.create(run.path, source.study.name, str(source.path or ""))
    about = run.about()
    if about.name != source.study.name:
        message = f"{run.path} is the run of the study {about.name!r}, not of {source.study.name!r}"
        raise RunError(message, "choose another directory with --run, or another name in the study")
    return run


class Runner:
    """One call of `run` on one run directory."""

    def __init__(
        self,
        source: Source,
        options: Options,
        watcher: Watcher,
        run: RunDirectory,
        lock: int,
        site: OnSite | None = None,
    ) -> None:
        self.source, self.options, self.watcher = source, options, watcher
        self.run, self.lock = run, lock
        self.study: Study = source.study
        self.latest = run.latest()
        self.space = grown_space(ParameterSpace.of(self.study), run, self.latest)
        self.site = site
        self.prepared: Prepared = prepare(source, run.path, abroad=site.abroad if site else None)
        self.first = self.latest.first if self.latest else 1
        self.unchecked = False
        self.attached = (
            True  # our worker is our child, and what a single script prints is passed on as it comes
        )
        self.login: Site | None = None  # of which this machine is a login node
        self.begun_with = 0  # tasks that had a word when this call began
        for note in self.prepared.notes:
            watcher.say(note)
        for path, why in self.prepared.left_out:
            watcher.say(f"left out of the snapshot: {path} ({why})")

    def work(self) -> WaveEnd | None:
        """Work off waves here until nothing is missing or nothing moves."""
        todo = self.begin()
        if todo is None:
            return None
        if not self.options.here:
            self.login = login_site(self.source)
        if self.login is not None:
            check_minute(self.source, self.login, count(todo.ranges), todo.fold)
        end = self._wave(self.plan(todo, self._slots()))
        if self.login is not None and end.how == "deadline":
            raise too_much(self.source, self.login, "a minute has passed, and what is finished is kept")
        fold, idle = todo.fold, 0
        while True:
            before, fold = fold.counts["OK"], self._fold()
            ranges = to_do(fold)
            idle = idle + 1 if fold.counts["OK"] == before else 0
            if end.how not in ("done", "died") or not ranges or idle >= IDLE_WAVES:
                return end
            self.watcher.warn(end.again)
            end = self._wave(self.plan(Todo(fold=fold, ranges=ranges, identity=todo.identity), self._slots()))

    def begin(self) -> Todo | None:
        """Find what is missing, settle what changed, write the run's files and pass the checks."""
        if self.options.fresh and self.latest:
            self.first = self.latest.wave + 1
        fold = self._fold()
        self.begun_with = fold.size - fold.counts["MISSING"]
        retry = self.options.retry
        ranges = to_do(fold) if retry is None else list(retry.ranges)
        identity = self._identity(fold, ranges)
        if not ranges:
            return None
        self._write_files(identity)
        self.unchecked = self._checks(identity)
        return Todo(fold=fold, ranges=ranges, identity=identity, retry=retry)

    def write_wave(self, plan: Plan) -> None:
        """Write a wave, and remove what a killed one left halfway."""
        self.run.write_wave(plan, self._work(plan))
        self.run.clear_leftovers()

    def _wave(self, plan: Plan) -> WaveEnd:
        self.write_wave(plan)
        end = work_off(
            self.run,
            plan,
            slots=self._slots(),
            lock=self.lock,
            watcher=self.watcher,
            seconds=MINUTE if self.login else 0.0,
        )
        if end.how == "died":
            end.cause = end.cause or f"the worker died; see {self.run.path / 'logs' / 'worker.log'}"
        return end

    def _fold(self) -> Fold:
        return read_words(self.run, self.space, self.study.defaults, self.first)

    def _identity(self, fold: Fold, ranges: list[IndexRange]) -> Identity:
        """Return the digests this wave works under."""
        now_is = self.prepared.identity
        if self.latest is None or not fold.counts["OK"] or self.options.fresh:
            return now_is
        changes = Changes(
            before=Identity(
                code=self.latest.code, environment=self.latest.environment, data=self.latest.data
            ),
            now=now_is,
            seeds=self._changed_seeds(self.latest),
            done=fold.counts["OK"],
            missing=count(ranges),
            command=f"packhorse run {self.source.path or self.run.path}",
            files=self._changed_files(self.latest, now_is),
        )
        return changes.settled(keep=self.options.keep, old_code=self.options.old_code, watcher=self.watcher)

    def _changed_files(self, latest: Plan, now_is: Identity) -> tuple[str, ...]:
        tar = self.run.path / f"code-{latest.code}.tar"
        if latest.code == now_is.code or not tar.exists():
            return ()
        code = code_files(self.source, self.prepared.files)
        return tuple(changed_files(tar, self.prepared.files, code))

    def _changed_seeds(self, latest: Plan) -> tuple[str, ...]:
        """Return whether finished tasks had other seeds than the same tasks would have now."""
        old, new = self.run.space(latest.space).frozen, self.space.frozen
        return tuple(name for name in ("seed", "seeding") if old[name] != new[name])

    def _slots(self) -> int:
        resources = self.study.resources
        return local_slots(
            cores=cores(),
            memory=memory(),
            cpus=resources.cpus,
            task_memory=resources.memory,
            asked=1 if self.login else self.options.jobs,
        )

    def _write_files(self, identity: Identity) -> None:
        """Write everything of the run but its waves."""
        path = self.run.path
        write(path / "study.yaml", self.source.text)
        write(path / "study.json", msgspec.json.encode(replace(self.study, factors=())))
        self.run.write_space(self.space)
        keep_archive(path / "worker.pyz")
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

    def plan(self, todo: Todo, slots: int) -> Plan:
        """Return the plan of the next wave, whose first tasks fill `slots`."""
        fold, ranges, identity, retry = todo.fold, todo.ranges, todo.identity, todo.retry
        before = {name: number for name, number in fold.counts.items() if number and name != "MISSING"}
        if retry is None:
            before.pop("UNFINISHED", None)  # all of them are in the new wave
        for a, b in ranges if retry else ():
            for index in range(a, b):
                before[fold.state(index)] = before.get(fold.state(index), 0) - 1
        draft = Plan(
            wave=self._claim_wave(),
            kind="retry" if retry else "run",
            space=self.space.digest,
            code=identity.code,
            environment=identity.environment,
            data=identity.data,
            total=self.space.size,
            tasks=count(ranges),
            unreadable=retry.unreadable if retry else (),
            before={name: number for name, number in before.items() if number > 0},
            first=self.first,
            unchecked=self.unchecked,
            created=now(),
        )
        return plan_wave(draft, ranges, slots=slots)

    def _claim_wave(self) -> int:
        """Return the number of the next wave, which is ours."""
        wave = self.run.claim_wave()
        if self.site is not None and not self.site.carrier.claim(wave):
            (self.run.path / "waves" / str(wave)).rmdir()
            raise RunError("another wave of this run began meanwhile", "the same command follows it")
        return wave

    def _work(self, plan: Plan) -> dict[str, Any]:
        work = work_file(
            self.source,
            self.prepared,
            plan,
            self.space,
            everything=self.options.everything,
            data=self.site.places(self.prepared.data) if self.site else None,
        )
        work["tee"] = work["tee"] and self.attached
        return self.run.owned(work)

    def _work_here(self, plan: Plan) -> dict[str, Any]:
        """Return the work file for this machine, also where tasks run elsewhere."""
        if self.site is None:
            return self._work(plan)
        prepared = prepare(self.source, self.run.path)
        return self.run.owned(work_file(self.source, prepared, plan, self.space))

    def _checks(self, identity: Identity) -> bool:
        if not self.study.checks:
            return False
        if self.site is not None:
            self.watcher.say("the study's checks run here, with this machine's environment")
        plan = Plan(wave=0, space=self.space.digest, total=self.space.size, tasks=0, code=identity.code)
        return run_checks(
            self.run,
            self.study.checks,
            self._work_here(plan),
            identity,
            unchecked=self.options.unchecked,
            watcher=self.watcher,
        )

    def _kept(self) -> tuple[Path, ...]:
        folder = self.run.path / "artifacts"
        return tuple(sorted(path for path in folder.rglob("*") if path.is_file()))

    def close(self, end: WaveEnd | None, begun: float) -> Outcome:
        """Merge the table and say how the run stands."""
        fold = self._fold()
        latest = self.run.latest()  # with --old-code its code is not the one that is here now
        merged = merge_table(self.run, self.space, fold, self.study, latest.code if latest else "")
        unreadable = len(merged.unreadable)
        failed = sum(number for name, number in fold.counts.items() if name not in ("OK", "MISSING"))
        return Outcome(
            run=str(self.run.path),
            name=self.study.name,
            tasks=self.space.size,
            done=fold.counts["OK"] - unreadable,
            failed=failed + unreadable,
            missing=fold.counts["MISSING"],
            ran=max(0, fold.size - fold.counts["MISSING"] - self.begun_with),
            seconds=round(time.monotonic() - begun, 3),
            results=str(self.run.path / "results.parquet") if merged.rows else "",
            stopped="" if end is None or end.how == "done" else end.how,
            report=Report(
                end=end,
                fold=fold,
                merge=merged,
                notes=tuple(table_notes(merged, self.space, self.study)),
                absent=tuple(absent_files(fold, self.source, self.prepared, end.cause if end else "")),
                git=self.prepared.provenance["git"],
                summary=self.study.summary is not None,
                given=has_results(merged, self.space),
                kept=self._kept() if self.options.everything else None,
            ),
        )


class Report(Struct, frozen=True, kw_only=True):
    """What is told at the end of a run: why its last wave ended, the words, the table, and what to know."""

    end: WaveEnd | None
    fold: Fold
    merge: MergeReport
    notes: tuple[str, ...]
    absent: tuple[str, ...]
    git: dict[str, Any]
    summary: bool
    given: bool  # whether any task gave a result beside its record
    kept: tuple[Path, ...] | None = None  # what a single script wrote, when one was run


def to_do(fold: Fold) -> list[IndexRange]:
    """Return the tasks without a final word: those never finished, and those a deadline cut off."""
    return joined([*fold.missing(), *fold.ranges("UNFINISHED")])


def grown_space(space: ParameterSpace, run: RunDirectory, latest: Plan | None) -> ParameterSpace:
    """Return the space with every level that the last plan had in the very form it had there."""
    if latest is None or latest.space == space.digest:
        return space
    return inherit(space, run.space(latest.space))
