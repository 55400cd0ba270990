"""packhorse lint."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import click

from packhorse.app.jobs.lint import LintOptions, LintReport, lint, rule_with_id
from packhorse.cli.output import json_option, print_json, say
from packhorse.lint.formats import github_lines, sarif, text_lines
from packhorse.lint.rule import RULES
from packhorse.model.errors import UsageError
from packhorse.text.amounts import counted


@click.command(name="lint")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="PATH...")
@click.option(
    "--site", default="", metavar="NAME", help="Check against a site, too (packhorse sites lists them)."
)
@click.option("--fix", is_flag=True, help="Correct what has a safe fix, in the files.")
@click.option("--diff", is_flag=True, help="Print the fixes as a diff, and change nothing.")
@click.option(
    "--select", multiple=True, metavar="ID[,ID]", help="Only these rules: J33, J for all of J, ALL."
)
@click.option("--ignore", multiple=True, metavar="ID[,ID]", help="Without these rules.")
@click.option("--explain", default="", metavar="ID", help="Print the page of a rule.")
@click.option("--list", "as_list", is_flag=True, help="List all rules.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "sarif", "github"]),
    default="text",
    help="The form of the findings (default: text).",
)
@json_option
def lint_command(
    paths: tuple[Path, ...],
    site: str,
    fix: bool,
    diff: bool,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    explain: str,
    as_list: bool,
    form: str,
    as_json: bool,
) -> None:
    """Check job scripts, and Python and R source, for mistakes before they cost a job.

    \b
    packhorse lint job.sh
    packhorse lint job.sh --site quartz --diff
    packhorse lint . --fix
    packhorse lint --explain J33

    A comment silences a rule on its line, or on the next if it is on a line of its own: # packhorse: ignore J33.
    The exit status is 1 if there is an error. Nothing is submitted, and no file changes without --fix.
    """
    if explain or as_list:
        say(_page(explain) if explain else _list())
        return
    if not paths:
        raise UsageError("no file given", "packhorse lint JOB.sh")
    options = LintOptions(site=site, select=select, ignore=ignore, fix=fix and not diff)
    report, changed = lint(paths, options, Path.cwd())
    if diff:
        click.echo("".join(one.diff() for one in changed), nl=False)
    else:
        _print(report, "json" if as_json else form)
    if report.failed:
        raise SystemExit(1)


def _page(identity: str) -> str:
    rule = rule_with_id(identity)
    return f"{rule.id} ({rule.severity}): {rule.reason}\n\n{rule.page}"


def _list() -> str:
    rules = sorted(RULES.values(), key=lambda one: one.id)
    return "\n".join(f"{rule.id}  {rule.severity:<7}  {rule.reason}" for rule in rules)


def _print(report: LintReport, form: str) -> None:
    if form == "json":
        print_json(report)
    elif form == "sarif":
        say(json.dumps(sarif(report.findings, version("packhorse"))))
    elif form == "github":
        for line in github_lines(report.findings):
            say(line)
    else:
        for line in text_lines(report.findings):
            say(line)
        for name in report.fixed:
            say(f"fixed {name}")
        found = counted(len(report.findings), "finding") if report.findings else "nothing found"
        say(f"{found} in {counted(report.files, 'file')}")
