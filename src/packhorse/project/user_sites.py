"""The user's own sites: where jobs of theirs are known, where they are logged in, or where this machine stands."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from packhorse.model.errors import UsageError
from packhorse.model.site import Site
from packhorse.project.cache_dir import cache_dir
from packhorse.project.sites import find_site, known_sites
from packhorse.rundir.directory import list_runs
from packhorse.rundir.submissions import Submissions, read_script_job
from packhorse.ssh.login import login_to


class UserSites(Struct, frozen=True, kw_only=True):
    """The sites to ask, and by name those that are left out, with the reason."""

    sites: tuple[Site, ...]
    left_out: dict[str, str] = {}


def user_sites(folder: Path, named: Sequence[str] = ()) -> UserSites:
    """Return the sites that were named, or all that are the user's own as seen from `folder`."""
    if named:
        return UserSites(sites=tuple(with_jobs(name, folder) for name in dict.fromkeys(named)))
    of_runs = _sites_of_runs(folder)
    mine, left = [], {}
    for one in known_sites(folder):
        if one.site is None:
            left[one.name] = "cannot be read (packhorse sites says why)"
        elif one.site.scheduler == "local" or one.site.retired is not None:
            continue
        elif one.name in of_runs or is_mine(one.site):
            mine.append(one.site)
        else:
            left[one.name] = _why_not(one.site)
    return UserSites(sites=tuple(mine), left_out=left)


def with_jobs(name: str, folder: Path) -> Site:
    """Return the site of a name; raise UsageError for one that has no jobs to ask about."""
    site = find_site(name, folder)
    if site.scheduler == "local":
        raise UsageError(f"{site.name} has no scheduler, so no jobs", "packhorse runs lists the runs here")
    return site


def is_mine(site: Site) -> bool:
    """Tell whether this machine is its login node, the user is logged in there, or jobs of theirs are known."""
    return site.has_login(platform.node()) or is_connected(site) or _has_known_jobs(site)


def is_connected(site: Site) -> bool:
    """Tell whether the user's connection to a site is open; nothing goes over the network."""
    if not site.login:
        return False
    login = login_to(site.name, site.login, cache_dir())
    return login.socket.exists() and login.alive()


def _has_known_jobs(site: Site) -> bool:
    """Tell whether jobs of the user waited or ran there when anybody last asked."""
    try:
        said = msgspec.json.decode((cache_dir() / f"queue-{site.name}.json").read_bytes())
        return isinstance(said["answer"], list) and bool(said["answer"])
    except (OSError, ValueError, KeyError, TypeError, msgspec.MsgspecError):
        return False


def _sites_of_runs(folder: Path) -> set[str]:
    found = set()
    for run in list_runs(folder):
        try:
            cluster = Submissions(run).cluster() or read_script_job(run)
        except (OSError, msgspec.MsgspecError):
            continue
        if cluster is not None:
            found.add(cluster.site.name)
    return found


def _why_not(site: Site) -> str:
    if site.login:
        return "not connected (packhorse connect SITE)"
    return "not reached from here, and no jobs are known there (packhorse connect SITE says how)"
