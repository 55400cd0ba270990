"""Arriving at a site over ssh: who and where we are there, where the run lives, and what its tasks find."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from packhorse.app.abroad import Abroad, abroad
from packhorse.app.mirror import FarCarrier, far_folder
from packhorse.app.reach import There
from packhorse.app.room import FILES, more_files, with_quotas
from packhorse.app.siting import Place
from packhorse.app.source import Source
from packhorse.app.watch import Watcher
from packhorse.model.errors import RunError, UsageError
from packhorse.model.site import Site, Storage
from packhorse.model.study import Study
from packhorse.plan.amounts import span
from packhorse.run.directory import RunDirectory
from packhorse.run.submissions import Submissions
from packhorse.schedulers import scheduler
from packhorse.sites import quotas

RUNNERS = ("python3", "python", "Rscript", "bash", "julia", "perl", "uv")


class OnSite(Struct, frozen=True):
    """What a run on a site that is reached over ssh has there."""

    carrier: FarCarrier
    abroad: Abroad
    area: str  # of its data, as a path
    place: Place  # with the modules that its interpreters need

    def places(self, data: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
        """Return where data stand there: by their digests, so that they are sent once for all runs."""
        return {
            name: f"{self.area}/packhorse/data/{about['sha256'][:16]}/{_last(name)}"
            for name, about in data.items()
        }

    def send_data(self, source: Source, data: Mapping[str, Mapping[str, Any]], watcher: Watcher) -> None:
        """Send the study's data that are not there yet, each file whole and checked."""
        from packhorse.app.carrying import push

        for name, place in self.places(data).items():
            push(self.carrier.there, source.folder / name, place, watcher, check=self.carrier.check_room)


def arrive(
    source: Source, place: Place, run: RunDirectory, there: There, watcher: Watcher, *, build: bool = True
) -> OnSite:
    """Say hello, bring what the run has there, and find out what tasks find; without `build` nothing is made there."""
    areas = areas_of(place.site, place.asked.area)
    hello = there.say_hello(wanted(source.study, place.site), [one.path for one in areas])
    rooms = with_quotas(there, hello["paths"])
    before = Submissions(run).cluster()
    if before is not None and before.folder and before.site.name == place.site.name:
        carrier = FarCarrier(run, there, before.folder)
        area = before.folder.partition("/packhorse/runs/")[0]
        carrier.look()
        carrier.room = next((one for one in rooms if one["path"] == area), {})
    else:
        chosen, room = usable(place.site, areas, rooms)
        area = room["path"]
        carrier = FarCarrier(run, there, far_folder(area, run, source.study.name))
        carrier.room = room
        carrier.others = _others(areas, rooms, chosen)
        carrier.check_room()
        watcher.say(f"the run will live in {carrier.folder} on {place.site.name}{purged(chosen)}")
    found = abroad(source, place, there, watcher, build=build)
    more = tuple(name for name in found.modules if name not in place.asked.modules)
    asked = replace(place.asked, modules=(*place.asked.modules, *more))
    return OnSite(carrier, found, area, replace(place, asked=asked))


def wanted(study: Study, site: Site) -> list[str]:
    """Return the programs to look for: the scheduler's, those that run scripts, and the study's own."""
    words = [*scheduler(site.scheduler).programs, *RUNNERS, *quotas.PROGRAMS]
    first = study.command[0] if study.command and not study.shell else ""
    if first and "/" not in first and "{" not in first:
        words.append(first)
    return list(dict.fromkeys(words))


def areas_of(site: Site, said: str = "") -> list[Storage]:
    """Return where a run may live, the right one first: the area that was named, those for runs, else the home."""
    if said:
        named = [one for one in site.storage if one.name == said and one.path]
        if named:
            return named
        if said.startswith(("/", "~", "$")):
            return [Storage(name=said, path=said)]
        known = ", ".join(one.name for one in site.storage if one.path) or "none is known"
        raise UsageError(
            f"{site.name} has no area '{said}'", f"its areas: {known}; or give a path: --area /path"
        )
    found = [one for one in site.storage if one.path and not one.local]
    right = [one for one in found if "runs" in one.purpose]
    others = [one for one in found if "scratch" in one.purpose and one not in right]
    return [*right, *others] or [Storage(name="home", path="~")]


def usable(site: Site, areas: list[Storage], told: list[dict[str, Any]]) -> tuple[Storage, dict[str, Any]]:
    """Return the first area in which we may write, and what was told of it; raise RunError with what is wrong with each."""
    wrong = []
    for area, about in zip(areas, told, strict=True):
        if about["path"] and about["files"] is not None and about["files"] < FILES:
            wrong.append(f"{area.name} ({about['path']}): it can hold {about['files']} more files")
        elif not about["path"]:
            wrong.append(f"{area.name} ({area.path}): {about['why']}")
        elif not about["writable"]:
            wrong.append(f"{area.name} ({about['path']}): you may not write there")
        else:
            return area, about
    raise RunError(
        f"no area of {site.name} can hold the run:\n  " + "\n  ".join(wrong),
        "name another: --area PATH, or cluster: {area: PATH} in the study",
    )


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


def purged(area: Storage) -> str:
    """Return until when files of an area have to be brought home; nothing where they stay."""
    if not area.purge:
        return ""
    day = datetime.now(UTC).astimezone() + timedelta(seconds=area.purge)
    clock = "written" if area.purge_clock == "write" else "read"
    return f"; files there are deleted {span(area.purge)} after they were last {clock}: bring results home by {day:%Y-%m-%d}"


def _last(name: str) -> str:
    return name.rstrip("/").rpartition("/")[2] or "data"
