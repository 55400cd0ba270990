"""packhorse collect."""

from __future__ import annotations

from pathlib import Path

import click

from packhorse.app.inspect.collect import collect
from packhorse.app.runs.outcome import merge_lines
from packhorse.cli.output import json_option, number, print_json, run_argument, say, tasks
from packhorse.model.errors import TableError
from packhorse.rundir.directory import find_run


@click.command(name="collect")
@run_argument
@click.option("--stack", "stacked", is_flag=True, help="Also join arrays in results.nc, by parameters.")
@json_option
def collect_command(run: str | None, stacked: bool, as_json: bool) -> None:
    """Merge finished tasks into results.parquet and results.csv, also while the run works."""
    collected = collect(find_run(Path.cwd(), run), stacked=stacked)
    merge, counts = collected.merge, collected.fold.counts
    if as_json:
        print_json(collected.json_output())
    else:
        failed = sum(count for outcome, count in counts.items() if outcome not in ("OK", "MISSING"))
        rows = f"{number(merge.rows)} row{'' if merge.rows == 1 else 's'}"
        say(f"{rows} of {tasks(counts['OK'])}; {number(failed)} failed, {number(counts['MISSING'])} missing")
        for row in merge_lines(merge, collected.notes):
            say(row)
        say(f"table: {collected.results} (and .csv beside it)")
        if collected.stack:
            say(f"arrays: {collected.stack}")
    if merge.clashes:
        columns = ", ".join(clash.column for clash in merge.clashes)
        raise TableError(f"the table is written, but types clash in: {columns}")
