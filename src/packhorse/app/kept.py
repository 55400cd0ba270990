"""The environments that Packhorse has built on a site: which there are, how large they are, and removing them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from packhorse.app.ground import Ground
from packhorse.app.reach import There, reach
from packhorse.app.sites import find_site
from packhorse.app.siting import Place
from packhorse.app.watch import Watcher
from packhorse.model.errors import UsageError

COUNT_SECONDS = 600.0  # to look at every file of an environment, on a busy file system


class Kept(Struct, frozen=True, kw_only=True):
    """An environment on a site; `made_of` is the name of its lock, `built` a moment in Unix seconds, 0: it is not whole."""

    name: str
    bytes: int
    files: int
    python: str = ""
    packages: int = 0
    made_of: str = ""
    built: float = 0.0


def environments_of(said: str, folder: Path, watcher: Watcher) -> tuple[str, list[Kept]]:
    """Return where the environments of a site stand, and what each is."""
    there = _there(said, folder)
    with there.open():
        there.say_hello([], [])
        top = _top(there, watcher)
        found = there.session.call("environments", COUNT_SECONDS, path=top)
    return str(found["path"]), [_kept(row) for row in found["rows"]]


def remove_environments(said: str, names: Sequence[str], folder: Path, watcher: Watcher) -> list[str]:
    """Remove environments of a site and return their names; "all" stands for all that are there.

    Raises UsageError for a name that is none.
    """
    where, kept = environments_of(said, folder, watcher)
    known = [one.name for one in kept]
    chosen = known if "all" in names else list(dict.fromkeys(names))
    unknown = [name for name in chosen if name not in known]
    if unknown:
        raise UsageError(
            f"no environment {unknown[0]} in {where} on {said}", f"packhorse env {said} lists them"
        )
    there = _there(said, folder)
    with there.open():
        for name in chosen:
            there.session.call("forget", COUNT_SECONDS, path=where, name=name)
    return chosen


def _there(said: str, folder: Path) -> There:
    site = find_site(said, folder)
    found = reach(site)
    if not isinstance(found, There):
        raise UsageError(
            f"{said} is this machine, where Packhorse builds no environments",
            "it builds them on sites that are reached over ssh",
        )
    return found


def _top(there: There, watcher: Watcher) -> str:
    return f"{Ground(Place(site=there.site), there, watcher).top}/environments"


def _kept(row: dict[str, Any]) -> Kept:
    whole = row["whole"] or {}
    about, found = whole.get("about", {}), whole.get("found", {})
    return Kept(
        name=row["name"],
        bytes=row["bytes"],
        files=row["files"],
        python=about.get("python", ""),
        packages=len(found.get("packages", ())),
        made_of=about.get("file", ""),
        built=whole.get("built", 0.0),
    )
