"""The user's own sites: with known jobs, with an open login, or with this machine as a login node."""

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
    """The sites to poll, and the reason for each site that is left out, by name."""

    sites: tuple[Site, ...]
    left_out: dict[str, str] = {}


def user_sites(folder: Path, named: Sequence[str] = ()) -> UserSites:
    """Return the named sites, or all of the user's own as seen from `folder`."""
    if named:
        return UserSites(sites=tuple(with_jobs(name, folder) for name in dict.fromkeys(named)))
    of_runs = _sites_of_runs(folder)
    mine, left = [], {}
    for known in known_sites(folder):
        if known.site is None:
            left[known.name] = "cannot be read (packhorse sites says why)"
        elif known.site.scheduler == "local" or known.site.retired is not None:
            continue
        elif known.name in of_runs or is_mine(known.site):
            mine.append(known.site)
        elif known.origin != "shipped":  # the user has never chosen a shipped one
            left[known.name] = _why_not(known.site)
    return UserSites(sites=tuple(mine), left_out=left)


def with_jobs(name: str, folder: Path) -> Site:
    """Return a site by name; raise UsageError for one without a scheduler."""
    site = find_site(name, folder)
    if site.scheduler == "local":
        raise UsageError(
            f"{site.name} has no scheduler, so it has no jobs", "packhorse runs lists the runs here"
        )
    return site


def is_mine(site: Site) -> bool:
    """Return whether this machine is a login node of it, the user is logged in there, or has known jobs there."""
    return site.has_login(platform.node()) or is_connected(site) or _has_known_jobs(site)


def is_connected(site: Site) -> bool:
    """Return whether the user's connection to a site is open, without using the network."""
    if not site.login:
        return False
    login = login_to(site.name, site.login, cache_dir())
    return login.socket.exists() and login.alive()


def _has_known_jobs(site: Site) -> bool:
    """Return whether the user had jobs there at the last poll."""
    try:
        reply = msgspec.json.decode((cache_dir() / f"queue-{site.name}.json").read_bytes())
        return isinstance(reply["answer"], list) and bool(reply["answer"])
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
    return "not reachable from here, without known jobs (packhorse connect SITE explains)"
