"""packhorse submit."""

from __future__ import annotations

from pathlib import Path

import click

from packhorse.app.jobs.submit import SubmitOptions, SubmittedJob, submit
from packhorse.cli.output import Lines, Quiet, json_option, print_json, say
from packhorse.model.job import HeadOptions
from packhorse.project.sites import site_here
from packhorse.text import units


@click.command(name="submit")
@click.argument("script", type=click.Path(path_type=Path))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[-- ARGUMENT...]")
@click.option(
    "--site",
    metavar="NAME",
    help="The site (default: that of this login node, else packhorse sites default).",
)
@click.option("--name", default="", help="The job's name, and the run's (default: the script's).")
@click.option(
    "--with",
    "along",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A file or folder to upload for the job.",
)
@click.option(
    "--partition", default="", metavar="NAME", help="The partition or queue, in place of the script's."
)
@click.option("--account", default="", metavar="NAME", help="The account, in place of the script's.")
@click.option("--qos", default="", metavar="NAME", help="The quality of service, in place of the script's.")
@click.option(
    "--time", default="", metavar="TIME", help="The time limit, such as '2 h', in place of the script's."
)
@click.option(
    "--memory", default="", metavar="SIZE", help="Memory per node, such as '4 GB', in place of the script's."
)
@json_option
def submit_command(
    script: Path,
    arguments: tuple[str, ...],
    site: str | None,
    name: str,
    along: tuple[Path, ...],
    partition: str,
    account: str,
    qos: str,
    time: str,
    memory: str,
    as_json: bool,
) -> None:
    """Check a job script, upload it to a site with its inputs, and submit it.

    \b
    packhorse submit fit.sh                 on a login node
    packhorse submit fit.sh --site hec
    packhorse submit fit.sh --site hec --partition test --time '10 min'
    packhorse submit fit.sh --site hec --with src --with data.csv -- --n 100

    On a login node of the site the job works in this folder, as with sbatch or qsub. From elsewhere the script
    is uploaded to a folder of its own there, with each file that its commands name; --with uploads more. Then
    packhorse status, logs, cancel and get take its run's name.
    """
    reporter = Quiet() if as_json else Lines()
    head = HeadOptions(
        partition=partition,
        account=account,
        qos=qos,
        seconds=round(units.duration(time, "--time")) if time else None,
        memory=units.memory(memory, "--memory") if memory else None,
    )
    options = SubmitOptions(name=name, arguments=arguments, along=along, head=head)
    run, job = submit(script, site or site_here(Path.cwd(), "--site NAME"), options, Path.cwd(), reporter)
    run_name = run.path.name
    if as_json:
        print_json(
            SubmittedJob(
                run=str(run.path),
                name=run_name,
                site=job.site.name,
                job=job.job,
                folder=job.folder,
                files=tuple(job.files),
            )
        )
        return
    number = f"job {job.job}" if job.job else "a job whose number is not known yet"
    say(f"submitted {number} to {job.site.name}; it works in {job.folder}")
    say(f"state: packhorse status {run_name}; output: packhorse logs {run_name}")
    if job.far:
        say(f"to fetch its files: packhorse get {run_name}")
