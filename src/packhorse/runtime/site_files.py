"""Where the files of sites stand: in the project, in the user's settings, in the package."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from msgspec import Struct

from packhorse.snapshot.code import SITES_FOLDER
from packhorse.snapshot.project_files import find_root

FOLDER = (
    "packhorse-sites"  # in a project; its name is no Python package's, and its files do not count as code
)
SHIPPED_FOLDER = Path(__file__).parent.parent / "sites" / "data"
SUFFIXES = (".yaml", ".yml")


class SiteFile(Struct, frozen=True):
    """A file that describes the site of its name."""

    path: Path
    origin: Literal["named", "project", "user", "shipped"]

    @property
    def name(self) -> str:
        """The site's name."""
        return self.path.stem

    def read(self) -> bytes:
        """Return its bytes; raise OSError."""
        return self.path.read_bytes()


def is_path(said: str) -> bool:
    """Tell whether a word for a site is its file's path and not its name."""
    return "/" in said or said.endswith(SUFFIXES)


def site_files(folder: Path) -> list[SiteFile]:
    """Return all site files that a study in `folder` sees; of those with one name the first counts."""
    found = [SiteFile(path, "project") for place in project_folders(folder) for path in _in(place)]
    own = user_folder()
    found += [SiteFile(path, "user") for path in _in(own)] if own else []
    return found + [SiteFile(path, "shipped") for path in _in(SHIPPED_FOLDER)]


def project_folders(folder: Path) -> Iterator[Path]:
    """Yield where a project's sites stand: beside the study, then in the folders above it up to the root."""
    folder = folder.resolve()
    above = [folder, *folder.parents]
    held = [place / SITES_FOLDER for place in above if (place / SITES_FOLDER).is_dir()]
    if held:  # only then is git asked where the project ends
        root = find_root(folder)
        yield from (place for place in held if place.parent.is_relative_to(root))


def user_folder() -> Path | None:
    """Return where a user's own sites stand, by the custom of the platform; None for a user without a home."""
    said = os.environ.get("XDG_CONFIG_HOME", "")
    if Path(said).is_absolute():  # XDG Base Directory Specification 0.8: relative paths are ignored
        return Path(said) / "packhorse" / "sites"
    try:
        home = Path.home()
    except RuntimeError:  # no HOME, and a number that no user has, as in containers
        return None
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "packhorse" / "sites"
    return home / ".config" / "packhorse" / "sites"


def _in(folder: Path) -> list[Path]:
    """Return a folder's files; one that is not there, or is another user's (HOME may be), has none for us."""
    try:
        paths = sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []
    return [path for path in paths if path.suffix in SUFFIXES and not path.name.startswith(".")]
