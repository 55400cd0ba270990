"""The modules of a site, and whether a study finds with some of them what it needs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from packhorse.model.command import Answer, Command
from packhorse.model.errors import RunError
from packhorse.model.site import Site
from packhorse.project.sites import find_site
from packhorse.project.source import from_file
from packhorse.remote.transport import transport_for
from packhorse.sites import modules
from packhorse.sites.modules import Loaded
from packhorse.snapshot.python_imports import python_imports
from packhorse.snapshot.r_packages import r_packages_of


class Listing(Struct, frozen=True, kw_only=True):
    """The modules that have a word in their name, of so many, and those that are loaded by themselves."""

    site: Site
    found: tuple[str, ...]
    loaded: tuple[str, ...]
    all: int


class Trial(Struct, frozen=True, kw_only=True):
    """What is found at a site with modules."""

    site: Site
    modules: tuple[str, ...]
    loaded: Loaded

    @property
    def missing(self) -> list[str]:
        """What a study needs, and is not there."""
        packages = (*self.loaded.python.packages.items(), *self.loaded.rscript.packages.items())
        return [name for name, there in packages if not there]


def list_modules(said: str, word: str, folder: Path) -> Listing:
    """Return the modules of a site; raise RunError where it has none."""
    site = find_site(said, folder)
    answer = _ask(site, modules.list_command(site, word))
    if modules.has_no_modules(answer):
        hint = "shell lines that bring `module` belong under modules: {setup: ...} in the site's file"
        raise RunError(f"a login shell of {site.name} has no modules", hint)
    found, loaded, every = modules.parse_list(answer, word)
    return Listing(site=site, found=tuple(found), loaded=tuple(loaded), all=every)


def try_modules(said: str, names: Sequence[str], study: Path | None, folder: Path) -> Trial:
    """Return what is found at a site once modules are loaded: those that are named, else those of a study."""
    site = find_site(said, folder)
    python: Sequence[str] = ()
    r: Sequence[str] = ()
    if study is not None:
        source = from_file(study, said)
        names = names or source.study.cluster.modules
        python = python_imports(source.study, source.folder, source.root).modules
        r = r_packages_of(source.study, source.folder)[1]
    answer = _ask(site, modules.load_command(site, names, python, r))
    return Trial(site=site, modules=tuple(names), loaded=modules.parse_load(answer, python, r))


def _ask(site: Site, command: Command) -> Answer:
    place = transport_for(site)
    with place.open():
        place.identify([])
        return place.run_command(command)
