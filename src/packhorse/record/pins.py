"""A lock made of what an interpreter has installed: the packages that are imported, and all that they need."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from packhorse.record.packages import ask_interpreter

# Runs under any Python from 3.8 on: what is installed, which modules it brings, and what it needs.
INSTALLED_PROBE = r"""
import json, sys
sys.path[:] = [p for p in sys.path if p]
from importlib.metadata import distributions
found = {"version": "%d.%d" % sys.version_info[:2], "packages": {}}
for d in distributions():
    name = d.metadata["Name"] if d.metadata else None
    if not name or name.lower() in found["packages"]:
        continue
    said = d.read_text("top_level.txt")
    if said:
        modules = said.split()
    else:
        tops = set(f.parts[0] for f in d.files or () if f.suffix in (".py", ".so", ".pyd"))
        modules = sorted(t.partition(".")[0] for t in tops)
    found["packages"][name.lower()] = {
        "name": name, "version": d.version, "modules": modules, "requires": d.requires or [],
        "direct": json.loads(d.read_text("direct_url.json") or "null"),
    }
sys.stdout.write("\n@packhorse " + json.dumps(found) + "\n")
"""
REQUIREMENT = re.compile(
    r"\s*([A-Za-z0-9][\w.-]*)\s*(?:\[([^\]]*)\])?\s*([^;]*?)\s*(?:;\s*(.*))?$", re.DOTALL
)
EXTRA = re.compile(r"extra\s*==\s*['\"]([^'\"]+)['\"]|['\"]([^'\"]+)['\"]\s*==\s*extra")


class Pins(Struct, frozen=True, kw_only=True):
    """Lines of a lock for pip; `python` is whose packages these are, `unknown` modules that none of them brings."""

    python: str = ""
    lines: tuple[str, ...] = ()
    names: tuple[str, ...] = ()  # of the packages that were wanted, as the index calls them
    unknown: tuple[str, ...] = ()
    only_here: tuple[str, ...] = ()  # packages that no index has: name, and where this one is from
    notes: tuple[str, ...] = ()


def installed_packages(python: str, env: Mapping[str, str]) -> dict[str, Any]:
    """Return what an interpreter has installed, {} with no packages where it cannot be asked."""
    said, _ = ask_interpreter([python, "-c", INSTALLED_PROBE], env, Path("/"))
    lines = [line for line in said.splitlines() if line.startswith("@packhorse ")]
    return dict(json.loads(lines[-1].removeprefix("@packhorse "))) if lines else {}


def providers(found: Mapping[str, Any], modules: Iterable[str]) -> dict[str, list[str]]:
    """Return {module: packages} for modules that something installed brings; several share a namespace."""
    brings: dict[str, list[str]] = {}
    for about in found.get("packages", {}).values():
        for module in about["modules"]:
            brings.setdefault(module, []).append(canonical(about["name"]))
    return {module: brings[module] for module in modules if module in brings}


def pin_packages(found: Mapping[str, Any], modules: Iterable[str], named: Iterable[str], root: Path) -> Pins:
    """Return the pins of the packages that bring `modules`, of those that are `named`, and of all that they need.

    What is installed from `root` comes as code, and only what it needs is pinned.
    """
    packages = {canonical(about["name"]): about for about in found.get("packages", {}).values()}
    wanted = list(modules)
    bring = providers(found, wanted)
    brought = [name for names in bring.values() for name in names]
    roots = dict.fromkeys([*brought, *(one for one in map(canonical, named) if one in packages)])
    markers = _closure(packages, roots)
    lines, only_here, notes = [], [], []
    for name in sorted(markers):
        line, where, note = _line(packages[name], root)
        if where:
            only_here.append(f"{name}, from {where}")
        elif line:
            marker = " or ".join(f"({one})" for one in sorted(markers[name])) if all(markers[name]) else ""
            lines.append(f"{line} ; {marker}" if marker else line)
        notes += [note] if note else []
    return Pins(
        python=found.get("version", ""),
        lines=tuple(lines),
        names=tuple(sorted(roots)),
        unknown=tuple(module for module in wanted if module not in bring),
        only_here=tuple(only_here),
        notes=tuple(notes),
    )


def canonical(name: str) -> str:
    """Return a package's name as PEP 503 compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _closure(packages: Mapping[str, Any], roots: Iterable[str]) -> dict[str, set[str]]:
    """Return {package: on which conditions it is needed} of the roots and all below; "" is in any case."""
    found: dict[str, set[str]] = {}
    left = [(root, frozenset[str](), "") for root in roots]
    seen = set(left)
    while left:
        name, extras, marker = left.pop()
        if name not in packages or name == "packhorse":
            continue
        found.setdefault(name, set()).add(marker)
        for text in packages[name]["requires"]:
            need = _needed(text, extras)
            if need is None:
                continue
            # A condition on the way down holds for all below it.
            below = (need[0], need[1], " and ".join(one for one in dict.fromkeys((marker, need[2])) if one))
            if below not in seen and len(seen) < 100_000:
                seen.add(below)
                left.append(below)
    return found


def _needed(text: str, extras: frozenset[str]) -> tuple[str, frozenset[str], str] | None:
    """Return (package, its extras, condition) of a line of Requires-Dist; None where it is for an extra not wanted."""
    read = REQUIREMENT.match(text)
    if not read:
        return None
    marker = (read[4] or "").strip()
    if "extra" in marker:
        asked = {canonical(one or other) for one, other in EXTRA.findall(marker)}
        if not asked & extras:
            return None
        marker = ""  # the rest of it is left to be found out where it is installed: it is installed here
    inside = frozenset(canonical(one.strip()) for one in (read[2] or "").split(",") if one.strip())
    return canonical(read[1]), inside, marker


def _line(about: Mapping[str, Any], root: Path) -> tuple[str, str, str]:
    """Return the line of a package, where it is from if no index has it, and what is worth telling."""
    direct, name, version = about["direct"] or {}, about["name"], about["version"]
    url = str(direct.get("url", ""))
    if direct.get("vcs_info", {}).get("commit_id"):
        vcs = direct["vcs_info"]
        return f"{name} @ {vcs['vcs']}+{url}@{vcs['commit_id']}", "", ""
    if url and not url.startswith("file:"):
        return f"{name} @ {url}", "", ""
    place = Path(unquote(urlsplit(url).path)) if url else None
    if place is not None and place.is_relative_to(root):
        return "", "", ""
    # Of what conda built the address is a folder of its builders, and the index has the same version.
    if place is not None and place.exists():
        return "", str(place), ""
    public, plus, _ = version.partition("+")
    note = f"{name} {version} is a local build: {public} is taken there" if plus else ""
    return f"{name}=={public}", "", note
