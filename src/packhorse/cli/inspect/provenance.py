"""packhorse provenance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from packhorse.cli.output import (
    as_object,
    json_option,
    run_argument,
    say,
    tasks,
)


@click.command(name="provenance")
@run_argument
@json_option
def provenance_command(run: str | None, as_json: bool) -> None:
    """Show what made the results of a run: code, environment, machine, data."""
    from packhorse.app.inspect.provenance import provenance

    found = provenance(Path.cwd(), run)
    if as_json:
        as_object(found)
        return
    for row in provenance_lines(found):
        say(row)


def provenance_lines(found: dict[str, Any]) -> list[str]:
    """Return the provenance as sentences; `--json` has all of it."""
    git, machine = found.get("git") or {}, found.get("machine") or {}
    rows = [f"study {found['study'].get('name', '')}, planned {found.get('created', '')}"]
    if git.get("summary"):
        rows.append(f"  {git['summary']}")
    for language in ("python", "r", "program"):
        about = found["environment"].get(language)
        if about:
            packages = f", {len(about['packages'])} packages" if about.get("packages") else ""
            rows.append(f"  {language} {about.get('version') or about.get('path', '')}{packages}")
    rows.append(f"  machine {machine.get('host', '')}, {machine.get('cpu', '')}, {machine.get('os', '')}")
    for name, about in (found.get("data") or {}).items():
        rows.append(f"  data {name}: sha256 {about['sha256'][:16]}, {about['bytes']:,} bytes")
    for one in found["checks"]:
        rows.append(f"  check passed {one['passed']}: {one['command']}")
    for wave in found["waves"]:
        unchecked = ", checks left out" if wave["unchecked"] else ""
        rows.append(
            f"  wave {wave['wave']} ({wave['kind']}) {wave['created']}:"
            f" {tasks(wave['tasks'])}, code {wave['code']}{unchecked}"
        )
    return rows
