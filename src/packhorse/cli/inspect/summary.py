"""packhorse summary."""

from __future__ import annotations

from pathlib import Path

import click

from packhorse.app.inspect.summary import SummaryTable, summarise_run
from packhorse.cli.output import json_option, print_json, run_argument, say, where_option


@click.command(name="summary")
@run_argument
@click.option("--by", multiple=True, help="Parameters to group by (default: all, or the study's).")
@click.option("--of", multiple=True, help="Columns to summarise (default: every number, or the study's).")
@click.option(
    "--quantile", "quantiles", multiple=True, type=click.FloatRange(0, 1), help="A quantile to add."
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
    """Summarise the table by parameters and over all: mean, sd, quantiles, each with its Monte Carlo standard error."""
    found = summarise_run(Path.cwd(), run, by, of, quantiles, where)
    if as_json:
        over_all = () if found.over_all is None else tuple(found.over_all.to_dicts())
        print_json(SummaryTable(rows=tuple(found.points.to_dicts()), over_all=over_all))
        return
    for row in found.lines():
        say(row)
