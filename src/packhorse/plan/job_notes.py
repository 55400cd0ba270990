"""Advice on a job that is allowed: a queue where it would start sooner, and resources that it would not use."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from packhorse.model.job import Request
from packhorse.model.site import Partition, Site
from packhorse.plan.job_limits import elements, job_limits, option
from packhorse.plan.shape import usable_nodes
from packhorse.text.amounts import counted, span

# Programs that start processes on several nodes, or run on several themselves; from 8,411 public job scripts.
LAUNCHERS = (
    "srun", "mpirun", "mpiexec", "orterun", "prun", "ibrun", "aprun", "bede-mpirun", "torchrun", "accelerate",
    "deepspeed", "horovodrun", "dask", "ray", "snakemake", "nextflow", "pbsdsh", "charmrun", "parallel",
    "packhorse",
)  # fmt: skip
_LAUNCHER = re.compile(
    rf"(?<![\w./-])(?:\S*/)?(?:{'|'.join(map(re.escape, LAUNCHERS))})(?![\w.])|torch\.distributed"
)
_THREADS = re.compile(r"-j\s*\d|thread|cores|cpus|jobs|workers|procs|OMP_|parallel|\bmake\b|&\s*(?:$|\n)")


class Programs(Struct, frozen=True, kw_only=True):
    """The commands of a job, and facts read from the scripts that they start."""

    lines: str
    serial: str = ""  # the script of the only program, if it cannot use more than one core
    reads_index: bool = True  # whether the lines or the scripts may use the number of an array's element


def job_notes(
    request: Request, site: Site, partition: Partition, programs: Programs, index: str
) -> Iterator[str]:
    """Yield sentences, the most useful first; `index` is the variable with an element's number."""
    yield from _sooner(request, site, partition)
    yield from _cores(request, site, partition, programs)
    yield from _nodes(request, site, programs)
    if partition.gpus and not request.gpus:
        yield f"{partition.name} has GPUs, and the job asks for none: {option('gpus', '1')}, or another partition"
    yield from _array(request, programs, index)


def _sooner(request: Request, site: Site, partition: Partition) -> Iterator[str]:
    """Yield the queues for tests into which a job with a time limit fits."""
    if request.seconds is None or partition.test:
        return
    for one in site.partitions:
        alike = one.test and not one.by_request and bool(one.gpus) == bool(request.gpus)
        if (
            alike
            and one.max_time is not None
            and _all_at_once(request, one)
            and not job_limits(request, site, one)
        ):
            sooner = f"the job fits into {one.name} ({_extent(one)}), where jobs usually start sooner"
            yield f"{sooner}: {option('partition', one.name)}"


def _all_at_once(request: Request, one: Partition) -> bool:
    """Return whether all elements of an array run at a time in a queue for tests, which is not for more than that."""
    number = elements(request)
    nodes = usable_nodes(one)
    if number < 2:
        return True
    if nodes is None or one.cores is None or request.nodes > 1 or request.whole_nodes:
        return False
    return number <= nodes * (one.cores // max(1, request.cores))


def _extent(one: Partition) -> str:
    longest = f"jobs up to {span(one.max_time or 0)}"
    nodes = one.max_nodes or one.nodes
    return longest if nodes is None else f"{counted(nodes, 'node')}, {longest}"


def _cores(request: Request, site: Site, partition: Partition, programs: Programs) -> Iterator[str]:
    alone = request.nodes * request.cores == 1
    if alone and not request.gpus and "parallel" in partition.purpose and "serial" not in partition.purpose:
        other = next((one for one in site.partitions if "serial" in one.purpose and not one.by_request), None)
        advice = f": {option('partition', other.name)} is for jobs of one" if other else ""
        yield f"{partition.name} is for parallel jobs, and this job has one core{advice}"
    if request.cores > request.tasks and programs.serial and not _THREADS.search(programs.lines):
        yield (
            f"the job asks for {counted(request.cores, 'core')}, but {programs.serial} uses only one: "
            f"it will not run faster, and will wait longer"
        )


def _nodes(request: Request, site: Site, programs: Programs) -> Iterator[str]:
    launcher = site.launcher.split()[0] if site.launcher else ""
    launched = _LAUNCHER.search(programs.lines) or (launcher and launcher in programs.lines)
    if launched:
        return
    with_it = f"start it with {site.launcher or 'srun or mpirun'}"
    if request.nodes > 1:
        yield (
            f"the job asks for {counted(request.nodes, 'node')}, but no command starts processes on the others, "
            f"which are charged although idle: {with_it}, or {option('nodes', '1')}"
        )
    elif request.tasks > 1:
        yield (
            f"the job asks for {request.tasks} processes, but no command starts more than one: {with_it}, "
            f"or use {option('cores', str(request.cores))} without --tasks for threads"
        )


def _array(request: Request, programs: Programs, index: str) -> Iterator[str]:
    number = elements(request)
    only = request.indices[0][0] if number == 1 else 0
    if only > 1:
        yield f"the array has one element, number {only}; for {only} of them, write {option('array', f'1-{only}')}"
    elif number and not programs.reads_index:
        yield f"no command reads ${index}, so every element of the array does the same"
