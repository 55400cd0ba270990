"""The environments that Packhorse has built on a site: which there are, how large they are, and removing them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from packhorse.environments.site_probe import SiteProbe
from packhorse.model.errors import UsageError
from packhorse.project.placement import Place
from packhorse.project.reporter import Reporter
from packhorse.project.sites import find_site
from packhorse.remote.transport import SshTransport, transport_for

COUNT_SECONDS = 600.0  # to look at every file of an environment, on a busy file system


class BuiltEnvironment(Struct, frozen=True, kw_only=True):
    """An environment on a site; `made_of` is the name of its lock, `built` a moment in Unix seconds, 0: it is not whole."""

    name: str
    bytes: int
    files: int
    python: str = ""
    packages: int = 0
    made_of: str = ""
    built: float = 0.0


def environments_of(said: str, folder: Path, reporter: Reporter) -> tuple[str, list[BuiltEnvironment]]:
    """Return where the environments of a site stand, and what each is."""
    there = _there(said, folder)
    with there.open():
        there.locate([], [])
        top = _top(there, reporter)
        found = there.session.call("environments", COUNT_SECONDS, path=top)
    return str(found["path"]), [_kept(row) for row in found["rows"]]


def remove_environments(said: str, names: Sequence[str], folder: Path, reporter: Reporter) -> list[str]:
    """Remove environments of a site and return their names; "all" stands for all that are there.

    Raises UsageError for a name that is none.
    """
    where, kept = environments_of(said, folder, reporter)
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


def _there(said: str, folder: Path) -> SshTransport:
    site = find_site(said, folder)
    found = transport_for(site)
    if not isinstance(found, SshTransport):
        raise UsageError(
            f"{said} is this machine, where Packhorse builds no environments",
            "it builds them on sites that are reached over ssh",
        )
    return found


def _top(there: SshTransport, reporter: Reporter) -> str:
    return f"{SiteProbe(Place(site=there.site), there, reporter).top}/environments"


def _kept(row: dict[str, Any]) -> BuiltEnvironment:
    whole = row["whole"] or {}
    about, found = whole.get("about", {}), whole.get("found", {})
    return BuiltEnvironment(
        name=row["name"],
        bytes=row["bytes"],
        files=row["files"],
        python=about.get("python", ""),
        packages=len(found.get("packages", ())),
        made_of=about.get("file", ""),
        built=whole.get("built", 0.0),
    )
