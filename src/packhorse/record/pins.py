"""Pins of the packages that an interpreter has installed: those that a study imports, and their dependencies."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from packhorse.record.packages import ask_interpreter

# Runs under Python 3.8 and later: prints the installed packages with their modules and requirements.
INSTALLED_PROBE = r"""
import json, sys
sys.path[:] = [p for p in sys.path if p]
from importlib.metadata import distributions
found = {"version": "%d.%d" % sys.version_info[:2], "packages": {}}
for d in distributions():
    name = d.metadata["Name"] if d.metadata else None
    if not name or name.lower() in found["packages"]:
        continue
    names = d.read_text("top_level.txt")
    if names:
        modules = names.split()
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
    """Pinned packages of an interpreter, as lines of a requirements file."""

    python: str = ""  # version
    lines: tuple[str, ...] = ()
    names: tuple[str, ...] = ()  # canonical names of the requested packages, without their dependencies
    unknown: tuple[str, ...] = ()  # requested modules that no installed package provides
    only_here: tuple[str, ...] = ()  # packages that were installed from a local folder: name and folder
    notes: tuple[str, ...] = ()


def installed_packages(python: str, env: Mapping[str, str]) -> dict[str, Any]:
    """Return the Python version and the installed packages of an interpreter, or {} where it fails."""
    output, _ = ask_interpreter([python, "-c", INSTALLED_PROBE], env, Path("/"))
    lines = [line for line in output.splitlines() if line.startswith("@packhorse ")]
    return dict(json.loads(lines[-1].removeprefix("@packhorse "))) if lines else {}


def providers(installed: Mapping[str, Any], modules: Iterable[str]) -> dict[str, list[str]]:
    """Return {module: packages that provide it}; several packages may share a namespace.

    `installed` is the result of `installed_packages`. Modules that no package provides are left out.
    """
    packages: dict[str, list[str]] = {}
    for package in installed.get("packages", {}).values():
        for module in package["modules"]:
            packages.setdefault(module, []).append(canonical(package["name"]))
    return {module: packages[module] for module in modules if module in packages}


def pin_packages(
    installed: Mapping[str, Any], modules: Iterable[str], named: Iterable[str], root: Path
) -> Pins:
    """Return pins of the packages that provide `modules`, of the packages `named`, and of their dependencies.

    Of a package that is installed from `root`, which is part of the snapshot, only the dependencies are pinned.
    """
    packages = {canonical(row["name"]): row for row in installed.get("packages", {}).values()}
    modules = list(modules)
    provided = providers(installed, modules)
    imported = [name for names in provided.values() for name in names]
    roots = dict.fromkeys([*imported, *(name for name in map(canonical, named) if name in packages)])
    markers = _closure(packages, roots)
    lines, only_here, notes = [], [], []
    for name in sorted(markers):
        line, folder, note = _pin_line(packages[name], root)
        if folder:
            only_here.append(f"{name}, from {folder}")
        elif line:
            marker = " or ".join(f"({text})" for text in sorted(markers[name])) if all(markers[name]) else ""
            lines.append(f"{line} ; {marker}" if marker else line)
        notes += [note] if note else []
    return Pins(
        python=installed.get("version", ""),
        lines=tuple(lines),
        names=tuple(sorted(roots)),
        unknown=tuple(module for module in modules if module not in provided),
        only_here=tuple(only_here),
        notes=tuple(notes),
    )


def canonical(name: str) -> str:
    """Return a package's name as PEP 503 compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _closure(packages: Mapping[str, Any], roots: Iterable[str]) -> dict[str, set[str]]:
    """Return {package: environment markers under which it is needed} of the roots and their dependencies; "" is always."""
    markers: dict[str, set[str]] = {}
    queue = [(root, frozenset[str](), "") for root in roots]
    seen = set(queue)
    while queue:
        name, extras, marker = queue.pop()
        if name not in packages or name == "packhorse":
            continue
        markers.setdefault(name, set()).add(marker)
        for text in packages[name]["requires"]:
            requirement = _parse_requirement(text, extras)
            if requirement is None:
                continue
            package, package_extras, condition = requirement
            # The marker of a package also applies to its dependencies.
            combined = " and ".join(part for part in dict.fromkeys((marker, condition)) if part)
            dependency = (package, package_extras, combined)
            if dependency not in seen and len(seen) < 100_000:
                seen.add(dependency)
                queue.append(dependency)
    return markers


def _parse_requirement(text: str, extras: frozenset[str]) -> tuple[str, frozenset[str], str] | None:
    """Return (package, its extras, marker) of a Requires-Dist line; None where it needs an extra that is not requested."""
    match = REQUIREMENT.match(text)
    if not match:
        return None
    marker = (match[4] or "").strip()
    if "extra" in marker:
        required = {canonical(left or right) for left, right in EXTRA.findall(marker)}
        if not required & extras:
            return None
        marker = ""  # the rest of the marker is dropped: it holds here, since the package is installed
    package_extras = frozenset(
        canonical(name.strip()) for name in (match[2] or "").split(",") if name.strip()
    )
    return canonical(match[1]), package_extras, marker


def _pin_line(package: Mapping[str, Any], root: Path) -> tuple[str, str, str]:
    """Return (requirements line, local folder, note) of a package; the line is "" for a package from a local folder."""
    direct, name, version = package["direct"] or {}, package["name"], package["version"]
    url = str(direct.get("url", ""))
    if direct.get("vcs_info", {}).get("commit_id"):
        vcs = direct["vcs_info"]
        return f"{name} @ {vcs['vcs']}+{url}@{vcs['commit_id']}", "", ""
    if url and not url.startswith("file:"):
        return f"{name} @ {url}", "", ""
    place = Path(unquote(urlsplit(url).path)) if url else None
    if place is not None and place.is_relative_to(root):
        return "", "", ""
    # The URL of a conda package is a folder on the build machine; the package index has the same version.
    if place is not None and place.exists():
        return "", str(place), ""
    public, plus, _ = version.partition("+")
    note = f"{name} {version} is a local build; the site gets {public}" if plus else ""
    return f"{name}=={public}", "", note
