"""Choose the storage area of a site for a run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from packhorse.model.errors import RunError, UsageError
from packhorse.model.site import Site, Storage
from packhorse.remote.free_space import FILES
from packhorse.text.amounts import span


def candidate_areas(site: Site, said: str = "") -> list[Storage]:
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


def choose_area(
    site: Site, areas: list[Storage], told: list[dict[str, Any]]
) -> tuple[Storage, dict[str, Any]]:
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


def purge_note(area: Storage) -> str:
    """Return until when files of an area have to be brought home; nothing where they stay."""
    if not area.purge:
        return ""
    day = datetime.now(UTC).astimezone() + timedelta(seconds=area.purge)
    clock = "written" if area.purge_clock == "write" else "read"
    return f"; files there are deleted {span(area.purge)} after they were last {clock}: bring results home by {day:%Y-%m-%d}"
