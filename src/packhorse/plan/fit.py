"""The limits of partitions and sites that work does not fit, and the nearest partition that it would fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from packhorse.model.job import Request
from packhorse.model.site import Partition, Site
from packhorse.model.study import Cluster
from packhorse.plan.job_time import longest_job, needed, usable
from packhorse.plan.work import Work
from packhorse.text.amounts import counted, size, span

What = Literal[
    "account",
    "partition",
    "time",
    "memory",
    "cores",
    "gpus",
    "nodes",
    "array",
    "submit",
    "core-hours",
    "mail",
]


class Reason(Struct, frozen=True, kw_only=True):
    """Why work is refused, with the requested amount and the limit, and what to write instead."""

    what: What
    text: str
    advice: str = ""


class Wording(Struct, frozen=True, kw_only=True):
    """How messages name what is checked: a task of a study, or a user's job."""

    subject: str
    per_node: str  # after an amount
    write_gpus: str  # how to request a GPU
    fewer: Callable[[What, int], str]  # what to write for at most so many on each node; "" for no advice


TASK = Wording(
    subject="a task",
    per_node="",
    write_gpus="write gpus: 1 under resources",
    fewer=lambda _what, _number: "",
)


def write(key: str, value: str, or_else: str = "") -> str:
    """Return what to write in the study, or on the command line, for a key of `cluster:`."""
    quoted = f"'{value}'" if " " in value else value
    more = f" (or {or_else})" if or_else else ""
    return f"write {key}: {value}{more} under cluster:, or --{key.replace('_', '-')} {quoted}"


def site_reasons(site: Site, asked: Cluster) -> list[Reason]:
    """Return why a site accepts no study of this user, in any partition."""
    reasons = []
    if site.account_needed and not asked.account:
        reasons.append(no_account(site, write("account", "NAME")))
    if site.max_array_index is not None and site.max_array_index < 0:
        reasons.append(Reason(what="array", text=f"{site.name} accepts no job arrays"))
    if site.max_jobs is not None and site.max_jobs < 2:
        allowed = counted(site.max_jobs, "job")
        text = f"a study needs two jobs, a wave and its continuation; {site.name} allows {allowed} per user"
        reasons.append(Reason(what="submit", text=text))
    return reasons


def no_account(site: Site, advice: str) -> Reason:
    """Return the refusal of work without an account."""
    text = f"jobs of {site.name} are charged to an account, and none is named"
    return Reason(what="account", text=text, advice=advice)


def unfit(work: Work, site: Site, partition: Partition, asked: Cluster) -> list[Reason]:
    """Return why work does not fit a partition, each reason with the nearest partition that it would fit."""
    return [
        reason if reason.advice else replace(reason, advice=_elsewhere(reason.what, work, site, asked))
        for reason in limits(work, partition, asked)
    ]


def limits(work: Work, partition: Partition, asked: Cluster) -> list[Reason]:
    """Return the limits of a partition that work exceeds, without the advice to go elsewhere."""
    needs = work.resources
    task = Request(name="", cores=needs.cpus, memory=needs.memory, gpus=needs.gpus)
    return [
        *_nodes(partition),
        *_time(work, partition, asked),
        *size_limits(task, task.memory, partition, TASK),
    ]


def _nodes(partition: Partition) -> Iterator[Reason]:
    if 0 in {partition.nodes, partition.max_nodes}:
        yield Reason(what="nodes", text=f"partition {partition.name} has no node for a job")
    elif partition.min_nodes is not None and partition.min_nodes > 1:
        text = f"jobs of {partition.name} have at least {counted(partition.min_nodes, 'node')}; a job of a study has one"
        yield Reason(what="nodes", text=text)


def _time(work: Work, partition: Partition, asked: Cluster) -> Iterator[Reason]:
    """Yield why jobs are longer than the partition allows, or too short for a task."""
    most, name = partition.max_time, partition.name
    job = longest_job(work, partition, asked)
    least = needed(work.held)
    task = f"a task takes {span(work.held)}, with start and end of its job {span(least)}"
    if asked.job_time is not None and most is not None and asked.job_time > most:
        text = f"a job asks for {span(asked.job_time)}; {name} allows {span(most)}"
        yield Reason(what="time", text=text, advice=write("job_time", span(most), "less"))
    elif usable(job) < 1:
        advice = write("job_time", span(needed(60)), "more")
        yield Reason(what="time", text=f"a job of {span(job)} leaves no time for tasks", advice=advice)
    elif work.checkpoint or work.held <= usable(job):
        return
    elif asked.job_time is not None and (most is None or least <= most):
        text = f"{task}; a job asks for {span(job)}"
        yield Reason(what="time", text=text, advice=write("job_time", span(least), "more"))
    else:
        yield Reason(what="time", text=f"{task}; {name} allows {span(job if most is None else most)}")


def size_limits(
    request: Request, memory: int | None, partition: Partition, wording: Wording
) -> Iterator[Reason]:
    """Yield why a request, with `memory` (MiB) on each node, is larger than the nodes or the jobs of a partition."""
    asks, nodes = f"{wording.subject} asks for", f"nodes of {partition.name} have"
    if partition.memory is not None and (memory or 0) > partition.memory:
        text = f"{asks} {size(memory or 0)}{wording.per_node}; {nodes} {size(partition.memory)}"
        yield Reason(what="memory", text=text)
    checks: tuple[tuple[What, str, int, int | None, int | None], ...] = (
        ("cores", "core", request.cores, partition.cores, partition.max_cores),
        ("gpus", "GPU", request.gpus, partition.gpus, partition.max_gpus),
    )
    for what, noun, number, on_node, in_job in checks:
        if on_node is not None and number > on_node and (in_job is None or on_node <= in_job):
            text = f"{asks} {counted(number, noun)}{wording.per_node}; {nodes} {on_node or 'none'}"
            yield Reason(what=what, text=text)
        elif in_job is not None and number * request.nodes > in_job:
            text = (
                f"{asks} {counted(number * request.nodes, noun)}; a job of {partition.name} may have {in_job}"
            )
            yield Reason(what=what, text=text, advice=wording.fewer(what, in_job // request.nodes))
    if partition.by_gpu and not request.gpus:
        text = f"jobs of {partition.name} get cores and memory by their GPUs, and {wording.subject} asks for none"
        yield Reason(what="gpus", text=text, advice=wording.write_gpus)


_AMOUNTS: dict[What, tuple[Callable[[Partition], int | None], Callable[[int], str]]] = {
    "time": (lambda partition: partition.max_time, span),
    "memory": (lambda partition: partition.memory, size),
    "cores": (lambda partition: partition.job_cores, lambda number: counted(number, "core")),
    "gpus": (lambda partition: partition.job_gpus, lambda number: counted(number, "GPU")),
    "nodes": (lambda partition: partition.nodes, lambda number: counted(number, "node")),
}


def _elsewhere(what: What, work: Work, site: Site, asked: Cluster) -> str:
    """Return which partition fits; where none does, what else to do."""
    advice = elsewhere(what, site, lambda partition: not limits(work, partition, asked), write)
    if advice:
        return advice
    if what == "time":
        return "make tasks shorter, or save checkpoints (checkpoint: true)"
    return at_most(what, site)


def elsewhere(
    what: What, site: Site, fits: Callable[[Partition], bool], written: Callable[[str, str], str]
) -> str:
    """Return the nearest partition that fits, with what to write as `written` puts it; "" where none fits."""
    nearest = next((partition for partition in _nearest_first(site) if fits(partition)), None)
    if nearest is None:
        return ""
    amount, text = _AMOUNTS[what]
    has = amount(nearest)
    known = "fits" if has is None else f"has {text(has)}"
    access = " once the site has given you access," if nearest.by_request else ""
    return f"{nearest.name} {known}:{access} {written('partition', nearest.name)}"


def at_most(what: What, site: Site) -> str:
    """Return how much of something the nodes of a site have at most."""
    amount, text = _AMOUNTS[what]
    most = max(site.partitions, key=lambda partition: amount(partition) or 0)
    has = amount(most)
    return f"nodes of {site.name} have at most {text(has)} ({most.name})" if has else f"{site.name} has none"


def _nearest_first(site: Site) -> list[Partition]:
    """Return partitions in the order in which they are proposed: open ones first, then small ones."""

    def order(partition: Partition) -> tuple[bool, bool, int, int, float]:
        longest = float("inf") if partition.max_time is None else partition.max_time
        return (partition.by_request, partition.test, partition.gpus, partition.memory or 0, longest)

    return sorted(site.partitions, key=order)
