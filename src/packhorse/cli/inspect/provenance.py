"""packhorse provenance."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from packhorse.app.inspect.provenance import Provenance, provenance
from packhorse.cli.output import json_option, print_json, run_argument, say, tasks
from packhorse.preflight.check_tests import CheckedTest, sentence
from packhorse.record.software import Software
from packhorse.rundata.replicates_until import UntilRecord, end_sentence
from packhorse.text.amounts import counted


@click.command(name="provenance")
@run_argument
@json_option
def provenance_command(run: str | None, as_json: bool) -> None:
    """Show what made the results of a run: code, environment, machine, data."""
    found = provenance(Path.cwd(), run)
    if as_json:
        print_json(found)
        return
    for row in provenance_lines(found):
        say(row)


def provenance_lines(found: Provenance) -> Iterator[str]:
    """Yield the provenance as lines; `--json` has all of it."""
    git, machine = found.git or {}, found.machine or {}
    yield f"study {found.study.get('name', '')}, planned {found.created or ''}"
    if git.get("summary"):
        yield f"  {git['summary']}"
    yield from _software_lines(msgspec.convert(found.environment, Software))
    yield f"  machine {machine.get('host', '')}, {machine.get('cpu', '')}, {machine.get('os', '')}"
    for name, about in (found.data or {}).items():
        yield f"  data {name}: sha256 {about['sha256'][:16]}, {about['bytes']:,} bytes"
    if found.warm:
        yield f"  {found.warm.sentence}"
    if found.until and found.until["end"]:
        yield f"  replicates: {end_sentence(msgspec.convert(found.until, UntilRecord))}"
    for check in found.checks:
        tests = msgspec.convert(check.get("tests", []), list[CheckedTest])
        counts = f" ({sentence(tests)})" if tests else ""
        yield f"  check passed {check['passed']}: {check['command']}{counts}"
    for wave in found.waves:
        unchecked = ", checks skipped" if wave.unchecked else ""
        yield (
            f"  wave {wave.wave} ({wave.kind}) {wave.created}: {tasks(wave.tasks)}, code {wave.code}{unchecked}"
        )


def _software_lines(software: Software) -> Iterator[str]:
    for language, facts in (("python", software.python), ("r", software.r)):
        if facts is not None:
            packages = f", {counted(len(facts.packages), 'package')}" if facts.packages else ""
            yield f"  {language} {facts.version or ''}{packages}"
    if software.program is not None:
        yield f"  program {software.program.path}"
