"""Everything that is known of a site."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta
from msgspec.structs import asdict

from packhorse.model.site import Site
from packhorse.project.sites import find_file, find_site


class SiteDescription(Site, frozen=True, kw_only=True, tag_field="format", tag="packhorse-site/1"):
    """A site with all keys of its file, in MiB and seconds."""

    origin: Annotated[str, Meta(description="Where its file is from: project, user, shipped.")]
    path: Annotated[str, Meta(description="Path of its file.")]


def show(name: str, folder: Path) -> SiteDescription:
    """Return a site, which may be retired, with its file."""
    site, file = find_site(name, folder, retired=True), find_file(name, folder)
    return SiteDescription(**asdict(site), origin=file.origin, path=str(file.path))
