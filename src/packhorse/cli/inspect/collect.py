"""packhorse collect."""

from __future__ import annotations

from pathlib import Path

import click

from packhorse.cli.output import (
    as_object,
    json_option,
    number,
    run_argument,
    say,
)


@click.command(name="collect")
@run_argument
@json_option
def collect_command(run: str | None, as_json: bool) -> None:
    """Merge what is finished into results.parquet and results.csv, also while the run works."""
    from packhorse.app.inspect.collect import collect
    from packhorse.app.runs.outcome import merge_lines
    from packhorse.model.errors import TableError
    from packhorse.rundir.directory import find_run

    found = find_run(Path.cwd(), run)
    collected = collect(found)
    merge, counts = collected.merge, collected.fold.counts
    path = found.path / "results.parquet"
    if as_json:
        as_object({"run": str(found.path), "rows": merge.rows, "counts": counts, "results": str(path)})
    else:
        failed = sum(n for name, n in counts.items() if name not in ("OK", "MISSING"))
        said = f"{number(merge.rows)} rows of {number(counts['OK'])} tasks"
        said += f"; {number(failed)} failed, {number(counts['MISSING'])} missing"
        say(said)
        for row in merge_lines(merge, collected.notes):
            say(row)
        say(f"table: {path} (and .csv beside it)")
    if merge.clashes:
        raise TableError(
            "the table is written, but types clash in: " + ", ".join(c.column for c in merge.clashes)
        )
