"""packhorse modules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from packhorse.cli.output import as_object, json_option, number, say

if TYPE_CHECKING:
    from packhorse.app.sites.modules import Listing, Trial
    from packhorse.sites.modules import Program


@click.command(name="modules")
@click.argument("site")
@click.argument("word", default="")
@click.option(
    "--module", "-m", "names", multiple=True, metavar="NAME", help="Load it, and say what is found."
)
@click.option("--study", type=click.Path(path_type=Path), help="Say whether its packages are found.")
@json_option
def modules_command(site: str, word: str, names: tuple[str, ...], study: Path | None, as_json: bool) -> None:
    """List a site's modules that have WORD in their name, or say what is found once some are loaded.

    \\b
    packhorse modules quartz python
    packhorse modules quartz --module r/4.5.1 --study study.yaml
    """
    import msgspec

    from packhorse.app.sites.modules import list_modules, try_modules
    from packhorse.model.errors import RunError

    if not names and study is None:
        listing = list_modules(site, word, Path.cwd())
        if as_json:
            about = {name: getattr(listing, name) for name in ("found", "loaded", "all")}
            as_object({"site": listing.site.name, **about})
            return
        for row in _listing(listing, word):
            say(row)
        return
    trial = try_modules(site, names, study, Path.cwd())
    if as_json:
        as_object(msgspec.to_builtins(trial.loaded) | {"site": trial.site.name, "modules": trial.modules})
    else:
        for row in _trial(trial):
            say(row)
    if trial.loaded.failed:
        hint = f"packhorse modules {site} lists those that there are"
        raise RunError(f"{trial.site.name} could not load {' '.join(trial.modules)}", hint)
    if trial.missing:
        hint = f"other modules may bring it: packhorse modules {site}"
        raise RunError(f"missing at {trial.site.name}: {', '.join(trial.missing)}", hint)


def _listing(listing: Listing, word: str) -> Iterator[str]:
    yield from listing.found
    if word:
        yield f"{len(listing.found)} of {number(listing.all)} modules of {listing.site.name} have '{word}' in their name"
    else:
        yield f"{number(listing.all)} modules of {listing.site.name}"
    yield f"loaded by default: {', '.join(listing.loaded) or 'none'}"


def _trial(trial: Trial) -> Iterator[str]:
    with_them = f" with {', '.join(trial.modules)}" if trial.modules else " without a module"
    yield f"at {trial.site.name}{with_them}:"
    yield from (f"  {line}" for line in trial.loaded.failed.splitlines())
    yield from _program("python3", trial.loaded.python)
    yield from _program("Rscript", trial.loaded.rscript)


def _program(name: str, one: Program) -> Iterator[str]:
    yield f"  {name}: {one.version} at {one.path}" if one.path else f"  {name}: not found"
    for package, there in one.packages.items():
        yield f"    {package}: {'found' if there else 'missing'}"
