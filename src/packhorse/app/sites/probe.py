"""Probe a cluster: query its scheduler and login node, compare with its file, write a file. It changes nothing there."""

from __future__ import annotations

import platform
import time
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct
from msgspec.structs import replace

from packhorse.model.errors import RunError, UsageError
from packhorse.model.json_output import JsonOutput
from packhorse.model.site import Site
from packhorse.model.site_facts import SiteFacts
from packhorse.model.site_parts import Sourced, Storage
from packhorse.project.sites import this_site
from packhorse.remote.connection import site_or_host
from packhorse.remote.transport import LocalTransport, SshTransport, transport_for
from packhorse.runtime.dialogue import run_dialogue
from packhorse.schedulers import DIALECTS
from packhorse.schedulers.scheduler import NoReply, Scheduler
from packhorse.sites import machine
from packhorse.sites.differences import Change, differences, update_site
from packhorse.sites.machine import LoginNode
from packhorse.sites.write import site_text

# Keys that only a person can fill in.
OPEN = (
    "title, about: what it is for",
    "login: the destination of ssh; hosts: the host names of its other login nodes, with * and ? as in a shell",
    "partitions: purpose (serial, parallel, gpu, test, interactive) of each",
    "storage: purpose, quota, backup and purge of each area",
    "access: who may use it, how to apply, how long that takes; documentation",
    "account_needed, array_mail, compute_internet, compute_submits, idle",
)


class Probe(Struct, frozen=True, kw_only=True):
    """The replies of a cluster, the differences from its file (`known`), and the site that follows."""

    known: Site | None
    facts: SiteFacts
    machine: LoginNode
    changes: tuple[Change, ...]
    site: Site
    new: bool  # whether its file described no partitions

    def text(self) -> str:
        """Return the text of the site's file."""
        about = ["Written by packhorse sites probe; edit it as needed."]
        if self.new:
            about += ["Please add what a probe cannot find (packhorse sites schema has all keys):"]
            about += [f"  {line}" for line in OPEN]
        return site_text(self.site, about)

    def json_output(self) -> ProbeReport:
        """Return what `--json` prints."""
        return ProbeReport(
            known=self.known.name if self.known else None,
            changes=self.changes,
            machine=self.machine,
            silent=tuple(self.facts.silent),
            site=self.site,
        )


class ProbeReport(JsonOutput, frozen=True, kw_only=True, tag="packhorse-sites-probe/1"):
    """The result of a probe."""

    known: Annotated[str | None, Meta(description="The name of the site's file; null: none.")]
    changes: Annotated[tuple[Change, ...], Meta(description="Differences between file and cluster.")]
    machine: Annotated[LoginNode, Meta(description="The login node. Sizes in MiB.")]
    silent: Annotated[tuple[str, ...], Meta(description="Queries without an answer.")]
    site: Annotated[Site, Meta(description="The site as a file would describe it: MiB, seconds.")]


def probe(target: str | None, folder: Path, name: str = "") -> Probe:
    """Probe a site or host, or the cluster whose login node this machine is; raise RunError where no scheduler answers.

    `name` is the name of the latter where no file describes it.
    """
    known = site_or_host(target, folder) if target else this_site(folder)
    site = known or Site(name=name or _name())
    place = transport_for(site) if target else LocalTransport(site)
    with place.open():
        place.identify([])
        facts = _query(place, site)
        seen = machine.parse_probe(place.run_command(machine.probe_command(known)))
    changes = tuple(differences(known, facts)) if known else ()
    new = not site.partitions
    merged = _dated(_seen(update_site(site, facts), seen, new=new), seen, new=new)
    return Probe(known=known, facts=facts, machine=seen, changes=changes, site=merged, new=new)


def write(found: Probe, path: Path) -> None:
    """Write the site's file; never overwrite a file."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(found.text())
    except FileExistsError:
        raise UsageError(f"{path} exists already", "name another file, or remove it first") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None


def _name() -> str:
    """Return a name for this cluster: the first label of the host name."""
    return platform.node().partition(".")[0] or "cluster"


def _query(transport: LocalTransport | SshTransport, site: Site) -> SiteFacts:
    """Query the site's scheduler, or the first one that answers."""
    alike: dict[object, list[Scheduler]] = {}  # TORQUE and OpenPBS have the same queries
    for dialect in sorted(DIALECTS, key=lambda dialect: dialect.name != site.scheduler):
        alike.setdefault(type(dialect).profile, []).append(dialect)
    silent = []
    for dialects in alike.values():
        facts = run_dialogue(dialects[0].profile(transport.user), transport.run_command)
        if not isinstance(facts, NoReply):
            return facts
        silent.append(f"{' or '.join(dialect.name for dialect in dialects)}: {facts.why}")
    hint = "run this on a login node, or name one: packhorse sites probe SITE"
    raise RunError(f"no scheduler answers on {transport.site.name}: {'; '.join(silent)}", hint)


def _seen(site: Site, seen: LoginNode, *, new: bool) -> Site:
    """Return a site with facts of its login node that its file does not have."""
    more: dict[str, Any] = {}
    if not site.system:
        more["system"] = seen.system
    if not site.hosts and seen.host:
        more["hosts"] = (seen.host,)  # by which commands that are typed there find the site
    if not site.modules.system and seen.module_system:
        more["modules"] = replace(site.modules, system=seen.module_system, loaded=seen.loaded)
    if new:
        more["storage"] = (
            Storage(name="home", path="$HOME", purpose=("home", "code")),
            *(
                Storage(name=name.lower(), path=f"${name}", doubt="its purpose; only the variable was seen")
                for name in seen.places
            ),
        )
    return replace(site, **more)


def _dated(site: Site, seen: LoginNode, *, new: bool) -> Site:
    today = time.strftime("%Y-%m-%d")
    source = f"packhorse sites probe on {seen.host or 'the cluster'}"
    if new:
        return replace(site, source=source, date=today)
    others = tuple(one for one in site.sources if one.name != "partitions")
    return replace(site, sources=(*others, Sourced(name="partitions", source=source, date=today)))
