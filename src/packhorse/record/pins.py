"""Pins of the packages that an interpreter has installed: those that a study imports, and their dependencies."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Struct

from packhorse.record.packages import ask_interpreter
from packhorse.record.software import canonical

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


class Repository(Struct, frozen=True, kw_only=True):
    """The repository that a package was installed from (PEP 610)."""

    vcs: str = ""
    commit_id: str = ""


class DirectUrl(Struct, frozen=True, kw_only=True):
    """Where a package was installed from, other than by its name from a package index (PEP 610)."""

    url: str = ""
    vcs_info: Repository | None = None


class InstalledPackage(Struct, frozen=True, kw_only=True):
    """An installed package, with what INSTALLED_PROBE reads of its metadata."""

    name: str
    version: str | None  # None where its metadata has none
    modules: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()  # lines of Requires-Dist
    direct: DirectUrl | None = None


class InstalledPackages(Struct, frozen=True, kw_only=True):
    """The version of a Python (3.11) and its packages by lower-case name; empty for one that does not report them."""

    version: str = ""
    packages: dict[str, InstalledPackage] = {}


class Pins(Struct, frozen=True, kw_only=True):
    """Pinned packages of an interpreter, as lines of a requirements file."""

    python: str = ""  # version
    lines: tuple[str, ...] = ()
    names: tuple[str, ...] = ()  # canonical names of the requested packages, without their dependencies
    unknown: tuple[str, ...] = ()  # requested modules that no installed package provides
    only_here: tuple[str, ...] = ()  # packages that were installed from a local folder: name and folder
    notes: tuple[str, ...] = ()


def installed_packages(python: str, env: Mapping[str, str]) -> InstalledPackages:
    """Return the Python version and the installed packages of an interpreter; none where it does not report them."""
    output, _ = ask_interpreter([python, "-c", INSTALLED_PROBE], env, Path("/"))
    lines = [line for line in output.splitlines() if line.startswith("@packhorse ")]
    try:
        return msgspec.convert(json.loads(lines[-1].removeprefix("@packhorse ")), InstalledPackages)
    except (IndexError, ValueError, msgspec.ValidationError):
        return InstalledPackages()


def providers(installed: InstalledPackages, modules: Iterable[str]) -> dict[str, list[str]]:
    """Return {module: packages that provide it}; several packages may share a namespace.

    Modules that no package provides are left out.
    """
    packages: dict[str, list[str]] = {}
    for package in installed.packages.values():
        for module in package.modules:
            packages.setdefault(module, []).append(canonical(package.name))
    return {module: packages[module] for module in modules if module in packages}


def pin_packages(
    installed: InstalledPackages, modules: Iterable[str], named: Iterable[str], root: Path
) -> Pins:
    """Return pins of the packages that provide `modules`, of the packages `named`, and of their dependencies.

    Of a package that is installed from `root`, which is part of the snapshot, only the dependencies are pinned.
    """
    packages = {canonical(package.name): package for package in installed.packages.values()}
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
        python=installed.version,
        lines=tuple(lines),
        names=tuple(sorted(roots)),
        unknown=tuple(module for module in modules if module not in provided),
        only_here=tuple(only_here),
        notes=tuple(notes),
    )


def _closure(packages: Mapping[str, InstalledPackage], roots: Iterable[str]) -> dict[str, set[str]]:
    """Return {package: environment markers under which it is needed} of the roots and their dependencies; "" is always."""
    markers: dict[str, set[str]] = {}
    queue = [(root, frozenset[str](), "") for root in roots]
    seen = set(queue)
    while queue:
        name, extras, marker = queue.pop()
        if name not in packages or name == "packhorse":
            continue
        markers.setdefault(name, set()).add(marker)
        for text in packages[name].requires:
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


def _pin_line(package: InstalledPackage, root: Path) -> tuple[str, str, str]:
    """Return (requirements line, local folder, note) of a package; the line is "" for a package from a local folder."""
    name, url = package.name, package.direct.url if package.direct else ""
    repository = package.direct.vcs_info if package.direct else None
    if repository is not None and repository.commit_id:
        return f"{name} @ {repository.vcs}+{url}@{repository.commit_id}", "", ""
    if url and not url.startswith("file:"):
        return f"{name} @ {url}", "", ""
    place = Path(unquote(urlsplit(url).path)) if url else None
    if place is not None and place.is_relative_to(root):
        return "", "", ""
    # The URL of a conda package is a folder on the build machine; the package index has the same version.
    if place is not None and place.exists():
        return "", str(place), ""
    if package.version is None:
        return "", "", f"{name} is installed here without a version, so it is not pinned"
    public, plus, _ = package.version.partition("+")
    note = f"{name} {package.version} is a local build; the site gets {public}" if plus else ""
    return f"{name}=={public}", "", note
