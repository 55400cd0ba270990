"""Probing a cluster: what it tells of itself, beside what its file says, and as a file. Nothing is changed there."""

from __future__ import annotations

import platform
import time
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from packhorse.model.errors import RunError, UsageError
from packhorse.model.site import Site
from packhorse.model.site_facts import SiteFacts
from packhorse.model.siteparts import Sourced, Storage
from packhorse.project.sites import this_site
from packhorse.remote.connection import site_or_host
from packhorse.remote.transport import LocalTransport, SshTransport, transport_for
from packhorse.runtime.dialogue import run_dialogue
from packhorse.schedulers import DIALECTS
from packhorse.schedulers.scheduler import NoReply, Scheduler
from packhorse.sites import machine
from packhorse.sites.differences import Change, differences, laid_over
from packhorse.sites.machine import Machine
from packhorse.sites.write import site_text

# What a machine does not tell, and a file should.
OPEN = (
    "title, about: what it is for",
    "login: where ssh logs in; hosts: what its login nodes call themselves",
    "partitions: purpose (serial, parallel, gpu, test, interactive) of each",
    "storage: what each area is for, quota, backup, when it is purged",
    "access: who may use it, how one asks, how long that takes; documentation",
    "account_needed, array_mail, compute_internet, compute_submits, idle",
)


class Probe(Struct, frozen=True, kw_only=True):
    """What a cluster tells: beside `known`, where it has a file, and as the site that it is now."""

    known: Site | None
    told: SiteFacts
    machine: Machine
    changes: tuple[Change, ...]
    site: Site
    new: bool  # whether nobody had described its partitions

    def text(self) -> str:
        """Return the site as a file."""
        about = ["Written by packhorse sites probe; it is yours to correct."]
        if self.new:
            about += [
                "What a machine does not tell, and this file should (packhorse sites schema has all keys):"
            ]
            about += [f"  {one}" for one in OPEN]
        return site_text(self.site, about)


def probe(said: str | None, folder: Path, name: str = "") -> Probe:
    """Ask a cluster what it is: a site, or the one on which this is, whose name is `name` where nobody described it.

    Raises RunError where no scheduler answers.
    """
    known = site_or_host(said, folder) if said else this_site(folder)
    site = known or Site(name=name or _name())
    place = transport_for(site) if said else LocalTransport(site)
    with place.open():
        if isinstance(place, SshTransport):
            place.say_hello([], [])
        told = _told(place, site)
        seen = machine.read(place.ask(machine.look(known)))
    changes = tuple(differences(known, told)) if known else ()
    new = not site.partitions
    merged = _dated(_seen(laid_over(site, told), seen, new=new), seen, new=new)
    return Probe(known=known, told=told, machine=seen, changes=changes, site=merged, new=new)


def write(found: Probe, path: Path) -> None:
    """Write the site's file; one that is there is never overwritten."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(found.text())
    except FileExistsError:
        raise UsageError(f"{path} is there already", "name another file, or remove it first") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None


def _name() -> str:
    """Return a name for the cluster on which this is: the first label of this machine's."""
    return platform.node().partition(".")[0] or "cluster"


def _told(place: LocalTransport | SshTransport, site: Site) -> SiteFacts:
    """Ask the scheduler that the site has, or whichever answers."""
    asked: dict[object, list[Scheduler]] = {}
    for dialect in sorted(DIALECTS, key=lambda dialect: dialect.name != site.scheduler):
        asked.setdefault(type(dialect).profile, []).append(
            dialect
        )  # TORQUE and OpenPBS ask the same questions
    silent = []
    for alike in asked.values():
        told = run_dialogue(alike[0].profile(place.user), place.ask)
        if not isinstance(told, NoReply):
            return told
        silent.append(f"{' or '.join(dialect.name for dialect in alike)}: {told.why}")
    hint = "packhorse sites probe SITE asks another machine; on a login node, probe needs no name"
    raise RunError(f"no scheduler answers on {place.site.name}: {'; '.join(silent)}", hint)


def _seen(site: Site, seen: Machine, *, new: bool) -> Site:
    """Return a site with what its login node has, where its file says nothing of it."""
    more: dict[str, Any] = {}
    if not site.system:
        more["system"] = seen.system
    if not site.modules.system and seen.module_system:
        more["modules"] = replace(site.modules, system=seen.module_system, loaded=seen.loaded)
    if new:
        more["storage"] = (
            Storage(name="home", path="$HOME", purpose=("home", "code")),
            *(
                Storage(
                    name=name.lower(), path=f"${name}", doubt="what it is for; only its variable was seen"
                )
                for name in seen.places
            ),
        )
    return replace(site, **more)


def _dated(site: Site, seen: Machine, *, new: bool) -> Site:
    today = time.strftime("%Y-%m-%d")
    source = f"packhorse sites probe on {seen.host or 'the cluster'}"
    if new:
        return replace(site, source=source, date=today)
    others = tuple(one for one in site.sources if one.name != "partitions")
    return replace(site, sources=(*others, Sourced(name="partitions", source=source, date=today)))
