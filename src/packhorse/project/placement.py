"""Where on a site a study runs, in which shape, and at what cost: known before anything is submitted."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from packhorse.model.errors import RunError
from packhorse.model.job import Request
from packhorse.model.site import Partition, Site
from packhorse.model.study import Cluster, Study
from packhorse.plan.choice import choose, require
from packhorse.plan.continuation import Continuation, continuation_note, continuation_of
from packhorse.plan.cost import Cost, assumptions, cost_of, over_cap
from packhorse.plan.rungs import rungs_of
from packhorse.plan.shape import Rung, Shape, shape_of
from packhorse.plan.work import Work
from packhorse.project.sites import find_site, site_name
from packhorse.project.source import Source
from packhorse.results.efficiency import largest_peak
from packhorse.results.fold import Fold
from packhorse.runtime.site_files import site_files
from packhorse.schedulers import scheduler
from packhorse.text import units
from packhorse.text.amounts import counted, hours, span
from packhorse.text.node import nearest


class Place(Struct, frozen=True, kw_only=True):
    """A site, and what a study and its user request of it; `options` are those of the command line, as typed.

    With `anyway`, packages that are missing there are a note and do not stop the submission.
    """

    site: Site
    asked: Cluster = Cluster()
    options: dict[str, Any] = field(default_factory=dict)
    anyway: bool = False


class Proposal(Struct, frozen=True, kw_only=True):
    """What would be submitted, and its cost."""

    name: str
    partition: Partition
    shape: Shape
    rungs: tuple[Rung, ...]
    continuation: Continuation | None  # None: packhorse run submits later waves
    cost: Cost
    notes: tuple[str, ...]  # for the user, before anything is submitted
    assumed: tuple[str, ...]

    def request(self, place: Place, study: Study) -> Request:
        """Return the request of an element without its size, which the rungs hold."""
        asked = place.asked
        return Request(
            name=self.name,
            partition=self.shape.partition,
            account=asked.account,
            qos=asked.qos,
            throttle=self.shape.throttle,
            gres=self.partition.gres if study.resources.gpus else "gpu",
            options=asked.options,
        )

    def jobs(self) -> str:
        """Return the jobs and where they run, as a phrase."""
        shape = self.shape
        each = f"{counted(shape.cores, 'core')} for {span(shape.seconds)}"
        where = f" in {shape.partition}" if shape.partition else ""
        return f"{counted(shape.elements, 'job')} of {each}{where}"

    def sentence(self) -> str:
        """Return the jobs and their cost as one sentence."""
        return f"{self.jobs()}; {hours(self.cost.core_hours)} core-hours expected"


def place_of(source: Source, site: str | Site, called: str = "", **typed: Any) -> Place:
    """Return a site, given or by name, with the request of the study; command line options overrule the study.

    `called` is the name that the user typed for a site that is given. Raises UsageError for an unknown site,
    StudyError where a time has no unit.
    """
    options = {name: value for name, value in typed.items() if value is not None}
    request = {name: value for name, value in options.items() if name != "anyway"}
    if "job_time" in request:
        request["job_time"] = int(units.duration(request["job_time"], "--job-time"))
    known = find_site(site, source.folder) if isinstance(site, str) else site
    options["site"] = site if isinstance(site, str) else called or site.name
    return Place(
        site=known,
        asked=replace(source.study.cluster, **request),
        options=options,
        anyway=bool(options.get("anyway")),
    )


def unknown_sites(source: Source, used: str | None) -> list[str]:
    """Return a sentence for each unknown site in the `sites` of a study; `used` is the site it runs on.

    Such a site may be a colleague's, or its name is misspelt and its settings would be ignored.
    """
    if not source.study.sites:
        return []
    names = [file.name for file in site_files(source.folder)]
    known = dict.fromkeys([*names, *([site_name(used, source.folder)] if used else [])])
    return [
        f"sites: there is no site '{name}' here, so its settings in the study are not used. {nearest(name, known)}"
        for name in source.study.sites
        if name not in known
    ]


def work_of(study: Study, tasks: int, fold: Fold | None) -> Work:
    """Return the work of so many tasks: what the study requests, and times (s) and memory that its journals measured."""
    measured = longest = None
    seen = 0.0
    if fold is not None:
        seen = largest_peak(fold.journals)
        totals = [journal.totals for journal in fold.journals if journal.totals]
        done = sum(number for row in totals for name, number in row.items() if name.isupper())
        if done:
            measured = sum(row.get("wall", 0.0) for row in totals) / done
            longest = max(row.get("longest", 0.0) for row in totals)
    return Work(
        tasks=tasks,
        resources=study.resources,
        measured=measured,
        longest=longest,
        limit=study.time_limit,
        seen_memory=seen,
        checkpoint=study.checkpoint,
    )


def propose(study: Study, place: Place, tasks: int, fold: Fold | None = None) -> Proposal:
    """Return shape and cost of so many tasks on a site; raise RunError with every reason why they do not fit."""
    site, asked = place.site, place.asked
    refused = scheduler(site.scheduler).contradictions(asked.options)
    if refused:
        raise RunError(f"a study cannot have {'; '.join(refused)}", "remove it from options: under cluster:")
    work = work_of(study, tasks, fold)
    chosen = choose(work, site, asked)
    partition = require(chosen, site)
    shape = shape_of(work, site, partition, asked)
    rungs = rungs_of(work, shape, site, partition, asked)
    cost = cost_of(work, shape, rungs)
    beyond = over_cap(cost, asked.max_core_hours)
    if beyond is not None:
        raise RunError(beyond.text, beyond.advice)
    continuation = continuation_of(shape, site, partition)
    note = continuation_note(continuation, site, partition) if site.compute_submits else ""
    return Proposal(
        name=study.name,
        partition=partition,
        shape=shape,
        rungs=rungs,
        continuation=continuation,
        cost=cost,
        notes=(*chosen.notes, *([note] if note else [])),
        assumed=tuple(assumptions(work, site, partition, shape)),
    )
