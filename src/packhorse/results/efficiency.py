"""Use of requested cores, memory and time by a run, and the request that would have fitted.

Pure arithmetic on journals. Every attempt counts, including failed ones, which occupied their cores too.
Times are in seconds, memory is in MiB unless noted as KiB.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from packhorse.model.study import Resources
from packhorse.results.journal import Journal, Record

MEMORY_MARGIN = 1.2  # times the largest peak: peaks differ a little between runs
TIME_MARGIN = 1.5  # times the longest task: nodes differ more than peaks do
GROWTH = 2  # times the request, where it was too small and the true need is unknown
SPARE_CORES = 0.1  # cores of a task above a whole number that do not justify one more core
JUDGED_SECONDS = 10.0  # a shorter task is mostly the start of its program, which keeps one core busy
MEMORY_STEP = 16  # MiB
TIME_STEP = 60


class WaveRequest(Struct, frozen=True, kw_only=True):
    """Request of a wave: `cpus`, `memory` and `time` for each task, `cores` and `seconds` for each job."""

    cpus: int = 1
    memory: int | None = None
    time: float | None = None
    cores: int | None = None  # None without a job: as many as the slots of a worker need
    seconds: int | None = None


class JobMemory(Struct, frozen=True, kw_only=True):
    """What the scheduler counted for a job, and its limit, in MiB for each task that ran at a time."""

    used: int | None = None
    limit: int | None = None
    killed: bool = False  # by the scheduler, for its memory


class Used(Struct, frozen=True, kw_only=True):
    """Total use of the attempts of a wave, and the largest use of one attempt."""

    attempts: int = 0
    ok: int = 0
    ok_wall: float = 0.0  # of those that are OK
    ok_cpu: float = 0.0
    wall: float = 0.0
    cpu: float = 0.0
    longest: float = 0.0
    peak: float = 0.0  # KiB; 0 where it was not measured
    over_memory: int = 0  # attempts that ended at their memory limit
    over_time: int = 0  # attempts that ended at their time limit


class WaveUse(Struct, frozen=True, kw_only=True):
    """Request and use of one wave."""

    wave: int
    given: WaveRequest
    used: Used
    workers: int
    held: float  # core-seconds
    longest: float  # seconds of the longest worker
    open: int = 0  # workers without an end line, whose time is only known up to their last record
    counted: int | None = None  # MiB of a task by the scheduler's count; None: not known
    killed: int | None = (
        None  # MiB of a task in a job that the scheduler killed for its memory; None: no such job
    )

    @property
    def is_short(self) -> bool:
        """Whether its tasks were too short to show how many cores they use."""
        return self.used.ok_wall < JUDGED_SECONDS * self.used.ok

    @property
    def cpu_share(self) -> float | None:
        """CPU time of tasks as a share of the held core-seconds."""
        return self.used.cpu / self.held if self.held > 0 else None

    @property
    def busy_share(self) -> float | None:
        """Time that cores had a task as a share of the held core-seconds."""
        return self.used.wall * self.given.cpus / self.held if self.held > 0 else None


def wave_use(
    wave: int, journals: Iterable[Journal], given: WaveRequest, jobs: Sequence[JobMemory] = ()
) -> WaveUse:
    """Return the use of a wave, from all its journals and its jobs; ignore journals without a valid header."""
    used = Used()
    workers: dict[object, list[tuple[float, bool, int]]] = {}
    for journal in journals:
        header = journal.header
        if header is None:
            continue
        last = header.started
        for rows, block in journal.blocks(range(len(journal))):
            records = journal.decoded(rows, block)
            used = _add(used, records)
            last = max([last, *((r.begin or 0.0) + (r.wall or 0.0) for r in records)])
        # After a disk error a worker continues in another journal with the same header.
        worker = (header.element, header.restart, header.host, header.pid, header.started)
        stop = max(last, journal.ended or 0.0)
        seconds = stop - header.started if header.started else 0.0
        workers.setdefault(worker, []).append((seconds, bool(journal.end), header.slots))
    times = [max(seconds for seconds, _, _ in parts) for parts in workers.values()]
    cores = [given.cores or parts[0][2] * given.cpus for parts in workers.values()]
    return WaveUse(
        wave=wave,
        given=given,
        used=used,
        workers=len(workers),
        held=math.fsum(seconds * number for seconds, number in zip(times, cores, strict=True)),
        longest=max(times, default=0.0),
        open=sum(not any(ended for _, ended, _ in parts) for parts in workers.values()),
        counted=max((job.used for job in jobs if job.used), default=None),
        killed=max((job.limit or job.used or 1 for job in jobs if job.killed), default=None),
    )


def _add(used: Used, records: Sequence[Record]) -> Used:
    """Return `used` with further attempts added."""
    outcomes = [record.outcome for record in records]
    walls = [record.wall or 0.0 for record in records]
    return Used(
        attempts=used.attempts + len(records),
        ok=used.ok + outcomes.count("OK"),
        ok_wall=used.ok_wall
        + math.fsum(wall for wall, how in zip(walls, outcomes, strict=True) if how == "OK"),
        ok_cpu=used.ok_cpu + math.fsum(record.cpu or 0.0 for record in records if record.outcome == "OK"),
        wall=used.wall + math.fsum(walls),
        cpu=used.cpu + math.fsum(record.cpu or 0.0 for record in records),
        longest=max(used.longest, *walls),
        peak=max(used.peak, *(record.memory or 0.0 for record in records)),
        over_memory=used.over_memory + outcomes.count("MEMORY"),
        over_time=used.over_time + outcomes.count("TIMEOUT"),
    )


def fitting_request(waves: Sequence[WaveUse], asked: Resources) -> Resources | None:
    """Return the request that would have fitted all these waves.

    Return None where no attempt got far enough: a script that fails at once does not show its needs.
    """
    wall = math.fsum(wave.used.wall for wave in waves)
    informative = any(wave.used.ok or wave.used.over_memory or wave.used.over_time for wave in waves)
    if wall <= 0 or not informative:
        return None
    # A task that was ended early does not show how many cores it would have kept busy.
    busy = max(
        (wave.used.ok_cpu / wave.used.ok_wall for wave in waves if wave.used.ok_wall > 0), default=None
    )
    needed = None if busy is None else max(1, math.ceil(busy - SPARE_CORES))
    if needed is not None and needed < asked.cpus and all(wave.is_short for wave in waves):
        needed = None
    ok = sum(wave.used.ok for wave in waves)
    ok_wall = math.fsum(wave.used.ok_wall for wave in waves)
    return replace(
        asked,
        cpus=asked.cpus if needed is None else needed,
        memory=_memory(waves, asked.memory),
        time=_time(waves),
        expected=float(f"{ok_wall / ok:.2g}") if ok_wall > 0 else asked.expected,
    )


def _memory(waves: Sequence[WaveUse], asked: int | None) -> int | None:
    """Return the memory for a task in MiB, in whole steps; `asked` where nothing is known.

    It is the largest use in any wave, by our count or the scheduler's, with a margin; and more than what any task
    had that was killed for its memory.
    """
    need = max(
        (
            amount
            for wave in waves
            for amount in (MEMORY_MARGIN * seen_memory(wave), GROWTH * _too_little(wave))
        ),
        default=0.0,
    )
    return math.ceil(need / MEMORY_STEP) * MEMORY_STEP if need else asked


def seen_memory(wave: WaveUse) -> float:
    """Return the largest memory that a task was seen to use, in MiB; 0 where nothing was measured."""
    return max(wave.used.peak / 1024, wave.counted or 0)


def _too_little(wave: WaveUse) -> float:
    """Return the most MiB with which a task was killed for its memory; 0 where none was."""
    killed = float(wave.killed or 0)
    if wave.used.over_memory:
        return max(killed, wave.given.memory or seen_memory(wave))
    return killed


def largest_peak(journals: Iterable[Journal]) -> float:
    """Return the largest memory that an attempt used, in MiB; 0 where none was measured."""
    used = Used()
    for journal in journals:
        for rows, block in journal.blocks(range(len(journal))):
            used = _add(used, journal.decoded(rows, block))
    return used.peak / 1024


def _time(waves: Sequence[WaveUse]) -> int:
    """Return the time for a task in seconds: the longest attempt with a margin, in whole steps."""
    longest = max(wave.used.longest for wave in waves)
    exceeded = [wave.given.time or wave.used.longest for wave in waves if wave.used.over_time]
    need = max([longest * TIME_MARGIN, *(GROWTH * limit for limit in exceeded)])
    return math.ceil(need / TIME_STEP) * TIME_STEP
