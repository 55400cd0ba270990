"""The site that commands take where none is named."""

from __future__ import annotations

from pathlib import Path

from packhorse.model.errors import UsageError
from packhorse.project.sites import DEFAULT_FILE, default_site, find_site
from packhorse.rundir.files import write_file
from packhorse.runtime.site_files import user_folder


def default(name: str | None, folder: Path) -> str:
    """Return the default site, "" for none; with a name, make that site the default first.

    Raises UsageError for an unknown site, and for a user without a home.
    """
    if name is None:
        return default_site()
    site = find_site(name, folder)
    settings = user_folder()
    if settings is None:
        raise UsageError("there is no home folder for your settings", "set HOME, or name the site each time")
    settings.mkdir(parents=True, exist_ok=True)
    write_file(settings / DEFAULT_FILE, f"{site.name}\n")
    return site.name
