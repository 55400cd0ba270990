"""Commands about the table: collect, summary."""

from __future__ import annotations

from pathlib import Path

import click

from packhorse.cli.output import as_object, frame_lines, json_option, number, run_argument, say, where_option


@click.command(name="collect")
@run_argument
@json_option
def collect_command(run: str | None, as_json: bool) -> None:
    """Merge what is finished into results.parquet and results.csv, also while the run works."""
    from packhorse.app.collect import collect
    from packhorse.cli.closing import merge_lines
    from packhorse.model.errors import TableError
    from packhorse.run.directory import find_run

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


@click.command(name="summary")
@run_argument
@click.option("--by", multiple=True, help="Parameters to group by (default: all, or the study's).")
@click.option("--of", multiple=True, help="Columns to summarise (default: every number, or the study's).")
@click.option(
    "--quantile", "quantiles", multiple=True, type=click.FloatRange(0, 1), help="A quantile to give."
)
@where_option
@json_option
def summary_command(
    run: str | None,
    by: tuple[str, ...],
    of: tuple[str, ...],
    quantiles: tuple[float, ...],
    where: tuple[str, ...],
    as_json: bool,
) -> None:
    """Summarise the table: mean, sd, quantiles, each with its Monte Carlo standard error."""
    from packhorse.app.summary import summarise_run

    frame = summarise_run(Path.cwd(), run, by, of, quantiles, where)
    if as_json:
        as_object({"rows": frame.to_dicts()})
        return
    for row in frame_lines(frame):
        say(row)
