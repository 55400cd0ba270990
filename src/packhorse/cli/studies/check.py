"""packhorse check."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import click

from packhorse.app.studies.check import CheckOptions, CheckReport, Golden, check_results
from packhorse.check.finding import Verdict
from packhorse.cli.output import Lines, Quiet, json_option, print_json, say
from packhorse.model.errors import UsageError
from packhorse.model.study import Expectation
from packhorse.text.amounts import counted

COLUMNS = ("estimate", "truth", "se", "low", "high", "covered", "p_value", "converged", "method", "level")


@click.command(name="check")
@click.argument("target", required=False, metavar="[STUDY|RUN|TABLE]")
@click.option("--expect", multiple=True, metavar="CLAIM", help="What must hold, such as 'coverage = 0.95'.")
@click.option("--estimate", metavar="COLUMN", help="The column of estimates.")
@click.option("--truth", metavar="VALUE", help="The true value, or its column.")
@click.option("--se", metavar="COLUMN", help="The column of standard errors.")
@click.option("--low", metavar="COLUMN", help="The column of the lower ends of the intervals.")
@click.option("--high", metavar="COLUMN", help="The column of their upper ends.")
@click.option("--covered", metavar="COLUMN", help="The column that says whether the interval covers.")
@click.option("--p-value", metavar="COLUMN", help="The column of p-values.")
@click.option("--converged", metavar="COLUMN", help="The column that says whether the method converged.")
@click.option("--method", metavar="COLUMN", help="The column that names the method.")
@click.option(
    "--level",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="The level of the intervals (default: 0.95).",
)
@click.option(
    "--by", multiple=True, metavar="COLUMN", help="Columns that define a cell (default: all parameters)."
)
@click.option("--where", multiple=True, metavar="NAME=VALUE[,VALUE]", help="Only rows with these values.")
@click.option(
    "--margin",
    type=click.FloatRange(0, min_open=True),
    help="Pass only where differences are smaller than this.",
)
@click.option(
    "--golden", type=click.Path(path_type=Path), metavar="FILE", help="A table that the results must equal."
)
@click.option(
    "--update",
    is_flag=True,
    help="Write the results to the file of --golden, after the differences are shown.",
)
@click.option("--rtol", type=click.FloatRange(0), default=0.0, help="Relative tolerance.")
@click.option("--atol", type=click.FloatRange(0), default=0.0, help="Absolute tolerance.")
@click.option("--ulp", type=click.IntRange(0), default=0, help="Tolerance in units in the last place.")
@click.option("--again", is_flag=True, help="Run 1 % of the tasks again, with one worker and with all.")
@click.option("--strict", is_flag=True, help="Exit with 1 also if a check could not tell.")
@json_option
def check_command(
    target: str | None,
    expect: tuple[str, ...],
    by: tuple[str, ...],
    where: tuple[str, ...],
    margin: float | None,
    golden: Path | None,
    update: bool,
    rtol: float,
    atol: float,
    ulp: int,
    again: bool,
    strict: bool,
    as_json: bool,
    **columns: Any,
) -> None:
    """Check results: missing tasks, seeds, outliers, and what the study expects.

    \b
    packhorse check study.yaml
    packhorse check results.csv --by n --estimate est --truth 2 --se se --expect 'coverage = 0.95'
    packhorse check results.csv --expect 'order(error, h) = 4'
    packhorse check RUN --golden golden.parquet --rtol 1e-9

    The exit status is 1 if a check failed. Every check passes, fails, or could not tell.
    """
    if update and golden is None:
        raise UsageError("--update writes the file of --golden, which is not given", "--golden FILE --update")
    tolerances: dict[str, Any] = {"rtol": rtol, "atol": atol, "ulp": ulp}
    options = CheckOptions(
        columns=_columns(columns),
        by=by,
        where=where,
        expect=tuple(Expectation(that=claim, margin=margin, **tolerances) for claim in expect),
        again=again,
        golden=Golden(path=golden, update=update, **tolerances) if golden else None,
    )
    report = check_results(Path.cwd(), target, options, Quiet() if as_json else Lines())
    if as_json:
        print_json(report)
    else:
        _print(report)
    if report.verdict is Verdict.FAIL or (strict and report.verdict is Verdict.UNDECIDED):
        raise SystemExit(1)


def _columns(given: dict[str, Any]) -> dict[str, Any]:
    columns = {name: given[name] for name in COLUMNS if given[name] is not None}
    with contextlib.suppress(KeyError, ValueError):  # not given, or the name of a column
        columns["truth"] = float(columns["truth"])
    return columns


def _print(report: CheckReport) -> None:
    width = max(len(finding.verdict.value) for finding in report.findings)
    for finding in report.findings:
        say(f"{finding.verdict.value.ljust(width)}  {finding.check}: {finding.sentence}")
    counts = [f"{report.failed} failed", f"{report.undecided} could not tell"]
    say(f"{report.passed} of {counted(len(report.findings), 'check')} passed, {', '.join(counts)}")
