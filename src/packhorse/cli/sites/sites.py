"""packhorse sites."""

from __future__ import annotations

from pathlib import Path

import click

from packhorse.app.sites.sites import sites
from packhorse.cli.lazy_group import LazyGroup
from packhorse.cli.output import aligned, json_option, print_json, say
from packhorse.cli.sites.show import SCHEDULERS
from packhorse.project.sites import KnownSite

# name: (module, one line of help)
SITE_COMMANDS = {
    "show": ("sites.show", "Show a site: its partitions, limits, storage and access."),
    "choose": ("sites.choose", "Show which sites and partitions fit a job or a study."),
    "default": ("sites.default", "Set the site that submit and shell take where none is named."),
    "probe": ("sites.probe", "Query a cluster, and show differences from its file."),
    "schema": ("sites.schema", "Print the JSON Schema of site files, for editors."),
}


class SiteCommands(LazyGroup):
    """The commands of `packhorse sites`."""

    def hint(self, word: str) -> str:
        """Return the command that shows a site."""
        return f"To see a site: packhorse sites show {word}"


@click.group(cls=SiteCommands, table=SITE_COMMANDS, name="sites", invoke_without_command=True)
@json_option
@click.pass_context
def sites_command(ctx: click.Context, as_json: bool) -> None:
    """List the sites that studies here can run on, and their files.

    A site is a file NAME.yaml: in the project's folder packhorse-sites, in your settings, or shipped
    with Packhorse. Of several files with one name the first of these is used.
    """
    if ctx.invoked_subcommand is not None:
        return
    found = sites(Path.cwd())
    if as_json:
        print_json(found.json_output())
        return
    for row in aligned([_row(site) for site in sorted(found.sites, key=_is_retired)]):
        say(row)
    for site in found.sites:
        if site.fault:
            say(f"{site.name}: {site.fault}")
    if found.here is not None:
        say(f"this is a login node of {found.here}: packhorse run study.yaml --site {found.here}")
    say("to show one: packhorse sites show NAME")


def _is_retired(known: KnownSite) -> bool:
    return known.site is not None and known.site.retired is not None


def _row(known: KnownSite) -> tuple[str, ...]:
    file = known.origin if known.origin == "shipped" else known.path
    if known.site is None:
        return (known.name, "cannot be read", "", file)
    retired = known.site.retired
    if retired is not None:
        instead = f"; see {', '.join(retired.successors)}" if retired.successors else ""
        return (known.name, known.site.title, f"retired{instead}", file)
    return (known.name, known.site.title, SCHEDULERS[known.site.scheduler].partition(":")[0], file)
