"""Find sites by name: in a named file, the project, the user's settings, or among those that Packhorse ships."""

from __future__ import annotations

import platform
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from msgspec import Struct

from packhorse.model.errors import StudyError, UsageError
from packhorse.model.site import Site
from packhorse.model.site_parts import Retired
from packhorse.runtime.site_files import SiteFile, is_path, site_files, user_folder
from packhorse.sites.parse import parse_site
from packhorse.text.node import Node, nearest, refuse
from packhorse.text.yaml import decode

DEFAULT_FILE = "default"  # in the folder of the user's site files: a name
_PATTERN = re.compile(r"[\w.*?-]*\w[\w.*?-]*", re.ASCII)


class KnownSite(Struct, frozen=True, kw_only=True):
    """A site by its name: where its file is, and the fault of the file if it has one."""

    name: str
    origin: str
    path: str
    site: Site | None = None
    fault: str = ""


def find_site(name: str, folder: Path, *, retired: bool = False) -> Site:
    """Return a site by name or by file (with a `/`, or ending in .yaml), for a study in `folder`.

    Raises UsageError where there is none, or where it is retired unless `retired`; StudyError at file:line:column
    where its file is wrong.
    """
    site = _read(find_file(name, folder), site_files(folder), ())
    if site.retired is not None and not retired:
        raise _retired_error(site, site.retired)
    return site


def _retired_error(site: Site, retired: Retired) -> UsageError:
    """Return the error for a retired site, with its successors."""
    since = f" since {retired.date}" if retired.date else ""
    successors = [f"--site {name}" for name in retired.successors]
    instead = f"use {' or '.join(successors)} instead\n" if successors else ""
    hint = f"{instead}packhorse sites show {site.name} describes it"
    return UsageError(f"{site.title or site.name} is retired{since}", hint)


def site_name(typed: str, folder: Path) -> str:
    """Return the name of a site as a study writes it; for a file, its name without .yaml."""
    if is_path(typed):
        return Path(typed).stem
    file = _file_of(typed, site_files(folder))
    return typed if file is None else file.name


def find_file(name: str, folder: Path) -> SiteFile:
    """Return the file of a site by its name or an alias; raise UsageError where there is none."""
    if is_path(name):
        path = Path(name).expanduser()
        if not path.is_file():
            raise UsageError(f"no file {name}", "packhorse sites lists the known sites")
        return SiteFile(path, "named")
    files = site_files(folder)
    file = _file_of(name, files)
    if file is not None:
        return file
    known = nearest(name, dict.fromkeys(file.name for file in files))
    raise UsageError(
        f"no site '{name}'", f"{known}\npackhorse sites lists them; --site FILE.yaml reads a site file"
    )


def _file_of(word: str, files: Sequence[SiteFile]) -> SiteFile | None:
    """Return the first file with this name; else the first whose site has it as an alias.

    Only files that contain the word are parsed.
    """
    by_name = {file.name: file for file in reversed(files)}
    if word in by_name:
        return by_name[word]
    for file in reversed(by_name.values()):
        if word.lower() not in f"{file.name} {_text(file)}".lower():
            continue
        site = _known(file, files).site
        if site is not None and site.is_called(word):
            return file
    return None


def known_sites(folder: Path) -> list[KnownSite]:
    """Return every site known here, each from the file that takes precedence."""
    files = site_files(folder)
    first = {file.name: file for file in reversed(files)}
    return [_known(first[name], files) for name in sorted(first)]


def this_site(folder: Path, host: str | None = None) -> Site | None:
    """Return the site of which this machine (or `host`) is a login node; None where there is none."""
    name = (platform.node() if host is None else host).lower()
    files = site_files(folder)
    for candidate in dict.fromkeys(file.name for file in files if _may_name(file, name)):
        known = _known(next(file for file in files if file.name == candidate), files)
        if known.site is not None and known.site.has_login(name):
            return known.site
    return None


def site_here(folder: Path, option: str) -> str:
    """Return the name of the site whose login node this machine is, else of the user's default site.

    Raises UsageError where there is neither; `option` is how the command names a site.
    """
    site = this_site(folder)
    name = default_site() if site is None else site.name
    if not name:
        raise UsageError(
            f"this machine is not a login node of a known site: name one with {option}",
            "packhorse sites lists them; packhorse sites default NAME sets the one to take",
        )
    return name


def default_site() -> str:
    """Return the name of the user's default site, "" where none is set."""
    settings = user_folder()
    try:
        return (settings / DEFAULT_FILE).read_text(encoding="utf-8").strip() if settings else ""
    except OSError:
        return ""


def _may_name(file: SiteFile, host: str) -> bool:
    """Return whether a word of the file matches a host, so that few files are parsed at each run."""
    names = {host, host.partition(".")[0]}
    patterns = {pattern.lower() for pattern in _PATTERN.findall(_text(file))}
    # Most have no wildcard. Compiling each one took an eighth of the time of a short run.
    globs = [pattern for pattern in patterns if "*" in pattern or "?" in pattern]
    return bool(names & patterns) or any(fnmatchcase(name, glob) for glob in globs for name in names)


def _text(file: SiteFile) -> str:
    """Return the text of a file; empty where it cannot be read, which `packhorse sites` reports."""
    try:
        return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def _known(file: SiteFile, files: Sequence[SiteFile]) -> KnownSite:
    site, fault = None, ""
    try:
        site = _read(file, files, ())
    except (StudyError, UsageError) as error:
        where = f"{error.where}: " if isinstance(error, StudyError) and error.where else ""
        fault = f"{where}{error.message} {error.hint}".strip()
    return KnownSite(name=file.name, origin=file.origin, path=str(file.path), site=site, fault=fault)


def _read(file: SiteFile, files: Sequence[SiteFile], reading: tuple[SiteFile, ...]) -> Site:
    """Read a site and those that it extends; a site that extends its own name means the next file with that name."""
    inside = (*reading, file)

    def base(node: Node) -> Site:
        reading_now = [other.path.resolve() for other in inside]
        left = [other for other in files if other.path.resolve() not in reading_now]
        named = [other for other in left if other.name == node.value]
        if not named and node.value in [other.name for other in inside]:
            refuse(
                node, f"The site '{node.value}' extends itself.", "Name another site, or write all keys here."
            )
        if not named:
            known = nearest(node.value, dict.fromkeys(other.name for other in left))
            refuse(node, f"There is no site '{node.value}'.", known)
        return _read(named[0], files, inside)

    try:
        text = decode(file.read(), str(file.path))
    except OSError as error:
        raise UsageError(f"{file.path} cannot be read: {error.strerror}", f"chmod u+r {file.path}") from None
    return parse_site(text, name=file.name, path=str(file.path), base=base)
