"""Choose the storage area of a site for a run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from packhorse.model.errors import RunError, UsageError
from packhorse.model.site import Site, Storage
from packhorse.remote.free_space import RUN_FILES, AreaSpace
from packhorse.text.amounts import span


def candidate_areas(site: Site, name: str = "") -> list[Storage]:
    """Return the areas in which a run may live, the best first: the named one, else those for runs, else the home.

    `name` is a name of an area, or a path on the site; raises UsageError for any other.
    """
    if name:
        named = [area for area in site.storage if area.name == name and area.path]
        if named:
            return named
        if name.startswith(("/", "~", "$")):
            return [Storage(name=name, path=name)]
        known = ", ".join(area.name for area in site.storage if area.path) or "none is known"
        raise UsageError(
            f"{site.name} has no area '{name}'", f"its areas: {known}; or give a path: --area /path"
        )
    shared = [area for area in site.storage if area.path and not area.local]
    for_runs = [area for area in shared if "runs" in area.purpose]
    scratch = [area for area in shared if "scratch" in area.purpose and area not in for_runs]
    return [*for_runs, *scratch] or [Storage(name="home", path="~")]


def choose_area(
    site: Site, areas: Sequence[Storage], spaces: Sequence[AreaSpace]
) -> tuple[Storage, AreaSpace]:
    """Return the first area in which the user may write, and its space; raise RunError with what is wrong with each."""
    faults = []
    for area, space in zip(areas, spaces, strict=True):
        if space.path and space.files is not None and space.files < RUN_FILES:
            faults.append(f"{area.name} ({space.path}): it can hold {space.files} more files")
        elif not space.path:
            faults.append(f"{area.name} ({area.path}): {space.why}")
        elif not space.writable:
            faults.append(f"{area.name} ({space.path}): no permission to write")
        else:
            return area, space
    raise RunError(
        f"no area of {site.name} can hold the run:\n  " + "\n  ".join(faults),
        "name another: --area PATH, or cluster: {area: PATH} in the study",
    )


def purge_note(area: Storage) -> str:
    """Return until when results must be downloaded from an area; an empty text where the site deletes nothing."""
    if not area.purge:
        return ""
    day = datetime.now(UTC).astimezone() + timedelta(seconds=area.purge)
    clock = "written" if area.purge_clock == "write" else "read"
    return (
        f"; files there are deleted {span(area.purge)} after they were last {clock}:"
        f" download results by {day:%Y-%m-%d}"
    )
