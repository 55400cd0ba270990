"""The sites that studies in a folder can run on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from packhorse.model.json_output import JsonOutput
from packhorse.project.sites import KnownSite, known_sites, this_site


class ListedSite(Struct, frozen=True, kw_only=True):
    """A site and its file. A file that cannot be read has a fault, and no title or scheduler."""

    name: Annotated[str, Meta(description="The site's name.")]
    origin: Annotated[str, Meta(description="Where its file is from: project, user, shipped.")]
    path: Annotated[str, Meta(description="Path of its file.")]
    fault: Annotated[str | UnsetType, Meta(description="Why the file cannot be read.")] = UNSET
    title: Annotated[str | UnsetType, Meta(description="The site's full name.")] = UNSET
    scheduler: Annotated[str | UnsetType, Meta(description="slurm, torque, openpbs or local.")] = UNSET
    successors: Annotated[
        tuple[str, ...] | UnsetType, Meta(description="Of a retired site: the sites that replace it.")
    ] = UNSET


class SiteList(JsonOutput, frozen=True, kw_only=True, tag="packhorse-sites/1"):
    """The sites that studies in a folder can run on."""

    sites: Annotated[tuple[ListedSite, ...], Meta(description="The sites.")]
    here: Annotated[str | None, Meta(description="The site whose login node this machine is.")]


class KnownSites(Struct, frozen=True, kw_only=True):
    """The sites of a folder, and the name of the one whose login node this machine is."""

    sites: tuple[KnownSite, ...]
    here: str | None

    def json_output(self) -> SiteList:
        """Return what `--json` prints."""
        return SiteList(sites=tuple(map(_listed, self.sites)), here=self.here)


def sites(folder: Path) -> KnownSites:
    """Return the sites that studies in a folder can run on."""
    here = this_site(folder)
    return KnownSites(sites=tuple(known_sites(folder)), here=here.name if here else None)


def _listed(known: KnownSite) -> ListedSite:
    site = known.site
    if site is None:
        return ListedSite(name=known.name, origin=known.origin, path=known.path, fault=known.fault)
    return ListedSite(
        name=known.name,
        origin=known.origin,
        path=known.path,
        title=site.title,
        scheduler=site.scheduler,
        successors=UNSET if site.retired is None else tuple(site.retired.successors),
    )
