"""packhorse sites."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from packhorse.cli.output import as_object, json_option, say
from packhorse.cli.sites.choose import choose_command
from packhorse.cli.sites.probe import probe_command
from packhorse.cli.sites.site_lines import SCHEDULERS, aligned
from packhorse.cli.studies.schema import print_schema

if TYPE_CHECKING:
    from packhorse.project.sites import KnownSite


class SiteCommands(click.Group):
    """A group that tells what to type where a site's name stands in a command's place."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the command that shows a site."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            ctx.fail(f"No such command {args[0]!r}. To see a site: packhorse sites show {args[0]}")
        return super().resolve_command(ctx, args)


@click.group(cls=SiteCommands, name="sites", invoke_without_command=True)
@json_option
@click.pass_context
def sites_command(ctx: click.Context, as_json: bool) -> None:
    """List the sites that studies here can run on, and where each is described.

    A site is a file NAME.yaml: in the project's folder packhorse-sites, in your settings, or shipped
    with Packhorse. Of files with one name the first of these counts.
    """
    if ctx.invoked_subcommand is not None:
        return
    from packhorse.project.sites import known_sites, this_site

    found, here = known_sites(Path.cwd()), this_site(Path.cwd())
    if as_json:
        as_object({"sites": [_about(one) for one in found], "here": here.name if here else None})
        return
    for row in aligned([_row(one) for one in sorted(found, key=_gone)]):
        say(row)
    for one in found:
        if one.fault:
            say(f"{one.name}: {one.fault}")
    if here is not None:
        say(f"this is a login node of {here.name}: packhorse run study.yaml --site {here.name}")
    say("packhorse sites show NAME says what a site has")


@sites_command.command(name="show")
@click.argument("name")
@json_option
def show_command(name: str, as_json: bool) -> None:
    """Show what a site has: its partitions, their limits, and what it asks of jobs."""
    import msgspec

    from packhorse.project.sites import find_file, find_site

    site, file = find_site(name, Path.cwd(), retired=True), find_file(name, Path.cwd())
    if as_json:
        as_object({**msgspec.to_builtins(site), "origin": file.origin, "path": str(file.path)})
        return
    from packhorse.cli.sites.site_lines import site_lines

    for row in site_lines(site):
        say(row)
    say(f"  described in {file.path}" + (" (shipped)" if file.origin == "shipped" else ""))


sites_command.add_command(choose_command)
sites_command.add_command(probe_command)


@sites_command.command(name="schema")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Write it to a file.")
def schema_command(output: Path | None) -> None:
    """Print the JSON Schema of site files, for editors."""
    from packhorse.sites.keys import json_schema

    print_schema(json_schema(), output, "site")


def _about(one: KnownSite) -> dict[str, Any]:
    about: dict[str, Any] = {"name": one.name, "origin": one.origin, "path": one.path}
    if one.site is None:
        return {**about, "fault": one.fault}
    about |= {"title": one.site.title, "scheduler": one.site.scheduler}
    return about if one.site.retired is None else {**about, "successors": list(one.site.retired.successors)}


def _gone(one: KnownSite) -> bool:
    return one.site is not None and one.site.retired is not None


def _row(one: KnownSite) -> tuple[str, ...]:
    if one.site is None:
        return (one.name, "cannot be read", "", _place(one))
    retired = one.site.retired
    if retired is not None:
        instead = f"; see {', '.join(retired.successors)}" if retired.successors else ""
        return (one.name, one.site.title, f"gone{instead}", _place(one))
    return (one.name, one.site.title, SCHEDULERS[one.site.scheduler].partition(":")[0], _place(one))


def _place(one: KnownSite) -> str:
    return one.origin if one.origin == "shipped" else one.path
