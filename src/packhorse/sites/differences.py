"""Compare a site file with what its cluster reports: partitions renamed, limits changed, facts learned."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import fields, replace

from packhorse.model.site import Site
from packhorse.model.site_facts import SiteFacts
from packhorse.model.site_parts import Partition
from packhorse.sites.keys import SITE
from packhorse.sites.parts import PARTITION
from packhorse.text.keys import Key

# In a partition of mixed nodes, the file may give these for any of its kinds.
SIZES = ("cores", "memory", "gpus", "gres")
SIMILAR = 0.75  # the share of equal facts from which two partitions of different names count as one, renamed


class Change(Struct, frozen=True, kw_only=True):
    """A difference between the file and the cluster. Values are as in a site file; "" means none."""

    how: Literal["changed", "renamed", "gone", "new", "learned"]
    partition: str = ""  # empty: the site itself
    key: str = ""
    file: str = ""
    cluster: str = ""


def differences(known: Site, reported: SiteFacts) -> list[Change]:
    """Return the differences between a site file and the facts that its cluster reports."""
    site_keys = [key for key in SITE if key in reported.facts and key != "partitions"]
    changes = list(_compare(known, reported.site, site_keys, SITE, ""))
    if "partitions" not in reported.facts:
        return changes
    names = _file_names(known, reported)
    for name, old in names.items():
        if name != old:
            changes.append(Change(how="renamed", partition=old, file=old, cluster=name))
    missing = [partition.name for partition in known.partitions if partition.name not in names.values()]
    changes += [Change(how="gone", partition=name) for name in missing]
    for now in reported.site.partitions:
        before = known.partition(names[now.name]) if now.name in names else None
        if before is None:
            changes.append(Change(how="new", partition=now.name))
            continue
        keys = [key for key in PARTITION if key in reported.partition_facts and not _agrees(key, before, now)]
        changes += _compare(before, now, keys, PARTITION, now.name)
    return changes


def update_site(known: Site, reported: SiteFacts) -> Site:
    """Return the site with the facts that its cluster reports in place of those of its file."""
    values = {key: getattr(reported.site, key) for key in reported.facts - {"partitions"}}
    if "partitions" not in reported.facts:
        return replace(known, **values)
    names = _file_names(known, reported)
    partitions = []
    for now in reported.site.partitions:
        before = known.partition(names[now.name]) if now.name in names else None
        partitions.append(now if before is None else _updated(before, now, reported))
    order = [partition.name for partition in known.partitions]
    partitions.sort(key=lambda p: order.index(names[p.name]) if p.name in names else len(order))
    return replace(known, **values, partitions=tuple(partitions))


def _updated(before: Partition, now: Partition, reported: SiteFacts) -> Partition:
    keys = [key for key in reported.partition_facts if not _agrees(key, before, now)]
    was = tuple(dict.fromkeys([*before.was, *([before.name] if now.name != before.name else [])]))
    access = {"open_to": now.open_to} if "by_request" in keys else {}
    facts = {key: getattr(now, key) for key in keys if key != "kinds"}
    return replace(before, name=now.name, was=was, **facts, **access)


def _file_names(known: Site, reported: SiteFacts) -> dict[str, str]:
    """Map each partition of the cluster to its name in the file: the same, a former one, or the most similar."""
    names = {p.name: p.name for p in reported.site.partitions if known.partition(p.name)}
    left = [partition for partition in known.partitions if partition.name not in names]
    for now in reported.site.partitions:
        if now.name in names or not left:
            continue
        similarity, before = max(
            ((_similarity(old, now, reported), old) for old in left), key=lambda pair: pair[0]
        )
        if similarity >= SIMILAR:
            names[now.name] = before.name
            left.remove(before)
    return names


def _similarity(before: Partition, now: Partition, reported: SiteFacts) -> float:
    """Return the share of a partition's facts that hold for another; 0 where fewer than three are known."""
    keys = [
        key for key in reported.partition_facts if getattr(before, key) != _default(key) and key != "kinds"
    ]
    equal = sum(_agrees(key, before, now) for key in keys)
    return equal / len(keys) if len(keys) > 2 else 0.0


def _default(key: str) -> Any:
    return next(field.default for field in fields(Partition) if field.name == key)


def _agrees(key: str, before: Partition, now: Partition) -> bool:
    """Return whether the file agrees with the cluster on a key; a size may be that of any kind of nodes."""
    known, actual = getattr(before, key), getattr(now, key)
    if known == actual or key == "kinds":
        return True
    if key == "gres" and (not now.gpus or (known == "gpu" and before.gpus == now.gpus)):
        return True  # a request may leave out the type of the GPU
    return key in SIZES and any(getattr(kind, key) == known for kind in now.kinds)


def _compare(
    before: Any, now: Any, keys: list[str], table: dict[str, Key], partition: str
) -> Iterator[Change]:
    defaults = {field.name: field.default for field in fields(before)}
    for key in keys:
        known, actual = getattr(before, key), getattr(now, key)
        if known == actual:
            continue
        how: Literal["learned", "changed"] = "learned" if known == defaults[key] else "changed"
        file, cluster = (
            "" if value == defaults[key] and not isinstance(value, bool) else str(table[key].write(value))
            for value in (known, actual)
        )
        yield Change(how=how, partition=partition, key=key, file=file, cluster=cluster)
