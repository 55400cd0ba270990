"""A wave on this machine that tasks join while it runs: its worker stays up and makes calls as they come."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from msgspec.structs import replace

from packhorse.execution.local_execution import leave_site_of
from packhorse.execution.next_wave import claim_wave
from packhorse.execution.run_context import RunContext, open_run, prepare_run, wave_work, write_run_files
from packhorse.execution.run_model import RunOptions
from packhorse.execution.target import LocalTarget
from packhorse.model.plan import Plan
from packhorse.model.space import ParameterSpace
from packhorse.plan.waves import local_slots
from packhorse.preflight.login_node import login_node_error, login_site
from packhorse.project.cache_dir import copies_parent
from packhorse.project.reporter import Reporter
from packhorse.project.source import Source
from packhorse.results.fold import Fold
from packhorse.results.journal import Record, checked, decode_line, record_decoder
from packhorse.rundata.progress import EndReason, WaveEnd
from packhorse.rundir.directory import RunDirectory, now
from packhorse.rundir.files import write_file
from packhorse.rundir.lock import RunLock
from packhorse.runtime.capacity import available_memory, usable_cores
from packhorse.runtime.survivors import end_survivors
from packhorse.runtime.worker_process import WorkerProcess

CAPACITY = 1 << 40  # calls of a wave that is open
LOCK_SECONDS = 10.0  # for the worker of a killed session to end
PLAN_SECONDS = 2.0  # between two plans of an open wave, for commands that look at the run

SourceOf = Callable[[int], Source]  # the study of so many calls
Found = tuple[Record, Path]  # a record, and the pack that may hold its result


class CallStream:
    """The calls of one run directory, made by a worker of this machine. One thread uses it.

    Raises RunError where the run is in use, SnapshotError for a project that cannot be packed.
    """

    def __init__(self, source_of: SourceOf, options: RunOptions, reporter: Reporter) -> None:
        self.source_of, self.options, self.reporter = source_of, options, reporter
        source = source_of(1)
        login = None if options.here else login_site(source)
        if login is not None:
            raise login_node_error(source, login, "an executor would compute here until it is closed")
        self.run: RunDirectory = open_run(options.run or source.folder / "runs" / source.study.name, source)
        self.lock = RunLock(self.run.path, LOCK_SECONDS, wait=True)
        self.lock.__enter__()
        self.total = 0  # calls so far
        self.slots = 1
        self.end = WaveEnd()
        self.worker: WorkerProcess | None = None
        self.plan: Plan | None = None
        self.reader = JournalReader(self.run.path / "journal")
        self.planned = 0.0
        self.context: RunContext | None = None

    def prepare(self) -> Fold:
        """Take the snapshot, and read what is known of earlier calls."""
        leave_site_of(self.run, self.reporter)
        end_survivors(self.run.mark())
        source = self.source_of(max(1, self.total))
        self.context = prepare_run(source, self.options, self.run, LocalTarget(), self.reporter)
        write_run_files(self.context, self.context.prepared.identity)
        return self.context.fold(merged=False)

    @property
    def identity(self) -> tuple[str, str]:
        """Digests of the code and the environment of the calls."""
        assert self.context is not None
        return self.context.prepared.identity.code, self.context.prepared.identity.environment

    def start(self, fold: Fold) -> None:
        """Open the next wave and start its worker."""
        assert self.context is not None
        context, identity = self.context, self.context.prepared.identity
        capacity = ParameterSpace.of(self.source_of(CAPACITY).study)
        self.run.write_space(capacity)
        before = {name: number for name, number in fold.counts.items() if name != "MISSING" and number}
        self.plan = Plan(
            wave=claim_wave(context),
            space=context.space.digest,
            open=capacity.digest,
            code=identity.code,
            environment=identity.environment,
            data=identity.data,
            total=context.space.size,
            tasks=0,
            before=before,
            first=context.first,
            created=now(),
        )
        work = wave_work(context, self.plan)
        work.update(space=f"space-{capacity.digest}.json", space_digest=capacity.digest)
        work.update(total=CAPACITY, look=False)
        resources = context.study.resources
        self.slots = local_slots(
            cores=usable_cores(),
            memory=available_memory(),
            cpus=resources.cpus,
            task_memory=resources.memory,
            asked=self.options.jobs,
        )
        self.run.write_wave(self.plan, work)
        snapshot = self.run.path / f"code-{identity.code}.tar"
        self.end = WaveEnd()
        self.worker = WorkerProcess(
            self.run.path,
            self.run.work_path(self.plan.wave),
            slots=self.slots,
            lock=self.lock.descriptor,
            scratch=copies_parent(snapshot.stat().st_size * (self.slots + 1)),
            options=("--stream",),
        )
        self.lock.name_process(self.worker.process.pid)  # packhorse cancel ends the worker, not this process
        self.planned = time.monotonic()

    def descriptor(self) -> int:
        """Return the descriptor that becomes readable when the worker has written records, or has ended."""
        assert self.worker is not None
        assert self.worker.process.stdout is not None
        return self.worker.process.stdout.fileno()

    def send(self, first: int, stop: int) -> None:
        """Give the calls first..stop to the worker."""
        assert self.worker is not None
        self.total = max(self.total, stop)
        self.worker.send({"run": [[first, stop]]})

    def records(self) -> Iterator[Found]:
        """Yield the records that are new, each with its pack; `end` says how the worker ended, once it has."""
        assert self.worker is not None
        alive = self.worker.alive()  # first, so that nothing is written after the last look
        for event in self.worker.events():
            if "journal" in event:
                self.reader.stem = event["journal"]
            self.end.record(event, self.reporter)
        yield from self.reader.records()
        if not alive and self.end.how is EndReason.DIED and not self.end.cause:
            self.end.cause = f"the worker died; see {self.run.path / 'logs' / 'worker.log'}"

    def alive(self) -> bool:
        """Return whether the worker runs."""
        return self.worker is not None and self.worker.alive()

    def keep_plan(self, calls: int, *, finally_: bool = False) -> None:
        """Write the plan again for so many calls, so that status and tables count them; seldom, unless at the end."""
        if self.plan is None or (not finally_ and time.monotonic() - self.planned < PLAN_SECONDS):
            return
        self.planned = time.monotonic()
        known = sum(self.plan.before.values())
        if not calls or (calls == self.plan.total and self.plan.tasks):
            return
        source = self.source_of(calls)
        space = ParameterSpace.of(source.study)
        self.run.write_space(space)
        self.plan = replace(
            self.plan, space=space.digest, total=calls, tasks=max(0, calls - known), ranges=((0, calls),)
        )
        write_file(self.run.path / "study.yaml", source.text)
        write_file(self.run.path / "study.json", msgspec.json.encode(replace(source.study, factors=())))
        write_file(self.run.plan_path(self.plan.wave), msgspec.json.encode(self.plan))

    def finish(self) -> None:
        """Tell the worker that nothing more comes."""
        if self.worker is not None:
            self.worker.send({"end": True})

    def stop(self) -> None:
        """End running calls, which have no outcome then."""
        if self.worker is not None:
            self.worker.stop()

    def close(self) -> None:
        """Wait for the worker, and release the run."""
        if self.worker is not None:
            self.worker.wait(lambda: None)
            self.worker.close()
            end_survivors(self.run.mark())
        self.lock.__exit__()


class JournalReader:
    """Reads the records that workers append to journals; `stem` names those of one worker."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stem = ""
        self.offsets: dict[str, int] = {}

    def records(self) -> Iterator[Found]:
        """Yield the records of complete lines since the last call, each with the path of its pack."""
        if not self.stem:
            return
        names = [f"{self.stem}.ndjson"]
        # After a write error the worker goes on in another file.
        while names and (self.folder / f"{self.stem}.{len(names)}.ndjson").exists():
            names.append(f"{self.stem}.{len(names)}.ndjson")
        for name in names:
            pack = (self.folder / name).with_suffix(".pack")
            for record in self.read(name):
                yield record, pack

    def read(self, name: str) -> Iterator[Record]:
        """Yield the records of complete lines of one journal since the last call."""
        offset = self.offsets.get(name, 0)
        try:
            with (self.folder / name).open("rb") as stream:
                stream.seek(offset)
                data = stream.read()
        except FileNotFoundError:
            return
        stop = data.rfind(b"\n") + 1
        self.offsets[name] = offset + stop
        for line in data[:stop].splitlines(keepends=True):
            if b'"index":' not in line[:40] or not checked(line):
                continue
            record = decode_line(line, record_decoder)
            if record is not None:
                yield record
