"""Find the sites and partitions that fit a job or a study, and why the others do not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct
from msgspec.structs import replace

from packhorse.app.studies.plan import plan_study
from packhorse.model.errors import RunError
from packhorse.model.job import Request
from packhorse.model.json_output import JsonOutput
from packhorse.model.site import Partition, Site
from packhorse.model.site_parts import NodeKind
from packhorse.plan.choice import Choice
from packhorse.plan.fit import Reason
from packhorse.plan.job_limits import job_limits, place_job, site_limits
from packhorse.project.placement import place_of, propose
from packhorse.project.sites import known_sites
from packhorse.project.source import from_file
from packhorse.text import units

SOME_ACCOUNT = "ACCOUNT"  # a placeholder where a site requires one: a missing account excludes no site


class Verdict(Struct, frozen=True, kw_only=True):
    """Whether a site fits a job or a study."""

    site: Annotated[str, Meta(description="The site's name.")]
    title: Annotated[str, Meta(description="The site's full name.")]
    fits: Annotated[bool, Meta(description="Whether it fits.")]
    partition: Annotated[
        str, Meta(description="The partition; empty: it does not fit, or the scheduler chooses.")
    ] = ""
    kind: Annotated[str, Meta(description="The option that requests the one kind of nodes that fits.")] = ""
    sentence: Annotated[str, Meta(description="Of a study: its jobs and their cost.")] = ""
    why: Annotated[tuple[str, ...], Meta(description="Why it does not fit.")] = ()
    notes: Annotated[tuple[str, ...], Meta(description="What to know before submitting.")] = ()
    also: Annotated[
        dict[str, str], Meta(description="Other partitions that fit, with the option for their nodes.")
    ] = {}
    others: Annotated[
        dict[str, tuple[str, ...]], Meta(description="Partitions that do not fit, with the reasons.")
    ] = {}


class Choices(JsonOutput, frozen=True, kw_only=True, tag="packhorse-sites-choose/1"):
    """The sites, those that fit first."""

    sites: Annotated[tuple[Verdict, ...], Meta(description="The verdict on each site.")]


def sites_for_job(request: Request, folder: Path) -> Choices:
    """Return the verdict on each site for a job."""
    return _sorted(_for_job(site, request) for site in _live(folder))


def sites_for_study(study: Path, options: dict[str, Any], folder: Path) -> Choices:
    """Return the verdict on each site for a study with the options of the command line."""
    tasks = plan_study(from_file(study)).tasks
    return _sorted(_for_study(site, study, options, tasks) for site in _live(folder))


def request_of(*, memory: str = "", time: str = "", **sizes: Any) -> Request:
    """Return the request of a job of these sizes per node; raise StudyError where an amount has no unit."""
    return Request(
        name="job",
        memory=units.memory(memory, "--memory") if memory else None,
        seconds=int(units.duration(time, "--time")) if time else None,
        **sizes,
    )


def _live(folder: Path) -> Iterator[Site]:
    """Yield the sites that have a scheduler and are not retired."""
    for known in known_sites(folder):
        if known.site is not None and known.site.retired is None and known.site.scheduler != "local":
            yield known.site


def _sorted(verdicts: Iterator[Verdict]) -> Choices:
    """Put what fits first, and of that first what was checked against a partition."""
    return Choices(sites=tuple(sorted(verdicts, key=lambda one: (not one.fits, not one.partition))))


def _for_job(site: Site, request: Request) -> Verdict:
    asked = replace(request, account=SOME_ACCOUNT) if site.account_needed and not request.account else request
    choice, kind = place_job(asked, site), None
    if choice.partition is None or _idle(asked, choice.partition):
        choice, kind = _by_kind(asked, site, choice)
    found = _verdict(site, choice, request.account)
    if choice.partition is None:
        return found
    rest = [one for one in site.partitions if one.name != choice.partition.name]
    why = {one.name: _why_not(asked, site, one) for one in rest}
    also = {one.name: _asked(_kind_for(asked, site, one)) for one in rest if not why[one.name]}
    others = {name: reasons for name, reasons in why.items() if reasons}
    return replace(found, kind=_asked(kind), also=also, others=others)


def _idle(request: Request, one: Partition) -> bool:
    """Tell whether a job would leave the GPUs of a partition idle that it did not name."""
    return bool(one.gpus) and not request.gpus and one.name != request.partition


def _by_kind(request: Request, site: Site, choice: Choice) -> tuple[Choice, NodeKind | None]:
    """Return the first partition with a kind of nodes that is large enough, where the default kind is not."""
    for one in site.partitions:
        named = request.partition == one.name or not (request.partition or one.by_request or one.test)
        kind = _kind_for(request, site, one) if named and not _idle(request, one) else None
        if kind is not None and not any(site_limits(request, site)):
            return Choice(partition=one), kind
    if choice.partition is None:
        return choice, None
    reasons = [
        Reason(what="gpus", text=f"it fits only {choice.partition.name}, where the GPUs would be idle")
    ]
    without_gpus = [one for one in site.partitions if not one.gpus]
    reasons += [reason for one in without_gpus[:1] for reason in job_limits(request, site, one)]
    return Choice(partition=None, reasons=tuple(reversed(reasons))), None


def _kind_for(request: Request, site: Site, one: Partition) -> NodeKind | None:
    """Return the kind of nodes that a job must request in a partition; None: no request needed, or none fits."""
    if not job_limits(request, site, one):
        return None
    return next((kind for kind in one.kinds if not job_limits(request, site, _made_of(one, kind))), None)


def _made_of(one: Partition, kind: NodeKind) -> Partition:
    sizes = {name: getattr(kind, name) for name in ("nodes", "cores", "memory")}
    return replace(one, gpus=kind.gpus, gres=kind.gres or one.gres, kinds=(), **sizes)


def _asked(kind: NodeKind | None) -> str:
    """Return the option that requests nodes of a kind."""
    if kind is None:
        return ""
    constraint = f"--constraint={kind.constraint}" if kind.constraint else ""
    gres = f"--gres={kind.gres}:N" if kind.gres else ""
    return " ".join(filter(None, (constraint, gres))) or kind.name


def _why_not(request: Request, site: Site, one: Partition) -> tuple[str, ...]:
    """Return why a job does not fit a partition; nothing where it does."""
    why = [reason.text for reason in job_limits(request, site, one)]
    if why and _kind_for(request, site, one) is not None:
        why = []
    if one.by_request:
        why.append(f"open only to {one.open_to}" if one.open_to else "open only by request")
    if one.gpus and not request.gpus:
        why.append("its GPUs would be idle")
    if one.test and not why:
        why.append("it is for tests")
    return tuple(why)


def _for_study(site: Site, study: Path, options: dict[str, Any], tasks: int) -> Verdict:
    source = from_file(study, site.name)
    place = place_of(source, site, **options)
    account = place.asked.account
    if site.account_needed and not account:
        place = replace(place, asked=replace(place.asked, account=SOME_ACCOUNT))
    try:
        found = propose(source.study, place, tasks)
    except RunError as error:
        return Verdict(site=site.name, title=site.title, fits=False, why=(error.message, error.hint))
    verdict = _verdict(site, Choice(partition=found.partition, notes=found.notes), account)
    return replace(verdict, sentence=found.sentence())


def _verdict(site: Site, choice: Choice, account: str) -> Verdict:
    notes = list(choice.notes)
    if site.account_needed and not account:
        notes.append(f"a job needs an account{f': {site.account_about}' if site.account_about else ''}")
    chosen = choice.partition
    notes += [f"{chosen.name}, not verified: {chosen.doubt}"] if chosen and chosen.doubt else []
    return Verdict(
        site=site.name,
        title=site.title,
        fits=chosen is not None,
        partition=chosen.name if chosen else "",
        why=tuple(_with_advice(reason) for reason in choice.reasons),
        notes=tuple(notes),
    )


def _with_advice(reason: Reason) -> str:
    return f"{reason.text} ({reason.advice})" if reason.advice else reason.text
