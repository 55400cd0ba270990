"""How a run used what it asked for: cores, memory and time, and the request that would have fitted.

Pure arithmetic on journals. Every attempt counts, also those that failed: they held their cores too.
Times in seconds, memory in MiB unless it says KiB.
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
MORE = 2  # times what was asked, where that was too little and nobody saw how much is enough
SPARE = 0.1  # cores of a task that are not worth one more
MEMORY_STEP = 16  # MiB
TIME_STEP = 60


class WaveRequest(Struct, frozen=True, kw_only=True):
    """What a wave asked for: `cpus`, `memory` and `time` for each task, `cores` and `seconds` for each job."""

    cpus: int = 1
    memory: int | None = None
    time: float | None = None
    cores: int | None = None  # None: no job, so as many as the slots of a worker need
    seconds: int | None = None


class Used(Struct, frozen=True, kw_only=True):
    """What the attempts of a wave used together, and what the largest of them did."""

    attempts: int = 0
    ok: int = 0
    ok_wall: float = 0.0  # of those that are OK
    wall: float = 0.0
    cpu: float = 0.0
    longest: float = 0.0
    peak: float = 0.0  # KiB; 0 where nobody measured
    over_memory: int = 0  # attempts that ended since they had too little memory
    over_time: int = 0  # or too little time


class WaveUse(Struct, frozen=True, kw_only=True):
    """One wave: what it asked for and what it used. `held` is in core-seconds, `longest` one worker's seconds."""

    wave: int
    given: WaveRequest
    used: Used
    workers: int
    held: float
    longest: float
    open: int = 0  # workers that left no end, so that their time is known up to their last record

    @property
    def cpu_share(self) -> float | None:
        """The part of the held cores' time in which tasks computed."""
        return self.used.cpu / self.held if self.held > 0 else None

    @property
    def busy_share(self) -> float | None:
        """The part of the held cores' time in which they had a task."""
        return self.used.wall * self.given.cpus / self.held if self.held > 0 else None


def wave_use(wave: int, journals: Iterable[Journal], given: WaveRequest) -> WaveUse:
    """Return what a wave used, from all its journals; those without a good header say nothing."""
    used = Used()
    workers: dict[object, list[tuple[float, bool, int]]] = {}
    for journal in journals:
        header = journal.header
        if header is None:
            continue
        last = header.started
        for rows, block in journal.blocks(range(len(journal))):
            records = journal.decoded(rows, block)
            used = _more(used, records)
            last = max([last, *((r.begin or 0.0) + (r.wall or 0.0) for r in records)])
        # After a disk error a worker goes on in another journal, whose header says the same.
        worker = (header.element, header.restart, header.host, header.pid, header.started)
        stop = max(last, journal.ended or 0.0)
        seconds = stop - header.started if header.started else 0.0
        workers.setdefault(worker, []).append((seconds, bool(journal.end), header.slots))
    times = [max(seconds for seconds, _, _ in found) for found in workers.values()]
    cores = [given.cores or found[0][2] * given.cpus for found in workers.values()]
    return WaveUse(
        wave=wave,
        given=given,
        used=used,
        workers=len(workers),
        held=math.fsum(seconds * number for seconds, number in zip(times, cores, strict=True)),
        longest=max(times, default=0.0),
        open=sum(not any(ended for _, ended, _ in found) for found in workers.values()),
    )


def _more(used: Used, records: Sequence[Record]) -> Used:
    """Return what was used with these attempts too."""
    outcomes = [record.outcome for record in records]
    walls = [record.wall or 0.0 for record in records]
    return Used(
        attempts=used.attempts + len(records),
        ok=used.ok + outcomes.count("OK"),
        ok_wall=used.ok_wall
        + math.fsum(wall for wall, how in zip(walls, outcomes, strict=True) if how == "OK"),
        wall=used.wall + math.fsum(walls),
        cpu=used.cpu + math.fsum(record.cpu or 0.0 for record in records),
        longest=max(used.longest, *walls),
        peak=max(used.peak, *(record.memory or 0.0 for record in records)),
        over_memory=used.over_memory + outcomes.count("MEMORY"),
        over_time=used.over_time + outcomes.count("TIMEOUT"),
    )


def fitting_request(waves: Sequence[WaveUse], asked: Resources) -> Resources | None:
    """Return the request that would have fitted all these waves.

    None where no attempt got far enough to know: a script that fails at once needs little, and says nothing.
    """
    wall = math.fsum(one.used.wall for one in waves)
    far = any(one.used.ok or one.used.over_memory or one.used.over_time for one in waves)
    if wall <= 0 or not far:
        return None
    cpu = math.fsum(one.used.cpu for one in waves)
    ok = sum(one.used.ok for one in waves)
    ok_wall = math.fsum(one.used.ok_wall for one in waves)
    return replace(
        asked,
        cpus=max(1, math.ceil(cpu / wall - SPARE)),
        memory=_memory(waves, asked.memory),
        time=_time(waves),
        expected=float(f"{ok_wall / ok:.2g}") if ok_wall > 0 else asked.expected,
    )


def _memory(waves: Sequence[WaveUse], asked: int | None) -> int | None:
    """Return the memory for a task: the largest peak and some more, in whole steps."""
    peak = max(one.used.peak for one in waves)
    short = [one.given.memory for one in waves if one.used.over_memory and one.given.memory]
    enough = [peak / 1024 * MEMORY_MARGIN] if peak else []
    wanted = max([*enough, *(MORE * had for had in short)], default=0)
    return math.ceil(wanted / MEMORY_STEP) * MEMORY_STEP if wanted else asked


def _time(waves: Sequence[WaveUse]) -> int:
    """Return the time for a task: the longest and some more, in whole steps."""
    longest = max(one.used.longest for one in waves)
    short = [one.given.time or one.used.longest for one in waves if one.used.over_time]
    wanted = max([longest * TIME_MARGIN, *(MORE * had for had in short)])
    return math.ceil(wanted / TIME_STEP) * TIME_STEP
