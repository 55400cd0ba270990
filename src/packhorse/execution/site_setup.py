"""Arriving at a site over ssh: who and where we are there, where the run lives, and what its tasks find."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from packhorse.environments.remote import remote_environment
from packhorse.execution.run_model import OnSite
from packhorse.model.site import Site, Storage
from packhorse.model.study import Study
from packhorse.project.placement import Place
from packhorse.project.reporter import Reporter
from packhorse.project.source import Source
from packhorse.remote.free_space import more_files, with_quotas
from packhorse.remote.remote_store import RemoteRunStore, remote_folder
from packhorse.remote.storage_area import areas_of, purged, usable
from packhorse.remote.transport import SshTransport
from packhorse.rundir.directory import RunDirectory
from packhorse.rundir.submissions import Submissions
from packhorse.schedulers import scheduler
from packhorse.sites import quotas

RUNNERS = ("python3", "python", "Rscript", "bash", "julia", "perl", "uv")


def arrive(
    source: Source,
    place: Place,
    run: RunDirectory,
    there: SshTransport,
    reporter: Reporter,
    *,
    build: bool = True,
) -> OnSite:
    """Say hello, bring what the run has there, and find out what tasks find; without `build` nothing is made there."""
    areas = areas_of(place.site, place.asked.area)
    hello = there.locate(wanted(source.study, place.site), [one.path for one in areas])
    rooms = with_quotas(there, hello["paths"])
    before = Submissions(run).cluster()
    if before is not None and before.folder and before.site.name == place.site.name:
        store = RemoteRunStore(run, there, before.folder)
        area = before.folder.partition("/packhorse/runs/")[0]
        store.refresh()
        store.free = next((one for one in rooms if one["path"] == area), {})
    else:
        chosen, room = usable(place.site, areas, rooms)
        area = room["path"]
        store = RemoteRunStore(run, there, remote_folder(area, run, source.study.name))
        store.free = room
        store.roomier = _others(areas, rooms, chosen)
        store.check_room()
        reporter.say(f"the run will live in {store.folder} on {place.site.name}{purged(chosen)}")
    found = remote_environment(source, place, there, reporter, build=build)
    more = tuple(name for name in found.modules if name not in place.asked.modules)
    asked = replace(place.asked, modules=(*place.asked.modules, *more))
    return OnSite(store, found, area, replace(place, asked=asked))


def wanted(study: Study, site: Site) -> list[str]:
    """Return the programs to look for: the scheduler's, those that run scripts, and the study's own."""
    words = [*scheduler(site.scheduler).programs, *RUNNERS, *quotas.PROGRAMS]
    first = study.command[0] if study.command and not study.shell else ""
    if first and "/" not in first and "{" not in first:
        words.append(first)
    return list(dict.fromkeys(words))


def _others(areas: list[Storage], told: list[dict[str, Any]], chosen: Storage) -> str:
    """Return options for the other areas that have room for more bytes or files than the chosen one."""
    rooms = {area.name: about for area, about in zip(areas, told, strict=True) if about["path"]}
    mine = rooms[chosen.name]
    roomy = [
        name
        for name, one in rooms.items()
        if name != chosen.name and (one["free"] > mine["free"] or more_files(one, mine))
    ]
    return " or ".join(f"--area {name}" for name in roomy)
