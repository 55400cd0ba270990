"""Whether work fits a partition and a site, and why not, with the partition where it would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

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
    """Why work is refused, with what was asked and the limit, and what to write instead."""

    what: What
    text: str
    advice: str = ""


def write(key: str, value: str, or_else: str = "") -> str:
    """Return what to write in the study, or on the command line, for a key of `cluster:`."""
    said = f"'{value}'" if " " in value else value
    more = f" (or {or_else})" if or_else else ""
    return f"write {key}: {value}{more} under cluster:, or --{key.replace('_', '-')} {said}"


def site_reasons(site: Site, asked: Cluster) -> list[Reason]:
    """Return why a site takes no work of this user, in whichever partition."""
    found = []
    if site.account_needed and not asked.account:
        text = f"jobs of {site.name} are charged to an account, and none is named"
        found.append(Reason(what="account", text=text, advice=write("account", "NAME")))
    if site.max_array_index is not None and site.max_array_index < 0:
        found.append(Reason(what="array", text=f"{site.name} takes no job arrays"))
    if site.max_jobs is not None and site.max_jobs < 2:
        allowed = counted(site.max_jobs, "job")
        text = f"a wave and the job that goes on after it are two; {site.name} allows {allowed} of a user"
        found.append(Reason(what="submit", text=text))
    return found


def unfit(work: Work, site: Site, partition: Partition, asked: Cluster) -> list[Reason]:
    """Return why work does not fit a partition, each reason with the nearest partition where it would."""
    return [
        reason if reason.advice else replace(reason, advice=_elsewhere(reason.what, work, site, asked))
        for reason in limits(work, partition, asked)
    ]


def limits(work: Work, partition: Partition, asked: Cluster) -> list[Reason]:
    """Return the limits of a partition that work does not keep; without the advice to go elsewhere."""
    checks = (_nodes(partition), _time(work, partition, asked), *_sizes(work, partition))
    return [reason for reason in checks if reason is not None]


def _nodes(partition: Partition) -> Reason | None:
    if 0 in {partition.nodes, partition.max_nodes}:
        return Reason(what="nodes", text=f"partition {partition.name} has no node for a job")
    if partition.min_nodes is not None and partition.min_nodes > 1:
        text = f"jobs of {partition.name} have at least {partition.min_nodes} nodes; a job of a study has one"
        return Reason(what="nodes", text=text)
    return None


def _time(work: Work, partition: Partition, asked: Cluster) -> Reason | None:
    """Refuse jobs longer than the partition's, and tasks that no job there could end."""
    most, name = partition.max_time, partition.name
    if asked.job_time is not None and most is not None and asked.job_time > most:
        text = f"a job asks {span(asked.job_time)}; {name} allows {span(most)}"
        return Reason(what="time", text=text, advice=write("job_time", span(most), "less"))
    job = longest_job(work, partition, asked)
    if usable(job) < 1:
        advice = write("job_time", span(needed(60)), "more")
        return Reason(what="time", text=f"a job of {span(job)} leaves no time for tasks", advice=advice)
    if work.checkpoint or work.held <= usable(job):
        return None
    least = needed(work.held)
    task = f"a task takes {span(work.held)}, with start and end of its job {span(least)}"
    if asked.job_time is not None and (most is None or least <= most):
        text = f"{task}; a job asks {span(job)}"
        return Reason(what="time", text=text, advice=write("job_time", span(least), "more"))
    return Reason(what="time", text=f"{task}; {name} allows {span(job if most is None else most)}")


def _sizes(work: Work, partition: Partition) -> Iterator[Reason]:
    """Refuse tasks that are larger than a node: a task runs on one."""
    needs, nodes = work.resources, f"nodes of {partition.name} have"
    if partition.memory is not None and needs.memory is not None and needs.memory > partition.memory:
        text = f"a task asks {size(needs.memory)}; {nodes} {size(partition.memory)}"
        yield Reason(what="memory", text=text)
    most = partition.job_cores
    if most is not None and needs.cpus > most:
        allowed = nodes if most == partition.cores else f"a job of {partition.name} may have"
        yield Reason(what="cores", text=f"a task asks {counted(needs.cpus, 'core')}; {allowed} {most}")
    if partition.by_gpu and not needs.gpus:
        text = f"jobs of {partition.name} are given cores and memory by their GPUs, and a task asks for none"
        yield Reason(what="gpus", text=text, advice="write gpus: 1 under resources")
    if needs.gpus > partition.job_gpus:
        allowed = nodes if partition.job_gpus == partition.gpus else f"a job of {partition.name} may have"
        text = f"a task asks {counted(needs.gpus, 'GPU')}; {allowed} {partition.job_gpus or 'none'}"
        yield Reason(what="gpus", text=text)


_AMOUNTS: dict[What, tuple[Callable[[Partition], int | None], Callable[[int], str]]] = {
    "time": (lambda one: one.max_time, span),
    "memory": (lambda one: one.memory, size),
    "cores": (lambda one: one.job_cores, lambda number: counted(number, "core")),
    "gpus": (lambda one: one.job_gpus, lambda number: counted(number, "GPU")),
    "nodes": (lambda one: one.nodes, lambda number: counted(number, "node")),
}


def _elsewhere(what: What, work: Work, site: Site, asked: Cluster) -> str:
    """Say which partition fits; where none does, what else there is to do."""
    found = elsewhere(what, site, lambda one: not limits(work, one, asked), write)
    if found:
        return found
    if what == "time":
        return "let tasks be shorter, or save where they are (checkpoint: true)"
    return at_most(what, site)


def elsewhere(
    what: What, site: Site, fits: Callable[[Partition], bool], written: Callable[[str, str], str]
) -> str:
    """Say which partition fits, in the words of `written` for a key and its value; nothing where none does."""
    fitting = [one for one in _nearest_first(site) if fits(one)]
    if not fitting:
        return ""
    nearest = fitting[0]
    amount, words = _AMOUNTS[what]
    has = amount(nearest)
    known = "fits" if has is None else f"has {words(has)}"
    let_in = " once the site has let you in," if nearest.by_request else ""
    return f"{nearest.name} {known}:{let_in} {written('partition', nearest.name)}"


def at_most(what: What, site: Site) -> str:
    """Say how much of something the nodes of a site have at most."""
    amount, words = _AMOUNTS[what]
    most = max(site.partitions, key=lambda one: amount(one) or 0)
    has = amount(most)
    return f"nodes of {site.name} have at most {words(has)} ({most.name})" if has else f"{site.name} has none"


def _nearest_first(site: Site) -> list[Partition]:
    """Return partitions by how little a study takes from others there: the open, and the small ones first."""

    def order(one: Partition) -> tuple[bool, bool, int, int, float]:
        longest = float("inf") if one.max_time is None else one.max_time
        return (one.by_request, one.test, one.gpus, one.memory or 0, longest)

    return sorted(site.partitions, key=order)
