"""Everything that is known of a site, and the free space in its storage areas where it is connected."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import asdict, replace

from packhorse.model.errors import RunError
from packhorse.model.site import Site
from packhorse.project.sites import find_file, find_site
from packhorse.remote.free_space import apply_quotas
from packhorse.remote.transport import SshTransport, transport_for
from packhorse.sites.quotas import PROGRAMS


class FreeSpace(Struct, frozen=True, kw_only=True):
    """What the user may still write to a storage area."""

    area: Annotated[str, Meta(description="Its name.")]
    path: Annotated[str, Meta(description="Its path in full; empty: it does not exist for this user.")]
    bytes: Annotated[int | None, Meta(description="Bytes; null: not known.")]
    files: Annotated[int | None, Meta(description="Files; null: no limit is known.")]
    quota: Annotated[bool, Meta(description="Whether the user's quota is what limits it.")]


class SiteDescription(Site, frozen=True, kw_only=True, tag_field="format", tag="packhorse-site/1"):
    """A site with all keys of its file, in MiB and seconds."""

    origin: Annotated[str, Meta(description="Where its file is from: project, user, shipped.")]
    path: Annotated[str, Meta(description="Path of its file.")]
    free: Annotated[
        tuple[FreeSpace, ...], Meta(description="Where the site is connected: the free space of each area.")
    ] = ()


def show(name: str, folder: Path) -> tuple[SiteDescription, str]:
    """Return a site, which may be retired, and why its free space could not be asked; "" where it was, or is not known.

    Free space and quotas are asked where a connection is open; none is opened for it.
    """
    site, file = find_site(name, folder, retired=True), find_file(name, folder)
    description = SiteDescription(**asdict(site), origin=file.origin, path=str(file.path))
    transport = transport_for(site) if site.login and site.storage else None
    if not isinstance(transport, SshTransport) or not transport.is_open():
        return description, ""
    try:
        return replace(description, free=_free_space(transport)), ""
    except RunError as error:
        return description, f"free space is not known: {error.message}"


def _free_space(ssh: SshTransport) -> tuple[FreeSpace, ...]:
    """Ask a site for the free space of its areas, apart from those of single nodes."""
    areas = [area for area in ssh.site.storage if area.path and not area.local]
    with ssh.open():
        reply = ssh.locate(list(PROGRAMS), [area.path for area in areas])
        spaces = apply_quotas(ssh, reply["paths"])
    return tuple(
        FreeSpace(area=area.name, path=space.path, bytes=space.free, files=space.files, quota=space.quota)
        for area, space in zip(areas, spaces, strict=True)
    )
