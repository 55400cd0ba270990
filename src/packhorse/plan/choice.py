"""The partition that a study goes to: the one it names, the site's default, or the first that fits."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator

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
    """The partition that work goes to, or why it fits none. `notes` are shown before anything is submitted."""

    partition: Partition | None
    reasons: tuple[Reason, ...] = ()
    notes: tuple[str, ...] = ()


def choose(work: Work, site: Site, asked: Cluster) -> Choice:
    """Return the partition for work: the requested one, else the site's default, else the first that fits.

    A partition that is open only on request is used only if it is named; one meant for tests also for a study that
    fits into it as a whole.
    """
    if undescribed(site, asked.partition, work.resources.gpus):
        choice = unchecked(site, asked.partition, work.resources.gpus)
    elif asked.partition:
        choice = _named(work, site, asked)
    else:
        choice = _first_that_fits(work, site, asked)
    general = site_reasons(site, asked)
    return Choice(partition=None, reasons=(*general, *choice.reasons)) if general else choice


def require(choice: Choice, site: Site, what: str = "study") -> Partition:
    """Return the chosen partition; raise RunError with every reason if there is none."""
    if choice.partition is not None:
        return choice.partition
    why = "; ".join(dict.fromkeys(reason.text for reason in choice.reasons))
    advice = "; ".join(dict.fromkeys(reason.advice for reason in choice.reasons if reason.advice))
    hint = advice or f"packhorse sites show {site.name}"
    raise RunError(f"the {what} does not fit {site.name}: {why}", hint)


def undescribed(site: Site, partition: str, gpus: int) -> bool:
    """Return whether a site's file describes no partitions, or only some for GPUs and the work needs none."""
    others = [one for one in site.partitions if one.default or one.by_gpu or "gpu" not in one.purpose]
    return not site.partitions or not (others or gpus or partition)


def unchecked(site: Site, partition: str, gpus: int) -> Choice:
    """Return the choice of a partition that the site's file does not describe."""
    which = " for work without GPUs" if site.partitions else ""
    note = f"the partitions of {site.name}{which} are not described, so their limits were not checked"
    return Choice(partition=Partition(name=partition, gpus=gpus), notes=(note,))


def named_notes(site: Site, partition: Partition) -> Iterator[str]:
    """Yield what to know of a partition that the user has named."""
    if partition.by_request:
        yield access_note(site, partition)
    if all(partition.name != one.name for one in site.partitions):
        yield f"partition {partition.name} of {site.name} is not verified: {partition.doubt}"


def access_note(site: Site, partition: Partition) -> str:
    """Return that a partition is open only to some users."""
    users = f" (open to {partition.open_to})" if partition.open_to else ""
    return f"access to {partition.name} must be granted by {site.name}{users}"


def _named(work: Work, site: Site, asked: Cluster) -> Choice:
    partition = site.partition(asked.partition)
    if partition is None:
        return Choice(partition=None, reasons=(no_such(site, asked.partition, write),))
    reasons = tuple(unfit(work, site, partition, asked))
    return Choice(
        partition=None if reasons else partition, reasons=reasons, notes=tuple(named_notes(site, partition))
    )


def no_such(site: Site, name: str, written: Callable[[str, str], str]) -> Reason:
    """Return the refusal of a partition that a site does not have, with the name that was probably meant."""
    known = [partition.name for partition in site.partitions]
    renamed = [partition.name for partition in site.partitions if name in partition.was]
    near = renamed or difflib.get_close_matches(name, known, n=1)
    advice = written("partition", near[0]) if near else f"it has {', '.join(known)}"
    now = f" any more; it is called {renamed[0]}" if renamed else ""
    return Reason(what="partition", text=f"{site.name} has no partition {name}{now}", advice=advice)


def _first_that_fits(work: Work, site: Site, asked: Cluster) -> Choice:
    ordered = sorted(site.partitions, key=lambda partition: _order(partition, work))
    obstacles = {partition.name: _obstacles(work, site, partition, asked) for partition in ordered}
    chosen = next((partition for partition in ordered if not obstacles[partition.name]), None)
    if chosen is None:
        nearest = min(ordered, key=lambda partition: len(obstacles[partition.name]))
        return Choice(partition=None, reasons=tuple(obstacles[nearest.name]))
    notes = []
    default = next((partition for partition in site.partitions if partition.default), chosen)
    if default.name != chosen.name:
        why = "; ".join(reason.text for reason in obstacles[default.name])
        notes.append(f"partition {chosen.name}, since {why}")
    notes += [
        f"the whole study fits into {other.name} ({_extent(other)}), where jobs usually start sooner: "
        f"--partition {other.name}"
        for other in site.partitions
        if _is_shorter(other, chosen)
        and (work.resources.gpus or not other.gpus)
        and not obstacles[other.name]
        and whole_study_fits(work, site, other, asked)
    ]
    return Choice(partition=chosen, notes=tuple(notes))


def _order(partition: Partition, work: Work) -> tuple[bool, bool, bool, bool]:
    """Return the key by which partitions are tried; GPUs are left to work that uses them."""
    idle_gpus = bool(partition.gpus) and not work.resources.gpus
    return (partition.by_request, partition.test, not partition.default, idle_gpus)


def _obstacles(work: Work, site: Site, partition: Partition, asked: Cluster) -> list[Reason]:
    """Return why work does not go to a partition without being asked to."""
    reasons = unfit(work, site, partition, asked)
    advice = f"to use it nevertheless, {write('partition', partition.name)}"
    if partition.by_request:
        text = f"partition {partition.name} is open only by request"
        reasons.append(Reason(what="partition", text=text, advice=advice))
    if partition.test and not whole_study_fits(work, site, partition, asked):
        text = f"partition {partition.name} is meant for tests, and the study is more than that"
        reasons.append(Reason(what="partition", text=text, advice=advice))
    return reasons


def whole_study_fits(work: Work, site: Site, partition: Partition, asked: Cluster) -> bool:
    """Return whether all of the work is known to finish in one wave there."""
    if not work.known or limits(work, partition, asked):
        return False
    shape = shape_of(work, site, partition, asked)
    return waves(work, shape.at_a_time, shape.seconds) == 1


def _is_shorter(other: Partition, chosen: Partition) -> bool:
    if other.name == chosen.name or other.max_time is None:
        return False
    return other.test or chosen.max_time is None or other.max_time < chosen.max_time


def _extent(partition: Partition) -> str:
    nodes = usable_nodes(partition)
    longest = f"jobs up to {span(partition.max_time or 0)}"
    return longest if nodes is None else f"{counted(nodes, 'node')}, {longest}"
