"""The modules of a site, and whether they provide what a study needs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from packhorse.model.command import Answer, Command
from packhorse.model.errors import RunError
from packhorse.model.json_output import JsonOutput
from packhorse.model.site import Site
from packhorse.project.sites import find_site
from packhorse.project.source import from_file
from packhorse.remote.transport import transport_for
from packhorse.sites import modules
from packhorse.sites.modules import Loaded, Program
from packhorse.snapshot.python_imports import python_imports
from packhorse.snapshot.r_packages import r_packages_of


class Listing(JsonOutput, frozen=True, kw_only=True, tag="packhorse-modules/1"):
    """The modules of a site."""

    site: Annotated[str, Meta(description="The site's name.")]
    found: Annotated[tuple[str, ...], Meta(description="The modules with WORD in their name.")]
    loaded: Annotated[tuple[str, ...], Meta(description="The modules that a login shell loads.")]
    all: Annotated[int, Meta(description="The number of all modules.")]


class Trial(JsonOutput, frozen=True, kw_only=True, tag="packhorse-modules-trial/1"):
    """The interpreters and packages at a site with some modules loaded."""

    failed: Annotated[str, Meta(description="The error of loading them; empty: none.")]
    python: Annotated[Program, Meta(description="python3, with the packages that the study imports.")]
    rscript: Annotated[Program, Meta(description="Rscript, with the packages that the study uses.")]
    site: Annotated[str, Meta(description="The site's name.")]
    modules: Annotated[tuple[str, ...], Meta(description="The modules that were loaded.")]

    @property
    def missing(self) -> list[str]:
        """The packages that a study needs and that were not found."""
        packages = (*self.python.packages.items(), *self.rscript.packages.items())
        return [name for name, found in packages if not found]


def list_modules(name: str, word: str, folder: Path) -> Listing:
    """Return the modules of a site; raise RunError where it has none."""
    site = find_site(name, folder)
    answer = _ask(site, modules.list_command(site, word))
    if modules.has_no_modules(answer):
        hint = "write shell lines that define `module` under modules: {setup: ...} in the site's file"
        raise RunError(f"a login shell of {site.name} has no modules", hint)
    found, loaded, every = modules.parse_list(answer, word)
    return Listing(site=site.name, found=tuple(found), loaded=tuple(loaded), all=every)


def try_modules(name: str, names: Sequence[str], study: Path | None, folder: Path) -> Trial:
    """Return what a site provides with modules loaded: the named ones, else those of the study."""
    site = find_site(name, folder)
    python: Sequence[str] = ()
    r: Sequence[str] = ()
    if study is not None:
        source = from_file(study, name)
        names = names or source.study.cluster.modules
        python = python_imports(source.study, source.folder, source.root).modules
        r = r_packages_of(source.study, source.folder)[1]
    answer = _ask(site, modules.load_command(site, names, python, r))
    loaded: Loaded = modules.parse_load(answer, python, r)
    return Trial(
        failed=loaded.failed,
        python=loaded.python,
        rscript=loaded.rscript,
        site=site.name,
        modules=tuple(names),
    )


def _ask(site: Site, command: Command) -> Answer:
    place = transport_for(site)
    with place.open():
        place.identify([])
        return place.run_command(command)
