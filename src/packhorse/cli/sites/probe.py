"""packhorse sites probe."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from packhorse.cli.output import as_object, json_option, note, say

if TYPE_CHECKING:
    from packhorse.app.sites.probe import Probe
    from packhorse.sites.differences import Change
    from packhorse.sites.machine import LoginNode


@click.command(name="probe")
@click.argument("site", required=False)
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), help="Write what was found as a site's file."
)
@json_option
def probe_command(site: str | None, output: Path | None, as_json: bool) -> None:
    """Ask a cluster what it is, and say what differs from its file; nothing is changed there.

    SITE is a site's name; without it this machine is asked, which must be a login node.
    """
    import msgspec

    from packhorse.app.sites.probe import probe, write

    found = probe(site, Path.cwd(), name=output.stem if output else "")
    if output is not None:
        write(found, output)
    if as_json:
        changes = msgspec.to_builtins(found.changes)
        machine = msgspec.to_builtins(found.machine)
        about = {"known": found.known.name if found.known else None, "changes": changes, "machine": machine}
        as_object({**about, "silent": list(found.told.silent), "site": msgspec.to_builtins(found.site)})
        return
    for row in _lines(found):
        say(row)
    for row in found.told.silent:
        note(f"no answer: {row}")
    if output is not None:
        say(f"written to {output}; packhorse sites show {output.resolve()} says what it has")
    elif found.known is None:
        say(f"to keep it: packhorse sites probe {site or ''} --output packhorse-sites/{found.site.name}.yaml")
    elif found.changes:
        name = found.known.name
        say(f"to keep it: packhorse sites probe {site or ''} --output packhorse-sites/{name}.yaml")


def _lines(found: Probe) -> Iterator[str]:
    from packhorse.cli.sites.site_lines import SCHEDULERS, site_lines

    site = found.told.site
    version = f" {site.scheduler_version}" if site.scheduler_version else ""
    yield f"{found.machine.host or found.site.name}: {SCHEDULERS[site.scheduler]}{version}"
    if found.known is None:
        yield from site_lines(found.site)
    else:
        yield from _changes(found.changes, found.known.name)
    yield from _machine(found.machine)


def _changes(changes: tuple[Change, ...], name: str) -> Iterator[str]:
    told = [one for one in changes if one.how != "learned"]
    if not told:
        yield f"all that is known of {name} is as it was"
    for one in told:
        yield _change(one)
    for one in changes:
        if one.how == "learned":
            yield f"not known so far: {_subject(one)}{one.key}: {one.cluster}"


def _change(one: Change) -> str:
    if one.how == "renamed":
        return f"partition {one.file} is called {one.cluster} now"
    if one.how in ("gone", "new"):
        return f"partition {one.partition} is {one.how}"
    return f"{_subject(one)}{one.key}: {one.cluster or 'no limit'}, and not {one.file or 'without limit'}"


def _subject(one: Change) -> str:
    return f"partition {one.partition}: " if one.partition else ""


def _machine(seen: LoginNode) -> Iterator[str]:
    from packhorse.cli.sites.site_lines import said
    from packhorse.text.amounts import size

    yield from said("system", seen.system)
    yield from said("python3 there", seen.python)
    yield from said("Rscript there", seen.rscript)
    if seen.modules:
        words = f"{len(seen.modules)} by {seen.module_system or 'a system that is not known'}"
        yield f"modules: {words}; packhorse modules lists them"
    for room in seen.rooms:
        if room.size is not None and room.free is not None:
            yield f"{room.area}: {size(room.free)} free of {size(room.size)} for all users at {room.path}"
    for command, answer in seen.quotas.items():
        yield f"$ {command}"
        yield from (f"  {line}" for line in answer.splitlines()[:12])
