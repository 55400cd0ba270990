"""A site's file -> Site: every key read and checked, laid over the site that it extends."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from msgspec.structs import fields, replace

from packhorse.model.site import Partition, Site
from packhorse.sites.keys import SITE
from packhorse.sites.kinds import Key, Part
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
    before = Site(name=name)
    if "extends" in given:
        as_word(given["extends"], "extends")
        before = replace(base(given["extends"]), aliases=())  # other words for that one do not mean this one
    site: Site = replace(_laid(before, given, SITE), name=name)
    for key, node in _mapping_of(given, "sources").items():
        if key not in SITE:
            message = f"A site has no key '{key}' of which there is a source."
            refuse(node.key, message, nearest(key, SITE))
    return _settled(site, _mapping_of(given, "partitions"))


def _laid(before: Any, given: dict[str, Node], table: dict[str, Key]) -> Any:
    """Return a site, or a part of one, with what is given laid over it."""
    read: dict[str, Any] = {}
    unknown = {one.name: one.default for one in fields(before)}
    for name, node in given.items():
        key = table[name]
        if name != "extends" and _takes_away(node):
            read[name] = unknown[name]
        elif key.read is not None:
            read[name] = key.read(node, name)
        elif key.part is not None and key.part.named:
            read[name] = _named(node, name, key.part, getattr(before, name))
        elif key.part is not None:
            inside = entries(node, key.part.table, name)
            read[name] = _laid(getattr(before, name) or key.part.makes(), inside, key.part.table)
    if "test" in read.get("purpose", ()):
        read.setdefault("test", True)
    return replace(before, **read)


def _takes_away(node: Node) -> bool:
    """Tell whether null was written, which takes away what `extends` brought; a name alone says nothing."""
    return node.value is None and bool(node.text)


def _named(node: Node, name: str, part: Part, before: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the parts before by their names, with this site's laid over them."""
    laid = {one.name: one for one in before}
    for said, child in mapping(node, name).items():
        if _takes_away(child):
            if said not in laid:
                hint = nearest(said, laid) if laid else "Only what `extends` brought can be taken away."
                refuse(child.key, f"There is no {part.called} '{said}' to take away.", hint)
            del laid[said]
            continue
        if not said or said.split() != [said] or not said.isprintable():
            refuse(child.key, f"'{said}' cannot be a {part.called}'s name.", "Write one word.")
        facts = child if child.value is not None else Node({}, child.where)  # a name alone: nothing is known
        given = entries(facts, part.table, f"the {part.called} '{said}'")
        laid[said] = _laid(laid.get(said) or part.makes(name=said), given, part.table)
    return tuple(laid.values())


def _mapping_of(given: dict[str, Node], name: str) -> dict[str, Node]:
    value = given[name].value if name in given else None
    return value if isinstance(value, dict) else {}


def _settled(site: Site, given: dict[str, Node]) -> Site:
    """Check what the partitions of one file say together; a new default takes that word from the one before."""
    said = {name: child for name, child in given.items() if isinstance(child.value, dict)}
    here = [one for one in site.partitions if one.name in said]
    for one in here:
        _check_order(one, said[one.name])
    new = [one.name for one in here if one.default and "default" in said[one.name].value]
    if len(new) > 1:
        message = f"Both '{new[0]}' and '{new[1]}' are the default partition."
        refuse(said[new[1]].value["default"], message, "Keep default: true at one of them.")
    if not new:
        return site
    partitions = tuple(replace(one, default=one.name == new[0]) for one in site.partitions)
    return replace(site, partitions=partitions)


def _check_order(partition: Partition, node: Node) -> None:
    """Refuse a least that is more than its most; what was said last may be in the site that this one extends."""
    for less, more, words in (("default_time", "max_time", "longer"), ("min_nodes", "max_nodes", "more")):
        low, high = getattr(partition, less), getattr(partition, more)
        if low and high and low > high:
            where = node.value.get(less) or node.value.get(more) or node
            message = f"The {less} of '{partition.name}' is {words} than its {more}."
            refuse(where, message, "Correct one of them.")
