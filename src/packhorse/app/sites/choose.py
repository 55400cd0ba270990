"""Which sites take a job or a study, to which partition it goes there, and why not to the others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from packhorse.app.studies.plan import plan_study
from packhorse.model.errors import RunError
from packhorse.model.job import Request
from packhorse.model.site import Partition, Site
from packhorse.model.site_parts import NodeKind
from packhorse.plan.choice import Choice
from packhorse.plan.fit import Reason
from packhorse.plan.job_limits import job_limits, place_job, site_limits
from packhorse.project.placement import place_of, propose
from packhorse.project.sites import known_sites
from packhorse.project.source import from_file
from packhorse.text import units

SOME_ACCOUNT = (
    "ACCOUNT"  # where a site needs one and none was named: not knowing it is no reason against a site
)


class Verdict(Struct, frozen=True, kw_only=True):
    """What a site says to a job or a study. `partition` is "" where it does not fit, or is the scheduler's choice."""

    site: str
    title: str
    fits: bool
    partition: str = ""
    kind: str = ""  # of nodes, where only one kind fits, as a job asks for it
    sentence: str = ""  # what a study would cost there
    why: tuple[str, ...] = ()  # it does not fit
    notes: tuple[str, ...] = ()
    also: dict[str, str] = {}  # other partitions that fit, and the nodes that a job has to ask for there
    others: dict[str, tuple[str, ...]] = {}  # why not the rest of the partitions, by their names


def sites_for_job(request: Request, folder: Path) -> list[Verdict]:
    """Return what each site says to a job; those that it fits come first."""
    return _sorted(_for_job(site, request) for site in _live(folder))


def sites_for_study(study: Path, said: dict[str, Any], folder: Path) -> list[Verdict]:
    """Return what each site says to a study, asked for what the command line says over it."""
    tasks = plan_study(from_file(study), None, ())["tasks"]
    return _sorted(_for_study(site, study, said, tasks) for site in _live(folder))


def request_of(*, memory: str = "", time: str = "", **sizes: Any) -> Request:
    """Return a job of these sizes, each of one node; raise StudyError where an amount has no unit."""
    return Request(
        name="job",
        memory=units.memory(memory, "--memory") if memory else None,
        seconds=int(units.duration(time, "--time")) if time else None,
        **sizes,
    )


def _live(folder: Path) -> Iterator[Site]:
    for known in known_sites(folder):
        if known.site is not None and known.site.retired is None and known.site.scheduler != "local":
            yield known.site


def _sorted(verdicts: Iterator[Verdict]) -> list[Verdict]:
    """Return what fits first, and of that first what was checked."""
    return sorted(verdicts, key=lambda one: (not one.fits, not one.partition))


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
    """Tell whether the GPUs of a partition that a job did not name would lie idle."""
    return bool(one.gpus) and not request.gpus and one.name != request.partition


def _by_kind(request: Request, site: Site, choice: Choice) -> tuple[Choice, NodeKind | None]:
    """Return the first partition some of whose nodes are large enough, though those that jobs get are not."""
    for one in site.partitions:
        named = request.partition == one.name or not (request.partition or one.by_request or one.test)
        kind = _kind_for(request, site, one) if named and not _idle(request, one) else None
        if kind is not None and not any(site_limits(request, site)):
            return Choice(partition=one), kind
    if choice.partition is None:
        return choice, None
    reasons = [Reason(what="gpus", text=f"only {choice.partition.name} could, whose GPUs would lie idle")]
    own = [one for one in site.partitions if not one.gpus]
    reasons += [reason for one in own[:1] for reason in job_limits(request, site, one)]
    return Choice(partition=None, reasons=tuple(reversed(reasons))), None


def _kind_for(request: Request, site: Site, one: Partition) -> NodeKind | None:
    """Return the kind of nodes that a job has to ask for in a partition; None where it need not, or none fits."""
    if not job_limits(request, site, one):
        return None
    return next((kind for kind in one.kinds if not job_limits(request, site, _made_of(one, kind))), None)


def _made_of(one: Partition, kind: NodeKind) -> Partition:
    sizes = {name: getattr(kind, name) for name in ("nodes", "cores", "memory")}
    return replace(one, gpus=kind.gpus, gres=kind.gres or one.gres, kinds=(), **sizes)


def _asked(kind: NodeKind | None) -> str:
    """Return how a job asks for nodes of a kind."""
    if kind is None:
        return ""
    constraint = f"--constraint={kind.constraint}" if kind.constraint else ""
    gres = f"--gres={kind.gres}:N" if kind.gres else ""
    return " ".join(filter(None, (constraint, gres))) or kind.name


def _why_not(request: Request, site: Site, one: Partition) -> tuple[str, ...]:
    """Return why a job does not go to a partition; nothing where it could be sent there as well."""
    why = [reason.text for reason in job_limits(request, site, one)]
    if why and _kind_for(request, site, one) is not None:
        why = []
    if one.by_request:
        why.append(f"open only to {one.open_to}" if one.open_to else "open only by request")
    if one.gpus and not request.gpus:
        why.append("its GPUs would lie idle")
    if one.test and not why:
        why.append("it is meant for tests")
    return tuple(why)


def _for_study(site: Site, study: Path, said: dict[str, Any], tasks: int) -> Verdict:
    source = from_file(study, site.name)
    place = place_of(source, site, **said)
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
        notes.append(f"an account must be named{f': {site.account_about}' if site.account_about else ''}")
    chosen = choice.partition
    notes += [f"{chosen.name}, not verified: {chosen.doubt}"] if chosen and chosen.doubt else []
    return Verdict(
        site=site.name,
        title=site.title,
        fits=chosen is not None,
        partition=chosen.name if chosen else "",
        why=tuple(_told(reason) for reason in choice.reasons),
        notes=tuple(notes),
    )


def _told(reason: Reason) -> str:
    return f"{reason.text} ({reason.advice})" if reason.advice else reason.text
