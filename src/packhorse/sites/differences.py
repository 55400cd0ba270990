"""What a cluster tells of itself beside what its file says: partitions renamed, limits changed, facts new."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import fields, replace

from packhorse.model.site import Site
from packhorse.model.site_facts import SiteFacts
from packhorse.model.site_parts import Partition
from packhorse.sites.keys import SITE
from packhorse.sites.kinds import Key
from packhorse.sites.parts import PARTITION

# Of these a site's file may know less or more than the machine, which tells no models and no purposes.
SIZES = ("cores", "memory", "gpus", "gres")


class Change(Struct, frozen=True, kw_only=True):
    """One thing that the file and the cluster do not say alike; values as they stand in a file, "" where none does."""

    how: Literal["changed", "renamed", "gone", "new", "learned"]
    partition: str = ""  # whose, nothing for the site's own
    key: str = ""
    file: str = ""
    cluster: str = ""


def differences(known: Site, told: SiteFacts) -> list[Change]:
    """Return in what a site's file differs from what its cluster tells."""
    own = [key for key in SITE if key in told.facts and key != "partitions"]
    found = list(_compare(known, told.site, own, SITE, ""))
    if "partitions" not in told.facts:
        return found
    names = _same(known, told)
    for name, old in names.items():
        if name != old:
            found.append(Change(how="renamed", partition=old, file=old, cluster=name))
    missing = [one.name for one in known.partitions if one.name not in names.values()]
    found += [Change(how="gone", partition=name) for name in missing]
    for now in told.site.partitions:
        before = known.partition(names[now.name]) if now.name in names else None
        if before is None:
            found.append(Change(how="new", partition=now.name))
            continue
        keys = [key for key in PARTITION if key in told.partition_facts and not _right(key, before, now)]
        found += _compare(before, now, keys, PARTITION, now.name)
    return found


def laid_over(known: Site, told: SiteFacts) -> Site:
    """Return a site's file with what its cluster tells in place of what it said."""
    own = {key: getattr(told.site, key) for key in told.facts - {"partitions"}}
    if "partitions" not in told.facts:
        return replace(known, **own)
    names = _same(known, told)
    partitions = []
    for now in told.site.partitions:
        before = known.partition(names[now.name]) if now.name in names else None
        partitions.append(now if before is None else _laid(before, now, told))
    order = [one.name for one in known.partitions]
    before_first = sorted(
        partitions, key=lambda one: order.index(names[one.name]) if one.name in names else len(order)
    )
    return replace(known, **own, partitions=tuple(before_first))


def _laid(before: Partition, now: Partition, told: SiteFacts) -> Partition:
    keys = [key for key in told.partition_facts if not _right(key, before, now)]
    was = tuple(dict.fromkeys([*before.was, *([before.name] if now.name != before.name else [])]))
    kept = {"open_to": now.open_to} if "by_request" in keys else {}
    facts = {key: getattr(now, key) for key in keys if key != "kinds"}
    return replace(before, name=now.name, was=was, **facts, **kept)


def _same(known: Site, told: SiteFacts) -> dict[str, str]:
    """Return for each partition of the cluster what the file calls it: the same, an old name, or the most alike."""
    names = {one.name: one.name for one in told.site.partitions if known.partition(one.name)}
    left = [one for one in known.partitions if one.name not in names]
    for now in told.site.partitions:
        if now.name in names or not left:
            continue
        alike, before = max(((_alike(one, now, told), one) for one in left), key=lambda pair: pair[0])
        if alike >= 0.75:
            names[now.name] = before.name
            left.remove(before)
    return names


def _alike(before: Partition, now: Partition, told: SiteFacts) -> float:
    """Return which part of what the file says of a partition holds for another; 0 where it says next to nothing."""
    said = [key for key in told.partition_facts if getattr(before, key) != _default(key) and key != "kinds"]
    equal = sum(_right(key, before, now) for key in said)
    return equal / len(said) if len(said) > 2 else 0.0


def _default(key: str) -> Any:
    return next(one.default for one in fields(Partition) if one.name == key)


def _right(key: str, before: Partition, now: Partition) -> bool:
    """Tell whether a file is right about a key: of nodes that are not alike, any kind may stand for all."""
    said, there = getattr(before, key), getattr(now, key)
    if said == there or key == "kinds":
        return True
    if key == "gres" and (not now.gpus or (said == "gpu" and before.gpus == now.gpus)):
        return True  # the name of the kind may be left out in a request
    return key in SIZES and any(getattr(kind, key) == said for kind in now.kinds)


def _compare(
    before: Any, now: Any, keys: list[str], table: dict[str, Key], partition: str
) -> Iterator[Change]:
    silent = {one.name: one.default for one in fields(before)}
    for key in keys:
        said, there = getattr(before, key), getattr(now, key)
        if said == there:
            continue
        how: Literal["learned", "changed"] = "learned" if said == silent[key] else "changed"
        file, cluster = (
            "" if value == silent[key] and not isinstance(value, bool) else str(table[key].write(value))
            for value in (said, there)
        )
        yield Change(how=how, partition=partition, key=key, file=file, cluster=cluster)
