"""Sites by name: from a file that was named, the project, the user's settings, or what Packhorse brings."""

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
from packhorse.runtime.site_files import SiteFile, is_path, site_files
from packhorse.sites.parse import parse_site
from packhorse.text.node import Node, nearest, refuse
from packhorse.text.yaml import decode

_PATTERN = re.compile(r"[\w.*?-]*\w[\w.*?-]*", re.ASCII)


class KnownSite(Struct, frozen=True, kw_only=True):
    """A site by its name, where its file is, and what is wrong with that."""

    name: str
    origin: str
    path: str
    site: Site | None = None
    fault: str = ""


def find_site(said: str, folder: Path, *, retired: bool = False) -> Site:
    """Return the site of a name, or of a file (a word with a `/` or ending in .yaml), for a study in `folder`.

    Raises UsageError where there is none, or one that is gone unless `retired`; StudyError at file:line:column where
    its file is wrong.
    """
    site = _read(find_file(said, folder), site_files(folder), ())
    if site.retired is not None and not retired:
        raise _gone(site, site.retired)
    return site


def _gone(site: Site, retired: Retired) -> UsageError:
    """Return the refusal of a site that is gone, with those that took its place."""
    since = f" since {retired.date}" if retired.date else ""
    successors = [f"--site {name}" for name in retired.successors]
    instead = f"in its place: {' or '.join(successors)}\n" if successors else ""
    hint = f"{instead}packhorse sites show {site.name} says what it was"
    return UsageError(f"{site.title or site.name} is gone{since}", hint)


def site_name(said: str, folder: Path) -> str:
    """Return the name under which a study speaks of the site that was said: a file's is its name without .yaml."""
    if is_path(said):
        return Path(said).stem
    file = _file_of(said, site_files(folder))
    return said if file is None else file.name


def find_file(said: str, folder: Path) -> SiteFile:
    """Return the file of a site by its name, or another word for it; raise UsageError where there is none."""
    if is_path(said):
        path = Path(said).expanduser()
        if not path.is_file():
            raise UsageError(f"no file {said}", "packhorse sites lists the sites that have a name")
        return SiteFile(path, "named")
    files = site_files(folder)
    file = _file_of(said, files)
    if file is not None:
        return file
    known = nearest(said, dict.fromkeys(file.name for file in files))
    raise UsageError(
        f"no site '{said}'", f"{known}\npackhorse sites lists them; --site FILE.yaml names a file"
    )


def _file_of(word: str, files: Sequence[SiteFile]) -> SiteFile | None:
    """Return the first file of a name; else the first whose site goes by this word, for which few are understood."""
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
    """Return every site that has a name here, each by the file that counts."""
    files = site_files(folder)
    first = {file.name: file for file in reversed(files)}
    return [_known(first[name], files) for name in sorted(first)]


def this_site(folder: Path, host: str | None = None) -> Site | None:
    """Return the site of which this machine (or `host`) is a login node, None where it is none's."""
    name = (platform.node() if host is None else host).lower()
    files = site_files(folder)
    for word in dict.fromkeys(file.name for file in files if _may_name(file, name)):
        known = _known(next(file for file in files if file.name == word), files)
        if known.site is not None and known.site.has_login(name):
            return known.site
    return None


def _may_name(file: SiteFile, host: str) -> bool:
    """Tell whether any word of a file fits a host, so that few files have to be understood at every run."""
    names = (host, host.partition(".")[0])
    words = (word.lower() for word in _PATTERN.findall(_text(file)))
    return any(fnmatchcase(name, word) for word in words for name in names)


def _text(file: SiteFile) -> str:
    """Return what stands in a file; of one that cannot be read `packhorse sites` says so, and others count."""
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
    """Read a site and those that it extends; a name that is being read means the next file of that name."""
    inside = (*reading, file)

    def base(node: Node) -> Site:
        open_now = [one.path.resolve() for one in inside]
        left = [other for other in files if other.path.resolve() not in open_now]
        named = [other for other in left if other.name == node.value]
        if not named and node.value in [one.name for one in inside]:
            refuse(
                node, f"The site '{node.value}' extends itself.", "Name another site, or say all of it here."
            )
        if not named:
            known = nearest(node.value, dict.fromkeys(other.name for other in left))
            refuse(node, f"There is no site '{node.value}'.", known)
        return _read(named[0], files, inside)

    try:
        text = decode(file.read(), str(file.path))
    except OSError as error:
        raise UsageError(f"{file.path} cannot be read: {error.strerror}", "make it readable") from None
    return parse_site(text, name=file.name, path=str(file.path), base=base)
