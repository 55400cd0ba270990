"""Which partition a study goes to: the one it names, the site's default, or the first that fits."""

from __future__ import annotations

import difflib
from collections.abc import Callable

from msgspec import Struct

from packhorse.model.errors import RunError
from packhorse.model.site import Partition, Site
from packhorse.model.study import Cluster
from packhorse.plan.fit import Reason, limits, site_reasons, unfit, write
from packhorse.plan.job_time import waves
from packhorse.plan.shape import shape_of, usable_nodes
from packhorse.plan.work import Work
from packhorse.text.amounts import counted, span


class Choice(Struct, frozen=True, kw_only=True):
    """The partition that work goes to, or why it goes to none. `notes` are worth saying before anything is sent."""

    partition: Partition | None
    reasons: tuple[Reason, ...] = ()
    notes: tuple[str, ...] = ()


def choose(work: Work, site: Site, asked: Cluster) -> Choice:
    """Return the partition for work: the one asked for, else the site's default, else the first that fits.

    One that is open only by request is never chosen by itself, and one meant for tests only for a study that fits whole.
    """
    if undescribed(site, asked.partition, work.resources.gpus):
        found = unchecked(site, asked.partition, work.resources.gpus)
    elif asked.partition:
        found = _named(work, site, asked)
    else:
        found = _first_that_fits(work, site, asked)
    general = site_reasons(site, asked)
    return Choice(partition=None, reasons=(*general, *found.reasons)) if general else found


def require(choice: Choice, site: Site, what: str = "study") -> Partition:
    """Return the chosen partition; raise RunError with every reason where there is none."""
    if choice.partition is not None:
        return choice.partition
    said = "; ".join(dict.fromkeys(reason.text for reason in choice.reasons))
    advice = "; ".join(dict.fromkeys(reason.advice for reason in choice.reasons if reason.advice))
    hint = advice or f"packhorse sites show {site.name}"
    raise RunError(f"the {what} does not fit {site.name}: {said}", hint)


def undescribed(site: Site, partition: str, gpus: int) -> bool:
    """Tell whether nobody has described a site's partitions, or only those for work with GPUs, which this is not."""
    others = [one for one in site.partitions if one.default or one.by_gpu or "gpu" not in one.purpose]
    return not site.partitions or not (others or gpus or partition)


def unchecked(site: Site, partition: str, gpus: int) -> Choice:
    """Return the choice of a partition that nobody has described."""
    which = " for work without GPUs" if site.partitions else ""
    note = f"nobody has described the partitions of {site.name}{which}, so none of their limits was checked"
    return Choice(partition=Partition(name=partition, gpus=gpus), notes=(note,))


def _named(work: Work, site: Site, asked: Cluster) -> Choice:
    partition = site.partition(asked.partition)
    if partition is None:
        return Choice(partition=None, reasons=(no_such(site, asked.partition, write),))
    reasons = tuple(unfit(work, site, partition, asked))
    note = f"{partition.name} is open only to whom {site.name} has let in"
    notes = (note,) if partition.by_request else ()
    return Choice(partition=None if reasons else partition, reasons=reasons, notes=notes)


def no_such(site: Site, name: str, written: Callable[[str, str], str]) -> Reason:
    """Return the refusal of a partition that a site does not have, with the name that was meant."""
    known = [one.name for one in site.partitions]
    renamed = [one.name for one in site.partitions if name in one.was]
    near = renamed or difflib.get_close_matches(name, known, n=1)
    advice = written("partition", near[0]) if near else f"it has {', '.join(known)}"
    now = f" any more; it is called {renamed[0]}" if renamed else ""
    return Reason(what="partition", text=f"{site.name} has no partition {name}{now}", advice=advice)


def _first_that_fits(work: Work, site: Site, asked: Cluster) -> Choice:
    tried = sorted(site.partitions, key=lambda one: _order(one, work))
    chosen = next((one for one in tried if not _held_back(work, site, one, asked)), None)
    if chosen is None:
        nearest = min(tried, key=lambda one: len(_held_back(work, site, one, asked)))
        return Choice(partition=None, reasons=tuple(_held_back(work, site, nearest, asked)))
    notes = [*_why_not_the_default(work, site, chosen, asked), *_shorter_queues(work, site, chosen, asked)]
    return Choice(partition=chosen, notes=tuple(notes))


def _order(one: Partition, work: Work) -> tuple[bool, bool, bool, bool]:
    """Order partitions as they are tried; GPUs are left to those who need them."""
    idle_gpus = bool(one.gpus) and not work.resources.gpus
    return (one.by_request, one.test, not one.default, idle_gpus)


def _held_back(work: Work, site: Site, one: Partition, asked: Cluster) -> list[Reason]:
    """Return why work does not go to a partition that nobody named."""
    reasons = unfit(work, site, one, asked)
    advice = f"to go there all the same, {write('partition', one.name)}"
    if one.by_request:
        text = f"partition {one.name} is open only by request"
        reasons.append(Reason(what="partition", text=text, advice=advice))
    if one.test and not whole_study_fits(work, site, one, asked):
        text = f"partition {one.name} is meant for tests, and the study is more than that"
        reasons.append(Reason(what="partition", text=text, advice=advice))
    return reasons


def _why_not_the_default(work: Work, site: Site, chosen: Partition, asked: Cluster) -> list[str]:
    usual = next((one for one in site.partitions if one.default), chosen)
    if usual.name == chosen.name:
        return []
    reasons = _held_back(work, site, usual, asked)
    return [f"partition {chosen.name}, since {'; '.join(reason.text for reason in reasons)}"]


def whole_study_fits(work: Work, site: Site, partition: Partition, asked: Cluster) -> bool:
    """Return whether all of the work is done in one wave there, as far as is known how long it takes."""
    if not work.known or limits(work, partition, asked):
        return False
    shape = shape_of(work, site, partition, asked)
    return waves(work, shape.at_a_time, shape.seconds) == 1


def _shorter_queues(work: Work, site: Site, chosen: Partition, asked: Cluster) -> list[str]:
    """Propose the partitions for tests or for shorter jobs into which the whole study fits."""
    return [
        f"the whole study fits into {one.name} ({_extent(one)}), where jobs usually start sooner: "
        f"--partition {one.name}"
        for one in site.partitions
        if _is_shorter(one, chosen)
        and (work.resources.gpus or not one.gpus)
        and not _held_back(work, site, one, asked)
        and whole_study_fits(work, site, one, asked)
    ]


def _is_shorter(one: Partition, chosen: Partition) -> bool:
    if one.name == chosen.name or one.max_time is None:
        return False
    return one.test or chosen.max_time is None or one.max_time < chosen.max_time


def _extent(partition: Partition) -> str:
    nodes = usable_nodes(partition)
    longest = f"jobs up to {span(partition.max_time or 0)}"
    return longest if nodes is None else f"{counted(nodes, 'node')}, {longest}"
