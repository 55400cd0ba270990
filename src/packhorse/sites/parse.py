"""Parse a site file: read and check every key, and merge it with the site that it extends."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from msgspec.structs import fields, replace

from packhorse.model.site import Partition, Site
from packhorse.sites.keys import SITE
from packhorse.text.keys import Key, Part
from packhorse.text.node import Node, as_word, entries, mapping, nearest, refuse
from packhorse.text.yaml import parse_yaml

Base = Callable[[Node], Site]
_NAME = re.compile(r"[^\W_][\w.+-]*")


def parse_site(text: str, *, name: str, path: str, base: Base) -> Site:
    """Parse the YAML text of a site file.

    `name` is the file's name, `path` its name in messages, and `base` returns the site that `extends` names.
    Raise StudyError at file:line:column.
    """
    if not _NAME.fullmatch(name):
        hint = "Use letters, digits and . _ + -, and begin with a letter or digit."
        refuse(f"{path}:1:1", f"'{name}' is not a valid site name; the file has that name.", hint)
    given = entries(parse_yaml(text, path, least="title: Our cluster"), SITE, "The site")
    before = Site(name=name)
    if "extends" in given:
        as_word(given["extends"], "extends")
        before = replace(base(given["extends"]), aliases=())  # its aliases are names of that site only
    site: Site = replace(_merged(before, given, SITE), name=name)
    for key, node in _mapping_of(given, "sources").items():
        if key not in SITE:
            refuse(node.key, f"sources names '{key}', which is not a key of a site.", nearest(key, SITE))
    return _checked_partitions(site, _mapping_of(given, "partitions"))


def _merged(before: Any, given: dict[str, Node], table: dict[str, Key]) -> Any:
    """Return a site, or a part of one, with the given values in place of its own."""
    values: dict[str, Any] = {}
    defaults = {field.name: field.default for field in fields(before)}
    for name, node in given.items():
        key = table[name]
        if name != "extends" and _is_null(node):
            values[name] = defaults[name]
        elif key.read is not None:
            values[name] = key.read(node, name)
        elif key.part is not None and key.part.named:
            values[name] = _merged_parts(node, name, key.part, getattr(before, name))
        elif key.part is not None:
            inside = entries(node, key.part.table, name)
            values[name] = _merged(getattr(before, name) or key.part.makes(), inside, key.part.table)
    if "test" in values.get("purpose", ()):
        values.setdefault("test", True)
    return replace(before, **values)


def _is_null(node: Node) -> bool:
    """Return whether null is written out, which removes a value of `extends`; no value at all does not."""
    return node.value is None and bool(node.text)


def _merged_parts(node: Node, key: str, part: Part, before: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the named parts of the extended site, merged with those of this file."""
    parts = {made.name: made for made in before}
    for name, child in mapping(node, key).items():
        if _is_null(child):
            if name not in parts:
                hint = nearest(name, parts) if parts else "null removes only what `extends` has added."
                refuse(child.key, f"There is no {part.called} '{name}' to remove.", hint)
            del parts[name]
            continue
        if not name or name.split() != [name] or not name.isprintable():
            refuse(child.key, f"'{name}' is not a valid name of a {part.called}.", "Write one word.")
        facts = child if child.value is not None else Node({}, child.where)  # a name without any facts
        given = entries(facts, part.table, f"The {part.called} '{name}'")
        parts[name] = _merged(parts.get(name) or part.makes(name=name), given, part.table)
    return tuple(parts.values())


def _mapping_of(given: dict[str, Node], name: str) -> dict[str, Node]:
    value = given[name].value if name in given else None
    return value if isinstance(value, dict) else {}


def _checked_partitions(site: Site, given: dict[str, Node]) -> Site:
    """Check the partitions of this file together; a new default partition replaces that of the extended site."""
    nodes = {name: node for name, node in given.items() if isinstance(node.value, dict)}
    here = [partition for partition in site.partitions if partition.name in nodes]
    for partition in here:
        _check_order(partition, nodes[partition.name])
    new = [p.name for p in here if p.default and "default" in nodes[p.name].value]
    if len(new) > 1:
        message = f"'{new[0]}' and '{new[1]}' are both the default partition."
        refuse(nodes[new[1]].value["default"], message, "Write default: true for one of them only.")
    if not new:
        return site
    return replace(site, partitions=tuple(replace(p, default=p.name == new[0]) for p in site.partitions))


def _check_order(partition: Partition, node: Node) -> None:
    """Refuse a minimum or default above its maximum; either may come from the site that this one extends."""
    for less, more, relation in (("default_time", "max_time", "longer"), ("min_nodes", "max_nodes", "more")):
        low, high = getattr(partition, less), getattr(partition, more)
        if low and high and low > high:
            where = node.value.get(less) or node.value.get(more) or node
            message = f"The {less} of '{partition.name}' is {relation} than its {more}."
            refuse(where, message, "Correct one of them.")
