"""packhorse submit."""

from __future__ import annotations

from pathlib import Path

import click

from packhorse.cli.output import Lines, Quiet, as_object, json_option, say


@click.command(name="submit")
@click.argument("script", type=click.Path(path_type=Path))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[-- ARGUMENT...]")
@click.option("--site", required=True, metavar="NAME", help="Where to (packhorse sites lists them).")
@click.option("--name", default="", help="The job's title, and the run's name (default: the script's).")
@click.option(
    "--with",
    "along",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A file or folder that the job needs there.",
)
@json_option
def submit_command(
    script: Path, arguments: tuple[str, ...], site: str, name: str, along: tuple[Path, ...], as_json: bool
) -> None:
    """Check a job script, bring it to a site with what it needs, and submit it.

    \b
    packhorse submit fit.sh --site hec
    packhorse submit fit.sh --site hec --with src --with data.csv -- --n 100

    On a login node of the site the job works in this folder, as with sbatch or qsub. From elsewhere the script
    goes to a folder of its own there, with each file that its commands name; --with brings more. From then
    on packhorse status, logs, cancel and get know it by its run's name.
    """
    from packhorse.app.jobs.submit import SubmitOptions, submit

    reporter = Quiet() if as_json else Lines()
    wish = SubmitOptions(name=name, arguments=arguments, along=along)
    run, own = submit(script, site, wish, Path.cwd(), reporter)
    if as_json:
        about = {"run": str(run.path), "name": run.path.name, "site": own.site.name}
        as_object({**about, "job": own.job, "folder": own.folder, "files": list(own.files)})
        return
    job = f"job {own.job}" if own.job else "a job whose number nobody knows yet"
    say(f"submitted {job} to {own.site.name}; it works in {own.folder}")
    get = f", packhorse get {run.path.name} fetches what it wrote" if own.far else ""
    say(
        f"packhorse status {run.path.name} says how it stands, packhorse logs {run.path.name} what it printed{get}"
    )
