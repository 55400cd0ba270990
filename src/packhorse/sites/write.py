"""A Site -> the text of its file: only what is said, in the order of the keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec.structs import fields

from packhorse.model.site import Site
from packhorse.sites.keys import SITE
from packhorse.sites.kinds import Key
from packhorse.text.write import yaml_text


def site_text(site: Site, about: Iterable[str] = ()) -> str:
    """Return the text of a site's file, which reads back as the same site; `about` are comments at its head."""
    return "".join(f"# {line}\n" for line in about) + yaml_text(plain(site, SITE))


def plain(part: Any, table: dict[str, Key]) -> dict[str, Any]:
    """Return what a site, or a part of one, says, as plain values by its keys."""
    silent = {one.name: one.default for one in fields(part)}
    said = {}
    for name, key in table.items():
        value: Any = getattr(part, name, None)
        if name not in silent or value == silent[name]:
            continue
        if key.part is None:
            said[name] = key.write(value)
        elif key.part.named:
            said[name] = {one.name: plain(one, key.part.table) for one in value}
        else:
            said[name] = plain(value, key.part.table)
    return said
