"""R on a site: its Rscript, or the one of its module; the user's library for it; and the packages that a script loads."""

from __future__ import annotations

import re
from typing import Any

from msgspec import Struct

from packhorse.environments.site_probe import SiteProbe
from packhorse.model.errors import RunError
from packhorse.project.source import Source
from packhorse.record.packages import R_PROBE, parse_r_reply
from packhorse.snapshot.r_packages import r_packages_of

VERSION = 'cat("\\n@packhorse", R.version$major, R.version$minor, Sys.getenv("R_LIBS_USER"), "\\n")'
R_SECONDS = 90.0  # a first start from a busy file system


class FoundR(Struct, frozen=True, kw_only=True):
    """R as tasks will find it."""

    rscript: str
    library: str
    variables: dict[str, str | None]
    software: dict[str, Any]


def find_r(ground: SiteProbe, source: Source) -> FoundR:
    """Return R on the site; raise RunError with the lines to type where it, or a package that is loaded, is missing."""
    rscript = _rscript(ground)
    said = ground.ask([rscript, "--vanilla", "-e", VERSION], R_SECONDS)
    found = re.search(r"@packhorse (\d+) (\d+)\S* ?(.*?) *\n", said.stdout)
    if found is None:
        words = said.stderr.strip()[-400:]
        raise RunError(
            f"{rscript} on {ground.site.name} does not start: {words}",
            "name another module: cluster: modules",
        )
    minor, theirs = f"{found[1]}.{found[2]}", found[3]
    library = f"{ground.top}/R/{minor}"
    if ground.build:
        ground.session.call("claim", path=library)
    # What the user has installed before stays in reach.
    libraries = f"{library}:{theirs}" if theirs and theirs != "NULL" else library
    # A library of renv does not come along with the code, and a job is no place to fill one.
    variables: dict[str, str | None] = {"R_LIBS_USER": libraries, "RENV_CONFIG_AUTOLOADER_ENABLED": "FALSE"}
    told = ground.ask([rscript, "-e", R_PROBE], R_SECONDS, {"R_LIBS_USER": libraries})
    software = parse_r_reply(rscript, told.stdout, told.stderr)
    _check(ground, source, software, library)
    return FoundR(rscript=rscript, library=library, variables=variables, software=software)


def _rscript(ground: SiteProbe) -> str:
    """Return where Rscript is; the site's module is loaded where the study names none."""
    if ground.programs.get("Rscript"):
        return ground.programs["Rscript"]
    module = ground.site.modules.r
    if module and not ground.place.asked.modules:
        ground.load([*ground.modules, module])
        ground.find(ground.programs, pythons=bool(ground.pythons))
        if ground.programs.get("Rscript"):
            return ground.programs["Rscript"]
    said = "".join(f"\n  {line}" for line in ground.said_by_modules[-3:])
    raise RunError(
        f"Rscript not found on {ground.site.name}{said}",
        "name the module that brings it, in the study:\n  cluster:\n    modules: [R]\n"
        f"packhorse shell {ground.site.name}, then module avail R, lists them",
    )


def _check(ground: SiteProbe, source: Source, software: dict[str, Any], library: str) -> None:
    script, loads = r_packages_of(source.study, source.folder)
    have = {row["name"] for row in software.get("packages", ())}
    missing = [name for name in loads if name not in have]
    if not missing or not have:
        return
    names = ", ".join(f'"{name}"' for name in missing)
    modules = [*ground.modules, *ground.place.asked.modules]
    load = f"{ground.site.modules.load} {' '.join(modules)}\n  " if modules else ""
    raise RunError(
        f"{script} loads {', '.join(missing)}, which {software.get('version', 'R')} on {ground.site.name} does not have",
        f"install it once: packhorse shell {ground.site.name}, and there\n  {load}"
        f"Rscript -e 'chooseCRANmirror(ind = 1); install.packages(c({names}), lib = \"{library}\")'",
    )
