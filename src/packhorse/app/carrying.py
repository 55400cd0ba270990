"""Sending and fetching files and folders of a user: `put` and `get`, and the data of studies."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct

from packhorse.app.carrier import carrier_of
from packhorse.app.connecting import login_of
from packhorse.app.reach import There
from packhorse.app.watch import Watcher
from packhorse.model.errors import UsageError
from packhorse.run.carrying import Told, fetch, send
from packhorse.run.directory import find_run
from packhorse.run.ownjobs import own_job

MUCH = 100 << 20  # bytes before whose sending their number is told


class Carried(Struct, frozen=True, kw_only=True):
    """What `put` or `get` did: where it came to stand, the bytes that travelled, and what was not carried."""

    place: str
    bytes: int
    left: tuple[str, ...] = ()  # links to folders, sockets and the like


def push(
    there: There,
    path: Path,
    place: str,
    watcher: Watcher,
    told: Told | None = None,
    check: Callable[[int, int], None] | None = None,
) -> int:
    """Send a file or a folder to a path there, what is not there yet; return the bytes that went.

    `check` learns how many bytes and files will go, and may refuse.
    """
    folder = place
    if path.is_file():
        folder, slash, name = place.rpartition("/")
        folder = folder or slash or "~"
        found = [(name, path)]
    else:
        found = list(local_files(path))

    def announce(size: int, files: int) -> None:
        if check:
            check(size, files)
        if size > MUCH:
            watcher.say(f"sending {size / 1e6:,.0f} MB of {path.name} to {there.site.name}")

    with there.open():
        return send(there.session, folder, found, before=announce, told=told)


def local_files(path: Path) -> Iterator[tuple[str, Path]]:
    """Yield the regular files under a folder by their names in it; links are followed to files, not to folders."""
    for folder, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            full = Path(folder) / name
            if full.is_file():
                yield full.relative_to(path).as_posix(), full


def put(
    sources: list[Path], said: str, folder: Path, watcher: Watcher, told: Told | None = None
) -> list[Carried]:
    """Send files and folders to `SITE:PLACE`: into that folder, or where it ends in no slash and one is sent, as it."""
    site, place = split(said, "packhorse put FILE hec:project/")
    absent = [str(one) for one in sources if not one.exists()]
    if absent:
        raise UsageError(f"{absent[0]} does not exist", "packhorse put FILE... SITE:PLACE")
    there = there_of(site, folder)
    into = len(sources) > 1 or place in ("", ".", "~") or place.endswith("/")
    with there.open():
        found = []
        for source in sources:
            name = source.resolve().name
            full = f"{place.rstrip('/') or '~'}/{name}" if into else place
            full = "/" + name if place == "/" else full
            found.append(Carried(place=full, bytes=push(there, source, full, watcher, told)))
        return found


def get(said: str, here: Path | None, folder: Path, watcher: Watcher, told: Told | None = None) -> Carried:
    """Fetch a file or folder `SITE:PATH`, or all that a run has brought forth there."""
    if ":" not in said:
        run = find_run(folder, said)
        own = own_job(run)
        if own is not None:
            from packhorse.app.ownruns import bring_own

            place, came = bring_own(run, own)
            return Carried(place=str(place), bytes=came)
        before = _bytes(run.path)
        carrier_of(run).bring_all(None)
        return Carried(place=str(run.path), bytes=max(0, _bytes(run.path) - before))
    site, path = split(said, "packhorse get hec:project/results")
    there = there_of(site, folder)
    with there.open():
        listed = there.session.call("list", path=path or "~")
        if not listed["kind"]:
            raise UsageError(
                f"there is no {path} on {there.site.name}", f"packhorse shell {there.site.name} to look"
            )
        name = listed["path"].rpartition("/")[2] or "root"
        target = here or folder / name
        if here is not None and here.is_dir():
            target = here / name
        if listed["kind"] == "file" and target.is_dir():
            raise UsageError(f"{target} is a folder", "name the file that it shall become")
        size = sum(row[1] for row in listed["files"])
        if size > MUCH:
            watcher.say(f"fetching up to {size / 1e6:,.0f} MB from {there.site.name}")
        came = fetch(there.session, listed, target, told)
    return Carried(place=str(target), bytes=came, left=tuple(listed["other"]))


def _bytes(folder: Path) -> int:
    """Return the bytes of all files under a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def split(said: str, example: str) -> tuple[str, str]:
    """Return the site and the path of `SITE:PATH`."""
    site, colon, path = said.partition(":")
    if not colon or not site or "/" in site:
        raise UsageError(f"{said} names no site: a place there is SITE:PATH", f"for instance {example}")
    return site, path


def there_of(site: str, folder: Path) -> There:
    """Return the way to a site; raise UsageError where it is not reached over ssh."""
    found, _ = login_of(site, folder)
    return There(found, found.login)
