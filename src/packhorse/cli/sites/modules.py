"""packhorse modules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from packhorse.app.sites.modules import Listing, Trial, list_modules, try_modules
from packhorse.cli.output import json_option, print_json, say
from packhorse.model.errors import RunError
from packhorse.sites.modules import Program
from packhorse.text.amounts import counted


@click.command(name="modules")
@click.argument("site")
@click.argument("word", default="")
@click.option(
    "--module", "-m", "names", multiple=True, metavar="NAME", help="Load it, and show what it provides."
)
@click.option("--study", type=click.Path(path_type=Path), help="Check that its packages are found.")
@json_option
def modules_command(site: str, word: str, names: tuple[str, ...], study: Path | None, as_json: bool) -> None:
    """List a site's modules with WORD in their name, or show what some of them provide.

    \b
    packhorse modules quartz python
    packhorse modules quartz --module r/4.5.1 --study study.yaml
    """
    if not names and study is None:
        listing = list_modules(site, word, Path.cwd())
        if as_json:
            print_json(listing)
            return
        for row in _listing(listing, word):
            say(row)
        return
    trial = try_modules(site, names, study, Path.cwd())
    if as_json:
        print_json(trial)
    else:
        for row in _trial(trial):
            say(row)
    if trial.failed:
        hint = f"to list its modules: packhorse modules {site}"
        raise RunError(f"{trial.site} could not load {' '.join(trial.modules)}", hint)
    if trial.missing:
        hint = f"another module may provide it: packhorse modules {site}"
        raise RunError(f"missing at {trial.site}: {', '.join(trial.missing)}", hint)


def _listing(listing: Listing, word: str) -> Iterator[str]:
    yield from listing.found
    if word:
        yield f"{len(listing.found)} of {counted(listing.all, 'module')} of {listing.site} with '{word}' in the name"
    else:
        yield f"{counted(listing.all, 'module')} of {listing.site}"
    yield f"loaded by default: {', '.join(listing.loaded) or 'none'}"


def _trial(trial: Trial) -> Iterator[str]:
    loaded = f" with {', '.join(trial.modules)}" if trial.modules else " without a module"
    yield f"at {trial.site}{loaded}:"
    yield from (f"  {line}" for line in trial.failed.splitlines())
    yield from _program("python3", trial.python)
    yield from _program("Rscript", trial.rscript)


def _program(name: str, program: Program) -> Iterator[str]:
    yield f"  {name}: {program.version} at {program.path}" if program.path else f"  {name}: not found"
    for package, found in program.packages.items():
        yield f"    {package}: {'found' if found else 'missing'}"
