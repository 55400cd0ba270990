"""A site's file -> Site: every key read and checked, laid over the site that it extends."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from packhorse.model.site import Partition, Site
from packhorse.sites.keys import PARTITION, SITE, Key
from packhorse.text.node import Node, as_word, entries, mapping, nearest, refuse
from packhorse.text.yaml import parse_yaml

Base = Callable[[Node], Site]
_NAME = re.compile(r"[^\W_][\w.+-]*")


def parse_site(text: str, *, name: str, path: str, base: Base) -> Site:
    """Return the site that a YAML text describes.

    `name` is the file's, `path` names it in messages, `base` returns the site that a node names, for `extends`.
    Raises StudyError at file:line:column.
    """
    if not _NAME.fullmatch(name):
        hint = "Use letters, digits and . _ + -, beginning with a letter or digit."
        refuse(f"{path}:1:1", f"'{name}' cannot be a site's name, which is its file's.", hint)
    given = entries(parse_yaml(text, path, least="title: Our cluster"), SITE, "the site")
    read = _read(given, SITE)
    before = Site(name=name)
    if "extends" in given:
        as_word(given["extends"], "extends")
        before = base(given["extends"])
    if "partitions" in given:
        read["partitions"] = _partitions(given["partitions"], before)
    return replace(before, **{**read, "name": name})


def _read(given: dict[str, Node], table: dict[str, Key]) -> dict[str, Any]:
    """Return the values of the keys that need no more than their nodes."""
    values = {}
    for name, node in given.items():
        read = table[name].read
        if read is not None:
            values[name] = read(node, name)
    return values


def _partitions(node: Node, before: Site) -> tuple[Partition, ...]:
    """Return the partitions of the site before with this one's laid over them."""
    laid = {one.name: one for one in before.partitions}
    for name, child in mapping(node, "partitions").items():
        if child.value is None and child.text:
            _take_away(laid, name, child)
            continue
        if not name or name.split() != [name] or not name.isprintable():
            refuse(child.key, f"'{name}' cannot be a partition's name.", "Write one word.")
        facts = child if child.value is not None else Node({}, child.where)  # a name alone: nothing is known
        read = _read(entries(facts, PARTITION, f"the partition '{name}'"), PARTITION)
        laid[name] = replace(laid.get(name, Partition(name=name)), **read)
        _check_times(laid[name], child)
        if read.get("default"):  # the newest word counts, but one file may say it once
            _only_default(laid, name, node)
    return tuple(laid.values())


def _take_away(laid: dict[str, Partition], name: str, node: Node) -> None:
    if name not in laid:
        hint = nearest(name, laid) if laid else "Only what `extends` brought can be taken away."
        refuse(node.key, f"There is no partition '{name}' to take away.", hint)
    del laid[name]


def _check_times(partition: Partition, node: Node) -> None:
    if partition.default_time and partition.max_time and partition.default_time > partition.max_time:
        where = node.value.get("default_time") or node.value.get("max_time") or node
        message = f"The default_time of '{partition.name}' is longer than its max_time."
        refuse(where, message, "Correct one of them.")


def _only_default(laid: dict[str, Partition], name: str, node: Node) -> None:
    """Take the word `default` from the partitions of the site before; two in one file clash."""
    for other, one in laid.items():
        if other == name or not one.default:
            continue
        said = node.value.get(other)
        if said is not None and "default" in said.value:
            clash = node.value[name].value["default"]
            message = f"Both '{other}' and '{name}' are the default partition."
            refuse(clash, message, "Keep default: true at one of them.")
        laid[other] = replace(one, default=False)
