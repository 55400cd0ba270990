"""R on a site: its Rscript or that of a module, the user's library, and the packages that a script loads."""

from __future__ import annotations

import re

from msgspec import Struct

from packhorse.environments.site_probe import SiteProbe
from packhorse.model.errors import RunError
from packhorse.project.source import Source
from packhorse.record.packages import R_PROBE, parse_r_reply
from packhorse.record.software import RSoftware
from packhorse.snapshot.r_packages import r_packages_of

VERSION = 'cat("\\n@packhorse", R.version$major, R.version$minor, Sys.getenv("R_LIBS_USER"), "\\n")'
R_SECONDS = 90.0  # a first start from a busy file system


class FoundR(Struct, frozen=True, kw_only=True):
    """R as tasks find it: the interpreter, the library for packages, and the variables that tasks get."""

    rscript: str
    library: str
    variables: dict[str, str | None]
    software: RSoftware


def find_r(probe: SiteProbe, source: Source) -> FoundR:
    """Return R on the site; raise RunError with the lines to type where R, or a package that is loaded, is missing."""
    rscript = _rscript(probe)
    answer = probe.ask([rscript, "--vanilla", "-e", VERSION], R_SECONDS)
    match = re.search(r"@packhorse (\d+) (\d+)\S* ?(.*?) *\n", answer.stdout)
    if match is None:
        error = answer.stderr.strip()[-400:]
        raise RunError(
            f"{rscript} on {probe.site.name} does not start: {error}",
            "name another module: cluster: modules",
        )
    minor, user_library = f"{match[1]}.{match[2]}", match[3]
    library = f"{probe.top}/R/{minor}"
    if probe.build:
        probe.session.call("claim", path=library)
    # Packages that the user has installed before can still be loaded.
    libraries = f"{library}:{user_library}" if user_library and user_library != "NULL" else library
    # A library of renv is not uploaded with the code, and a job must not install one.
    variables: dict[str, str | None] = {"R_LIBS_USER": libraries, "RENV_CONFIG_AUTOLOADER_ENABLED": "FALSE"}
    facts = probe.ask([rscript, "-e", R_PROBE], R_SECONDS, {"R_LIBS_USER": libraries})
    software = parse_r_reply(rscript, facts.stdout, facts.stderr)
    _check(probe, source, software, library)
    return FoundR(rscript=rscript, library=library, variables=variables, software=software)


def _rscript(probe: SiteProbe) -> str:
    """Return the path of Rscript; the site's module is loaded where the study names none."""
    if probe.programs.get("Rscript"):
        return probe.programs["Rscript"]
    module = probe.site.modules.r
    if module and not probe.place.asked.modules:
        probe.load([*probe.modules, module])
        probe.find(probe.programs, pythons=bool(probe.pythons))
        if probe.programs.get("Rscript"):
            return probe.programs["Rscript"]
    output = "".join(f"\n  {line}" for line in probe.module_output[-3:])
    raise RunError(
        f"Rscript not found on {probe.site.name}{output}",
        "name the module that provides it, in the study:\n  cluster:\n    modules: [R]\n"
        f"packhorse shell {probe.site.name}, then module avail R, lists them",
    )


def _check(probe: SiteProbe, source: Source, software: RSoftware, library: str) -> None:
    """Raise RunError where a package that the script loads is not installed."""
    script, loaded = r_packages_of(source.study, source.folder)
    installed = {package.name for package in software.packages or ()}
    missing = [name for name in loaded if name not in installed]
    if not missing or not installed or probe.place.anyway:
        return
    names = ", ".join(f'"{name}"' for name in missing)
    modules = [*probe.modules, *probe.place.asked.modules]
    load = f"{probe.site.modules.load} {' '.join(modules)}\n  " if modules else ""
    raise RunError(
        f"{script} loads {', '.join(missing)}, which {software.version or 'R'} on {probe.site.name} does not have",
        f"install it once: packhorse shell {probe.site.name}, and there\n  {load}"
        f"Rscript -e 'chooseCRANmirror(ind = 1); install.packages(c({names}), lib = \"{library}\")'",
    )
