"""Run a study on this machine."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from packhorse.execution.local_worker import run_worker
from packhorse.execution.missing_inputs import missing_inputs
from packhorse.execution.preparation import Prepared, code_files, prepare
from packhorse.execution.run_model import OnSite, Options, Outcome, Report, Todo
from packhorse.execution.work_file import work_file
from packhorse.model.errors import RunError
from packhorse.model.plan import Identity, Plan
from packhorse.model.site import Site
from packhorse.model.space import ParameterSpace, inherit
from packhorse.model.study import Study
from packhorse.plan.waves import IndexRange, count, joined, local_slots, plan_wave
from packhorse.preflight.checks import run_checks
from packhorse.preflight.compatibility import Changes
from packhorse.preflight.login_node import MINUTE, check_minute, login_site, too_much
from packhorse.project.reporter import Reporter
from packhorse.project.source import Source
from packhorse.results.fold import Fold
from packhorse.rundata.outcomes import read_outcomes
from packhorse.rundata.progress import WaveEnd
from packhorse.rundata.table import has_results, merge_table, table_notes
from packhorse.rundir.directory import RunDirectory, now
from packhorse.rundir.files import write_file
from packhorse.rundir.worker_archive import keep_archive, task_library
from packhorse.runtime.capacity import available_memory, usable_cores
from packhorse.snapshot.snapshot import changed_files, pack

IDLE_WAVES = 2  # waves without a new result after which something is wrong that repeating does not mend


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
        reporter: Reporter,
        run: RunDirectory,
        lock: int,
        site: OnSite | None = None,
    ) -> None:
        self.source, self.options, self.reporter = source, options, reporter
        self.run, self.lock = run, lock
        self.study: Study = source.study
        self.latest = run.latest()
        self.space = inherited_space(ParameterSpace.of(self.study), run, self.latest)
        self.site = site
        self.prepared: Prepared = prepare(
            source, run.path, remote_environment=site.remote_environment if site else None
        )
        self.first = self.latest.first if self.latest else 1
        self.unchecked = False
        self.attached = (
            True  # our worker is our child, and what a single script prints is passed on as it comes
        )
        self.login: Site | None = None  # of which this machine is a login node
        self.begun_with = 0  # tasks that had a word when this call began
        for note in self.prepared.notes:
            reporter.say(note)
        for path, why in self.prepared.left_out:
            reporter.say(f"left out of the snapshot: {path} ({why})")

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
            self.reporter.warn(end.again)
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
        end = run_worker(
            self.run,
            plan,
            slots=self._slots(),
            lock=self.lock,
            reporter=self.reporter,
            seconds=MINUTE if self.login else 0.0,
        )
        if end.how == "died":
            end.cause = end.cause or f"the worker died; see {self.run.path / 'logs' / 'worker.log'}"
        return end

    def _fold(self) -> Fold:
        return read_outcomes(self.run, self.space, self.study.defaults, self.first)

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
        return changes.settled(keep=self.options.keep, old_code=self.options.old_code, reporter=self.reporter)

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
            cores=usable_cores(),
            memory=available_memory(),
            cpus=resources.cpus,
            task_memory=resources.memory,
            asked=1 if self.login else self.options.jobs,
        )

    def _write_files(self, identity: Identity) -> None:
        """Write everything of the run but its waves."""
        path = self.run.path
        write_file(path / "study.yaml", self.source.text)
        write_file(path / "study.json", msgspec.json.encode(replace(self.study, factors=())))
        self.run.write_space(self.space)
        keep_archive(path / "worker.pyz")
        for name, text in task_library().items():
            write_file(path / "library" / name, text)
        if not self._tar(identity).exists():
            pack(self.prepared.files, self._tar(identity))
        said = dict(self.prepared.provenance, created=now(), run=msgspec.to_builtins(self.run.about()))
        said["sources"] = list(self.source.sources)
        said["identity"] = msgspec.to_builtins(identity)
        write_file(path / "provenance.json", msgspec.json.format(msgspec.json.encode(said), indent=1))

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
        if self.site is not None and not self.site.store.claim_wave(wave):
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
        return self.run.marked_work(work)

    def _work_here(self, plan: Plan) -> dict[str, Any]:
        """Return the work file for this machine, also where tasks run elsewhere."""
        if self.site is None:
            return self._work(plan)
        prepared = prepare(self.source, self.run.path)
        return self.run.marked_work(work_file(self.source, prepared, plan, self.space))

    def _checks(self, identity: Identity) -> bool:
        if not self.study.checks:
            return False
        if self.site is not None:
            self.reporter.say("the study's checks run here, with this machine's environment")
        plan = Plan(wave=0, space=self.space.digest, total=self.space.size, tasks=0, code=identity.code)
        return run_checks(
            self.run,
            self.study.checks,
            self._work_here(plan),
            identity,
            unchecked=self.options.unchecked,
            reporter=self.reporter,
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
                absent=tuple(missing_inputs(fold, self.source, self.prepared, end.cause if end else "")),
                git=self.prepared.provenance["git"],
                summary=self.study.summary is not None,
                given=has_results(merged, self.space),
                kept=self._kept() if self.options.everything else None,
            ),
        )


def to_do(fold: Fold) -> list[IndexRange]:
    """Return the tasks without a final word: those never finished, and those a deadline cut off."""
    return joined([*fold.missing(), *fold.ranges("UNFINISHED")])


def inherited_space(space: ParameterSpace, run: RunDirectory, latest: Plan | None) -> ParameterSpace:
    """Return the space with every level that the last plan had in the very form it had there."""
    if latest is None or latest.space == space.digest:
        return space
    return inherit(space, run.space(latest.space))
