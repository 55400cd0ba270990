"""packhorse sites probe."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from packhorse.app.sites.probe import Probe, probe, write
from packhorse.cli.output import json_option, note, print_json, say
from packhorse.cli.sites.show import SCHEDULERS, labelled, site_lines
from packhorse.sites.differences import Change
from packhorse.sites.machine import LoginNode
from packhorse.text.amounts import size


@click.command(name="probe")
@click.argument("site", required=False)
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Write a site file with the result.")
@json_option
def probe_command(site: str | None, output: Path | None, as_json: bool) -> None:
    """Query a cluster's scheduler and login node, and show differences from its file; change nothing there.

    SITE is a site's name or a host; without it this machine is probed, which must be a login node.
    """
    found = probe(site, Path.cwd(), name=output.stem if output else "")
    if output is not None:
        write(found, output)
    if as_json:
        print_json(found.json_output())
        return
    for row in _lines(found):
        say(row)
    for row in found.facts.silent:
        note(f"no answer: {row}")
    if output is not None:
        say(f"wrote {output}; to show it: packhorse sites show {output.resolve()}")
    elif found.known is None or found.changes:
        name = found.known.name if found.known else found.site.name
        target = f"{site} " if site else ""
        say(f"to save it: packhorse sites probe {target}--output packhorse-sites/{name}.yaml")


def _lines(found: Probe) -> Iterator[str]:
    site = found.facts.site
    version = f" {site.scheduler_version}" if site.scheduler_version else ""
    yield f"{found.machine.host or found.site.name}: {SCHEDULERS[site.scheduler]}{version}"
    if found.known is None:
        yield from site_lines(found.site)
    else:
        yield from _changes(found.changes, found.known.name)
    yield from _machine(found.machine)


def _changes(changes: tuple[Change, ...], name: str) -> Iterator[str]:
    differing = [change for change in changes if change.how != "learned"]
    if not differing:
        yield f"the file of {name} agrees with the cluster"
    for change in differing:
        yield _change(change)
    for change in changes:
        if change.how == "learned":
            yield f"not in the file: {_subject(change)}{change.key}: {change.cluster}"


def _change(change: Change) -> str:
    if change.how == "renamed":
        return f"partition {change.file} is now called {change.cluster}"
    if change.how in ("gone", "new"):
        return f"partition {change.partition} is {change.how}"
    return (
        f"{_subject(change)}{change.key}: {change.cluster or 'no limit'} (file: {change.file or 'no limit'})"
    )


def _subject(change: Change) -> str:
    return f"partition {change.partition}: " if change.partition else ""


def _machine(machine: LoginNode) -> Iterator[str]:
    yield from labelled("system", machine.system)
    yield from labelled("python3 there", machine.python)
    yield from labelled("Rscript there", machine.rscript)
    if machine.modules:
        total = f"{len(machine.modules)} by {machine.module_system or 'an unknown system'}"
        yield f"modules: {total}; packhorse modules lists them"
    for area in machine.rooms:
        if area.size is not None and area.free is not None:
            yield f"{area.area}: {size(area.free)} free of {size(area.size)} for all users at {area.path}"
    for command, answer in machine.quotas.items():
        yield f"$ {command}"
        yield from (f"  {line}" for line in answer.splitlines()[:12])
