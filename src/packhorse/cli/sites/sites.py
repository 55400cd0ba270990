"""packhorse sites."""

from __future__ import annotations

from pathlib import Path

import click

from packhorse.app.sites.sites import sites
from packhorse.cli.output import aligned, json_option, print_json, say
from packhorse.cli.sites.choose import choose_command
from packhorse.cli.sites.probe import probe_command
from packhorse.cli.sites.show import SCHEDULERS, show_command
from packhorse.cli.studies.schema import print_schema
from packhorse.project.sites import KnownSite
from packhorse.sites.keys import json_schema


class SiteCommands(click.Group):
    """A group that gives a hint where a site's name is used as a command."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolve a subcommand; name the one that shows a site."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            ctx.fail(f"No such command {args[0]!r}. To see a site: packhorse sites show {args[0]}")
        return super().resolve_command(ctx, args)


@click.group(cls=SiteCommands, name="sites", invoke_without_command=True)
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


sites_command.add_command(show_command)
sites_command.add_command(choose_command)
sites_command.add_command(probe_command)


@sites_command.command(name="schema")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Write it to a file.")
def schema_command(output: Path | None) -> None:
    """Print the JSON Schema of site files, for editors."""
    print_schema(json_schema(), output, "site")


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
