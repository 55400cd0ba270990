"""Commands about sites: the list of them, what one has, and the JSON Schema of their files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from packhorse.cli.output import as_object, json_option, number, say
from packhorse.cli.writing import print_schema

if TYPE_CHECKING:
    from packhorse.app.sites import KnownSite
    from packhorse.model.site import Partition, Site

SCHEDULERS = {"slurm": "Slurm", "torque": "TORQUE", "local": "no scheduler: tasks run where you are"}
COLUMNS = ("partition", "nodes", "cores", "memory", "GPUs", "time", "longest", "")


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
    from packhorse.app.sites import known_sites, this_site

    found, here = known_sites(Path.cwd()), this_site(Path.cwd())
    if as_json:
        as_object({"sites": [_about(one) for one in found], "here": here.name if here else None})
        return
    rows = [(one.name, one.site.title if one.site else "cannot be read", _place(one)) for one in found]
    for row in _aligned(rows):
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

    from packhorse.app.sites import find_file, find_site

    site, file = find_site(name, Path.cwd()), find_file(name, Path.cwd())
    if as_json:
        as_object({**msgspec.to_builtins(site), "origin": file.origin, "path": str(file.path)})
        return
    say(f"{site.name}: {site.title}" if site.title else site.name)
    if site.partitions:
        for row in _aligned([COLUMNS, *map(_partition, site.partitions)]):
            say(f"  {row}")
        say("  cores, memory and GPUs: of one node; time: of a job that asks for none; ?: not known")
    for row in _facts(site):
        say(f"  {row}")
    say(f"  described in {file.path}" + (" (shipped)" if file.origin == "shipped" else ""))


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
    return {**about, "title": one.site.title, "scheduler": one.site.scheduler}


def _place(one: KnownSite) -> str:
    return one.origin if one.origin == "shipped" else one.path


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield rows with their columns below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip()


def _partition(one: Partition) -> tuple[str, ...]:
    from packhorse.text.units import duration_text, memory_text

    def known(value: int | None, shown: Any = str) -> str:
        return "?" if value is None else str(shown(value))

    gpus = f"{one.gpus} {one.gres}" if one.gpus else "-"
    times = (known(one.default_time, duration_text), known(one.max_time, duration_text))
    size = (known(one.nodes), known(one.cores), known(one.memory, memory_text), gpus)
    return (one.name, *size, *times, "; ".join(_remarks(one)))


def _remarks(one: Partition) -> Iterator[str]:
    if one.default:
        yield "default"
    if one.test:
        yield "for tests"
    if one.by_request:
        yield "by request"
    if one.whole_nodes:
        yield "whole nodes"
    if one.max_nodes is not None:
        yield f"at most {one.max_nodes} node{'' if one.max_nodes == 1 else 's'} a job"


def _facts(site: Site) -> Iterator[str]:
    """Yield what a site limits and asks of jobs, in sentences."""
    yield f"jobs: {SCHEDULERS[site.scheduler]}"
    if site.hosts:
        yield f"login: {', '.join(site.hosts)}"
    yield from _limits(site)
    yield from _demands(site)
    if site.source or site.date:
        yield f"facts: {', '.join(filter(None, (site.source, site.date)))}"


def _limits(site: Site) -> Iterator[str]:
    from packhorse.text.units import duration_text, memory_text

    if site.max_array_index is not None:
        yield f"arrays: indices up to {number(site.max_array_index)}"
    if site.max_jobs is not None:
        yield f"at most {number(site.max_jobs)} jobs of one user, elements of arrays included"
    if site.default_memory is not None:
        yield f"memory: {memory_text(site.default_memory)} a core for a job that asks for none"
    if site.scheduler != "local":
        yield f"the scheduler is asked at most every {duration_text(site.poll)}"


def _demands(site: Site) -> Iterator[str]:
    if site.account_needed:
        yield "a job must name an account: cluster: {account: ...} in the study, or --account"
    if not site.array_mail:
        yield "arrays may not ask for mail"
    if not site.compute_submits:
        yield "jobs may not submit jobs"
    if site.scratch:
        yield f"scratch of a node: {site.scratch}"
    for row in site.setup:
        yield f"every job begins with: {row}"
