"""Write a Site as the text of a site file: the keys that differ from their defaults, in the order of the table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec.structs import fields

from packhorse.model.site import Site
from packhorse.sites.keys import SITE
from packhorse.text.keys import Key
from packhorse.text.write import yaml_text


def site_text(site: Site, about: Iterable[str] = ()) -> str:
    """Return the text of a site file that parses to the same site; `about` becomes comments at the top."""
    return "".join(f"# {line}\n" for line in about) + yaml_text(plain(site, SITE))


def plain(part: Any, table: dict[str, Key]) -> dict[str, Any]:
    """Return the plain values, by key, of a site or a part of one; defaults are left out."""
    defaults = {field.name: field.default for field in fields(part)}
    values = {}
    for name, key in table.items():
        value: Any = getattr(part, name, None)
        if name not in defaults or value == defaults[name]:
            continue
        if key.part is None:
            values[name] = key.write(value)
        elif key.part.named:
            values[name] = {inner.name: plain(inner, key.part.table) for inner in value}
        else:
            values[name] = plain(value, key.part.table)
    return values
