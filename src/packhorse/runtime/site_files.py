"""Site files: in the project, in the user's settings, and shipped with the package."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from msgspec import Struct

from packhorse.snapshot.code import SITES_FOLDER
from packhorse.snapshot.project_files import find_root

SHIPPED_FOLDER = Path(__file__).parent.parent / "sites" / "data"
SUFFIXES = (".yaml", ".yml")


class SiteFile(Struct, frozen=True):
    """A file that describes the site of the same name."""

    path: Path
    origin: Literal["named", "project", "user", "shipped"]

    @property
    def name(self) -> str:
        """The site's name."""
        return self.path.stem

    def read(self) -> bytes:
        """Return the file's bytes; raise OSError."""
        return self.path.read_bytes()


def is_path(text: str) -> bool:
    """Return whether a user's argument is the path of a site file and not a site's name."""
    return "/" in text or text.endswith(SUFFIXES)


def site_files(folder: Path) -> list[SiteFile]:
    """Return all site files for a study in `folder`, highest precedence first: of two with one name, the first counts."""
    files = [SiteFile(path, "project") for place in project_folders(folder) for path in _paths(place)]
    user = user_folder()
    files += [SiteFile(path, "user") for path in _paths(user)] if user else []
    return files + [SiteFile(path, "shipped") for path in _paths(SHIPPED_FOLDER)]


def project_folders(folder: Path) -> Iterator[Path]:
    """Yield the folders with a project's site files: beside the study, then above it up to the project's root."""
    folder = folder.resolve()
    above = [folder, *folder.parents]
    existing = [place / SITES_FOLDER for place in above if (place / SITES_FOLDER).is_dir()]
    if existing:  # finding the root runs git, which is not needed otherwise
        root = find_root(folder)
        yield from (place for place in existing if place.parent.is_relative_to(root))


def user_folder() -> Path | None:
    """Return the folder of the user's own site files, by the platform's convention; None for a user without a home."""
    config = os.environ.get("XDG_CONFIG_HOME", "")
    if Path(config).is_absolute():  # XDG Base Directory Specification 0.8: relative paths are ignored
        return Path(config) / "packhorse" / "sites"
    try:
        home = Path.home()
    except RuntimeError:  # no HOME, and a user id without an account, as in containers
        return None
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "packhorse" / "sites"
    return home / ".config" / "packhorse" / "sites"


def _paths(folder: Path) -> list[Path]:
    """Return the site files in a folder; none where it is missing or unreadable (HOME may be another user's)."""
    try:
        paths = sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []
    return [path for path in paths if path.suffix in SUFFIXES and not path.name.startswith(".")]
