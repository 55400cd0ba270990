"""Commands that run tasks: run, map, retry, cancel, rerun."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import click

from packhorse.cli.output import (
    Lines,
    Quiet,
    as_object,
    job_of,
    json_option,
    run_argument,
    say,
    where_option,
)
from packhorse.cli.placing import site_key, site_options, taken
from packhorse.model.errors import TasksFailed, UsageError

STUDIES = (".yaml", ".yml")


class RunCommand(click.Command):
    """`run STUDY` takes options anywhere; `run SCRIPT` passes everything after the script on to it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Find out which of the two it is."""
        ctx.allow_interspersed_args = any(one.endswith(STUDIES) or Path(one).is_dir() for one in args)
        ctx.ignore_unknown_options = False
        return super().parse_args(ctx, args)


def run_options(command: Any) -> Any:
    """Add the options of everything that runs."""
    for option in reversed(
        (
            click.option("--run", "directory", type=click.Path(path_type=Path), help="The run's directory."),
            click.option(
                "-j", "--jobs", type=click.IntRange(min=1), help="Tasks at a time (default: all cores)."
            ),
            click.option("--commit", metavar="MESSAGE", help="Commit study and code first."),
            click.option(
                "--detach",
                is_flag=True,
                help="Return when the jobs are submitted; the run goes on by itself.",
            ),
            json_option,
        )
    ):
        command = option(command)
    return site_options(command)


@click.command(cls=RunCommand, name="run")
@click.argument("target", required=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.option("--fresh", is_flag=True, help="Run all tasks again.")
@click.option("--keep", is_flag=True, help="Keep finished tasks although code, environment or data changed.")
@click.option("--old-code", is_flag=True, help="Run what is missing with the code of the finished tasks.")
@click.option("--unchecked", is_flag=True, help="Leave the study's checks out; the provenance says so.")
@run_options
def run_command(
    target: str | None, arguments: tuple[str, ...], as_json: bool, commit: str | None, **options: Any
) -> None:
    """Run a study, or a script once.

    \b
    packhorse run study.yaml               run what is missing, merge the table
    packhorse run sim.py --n 100           run the script once from a snapshot of its project
    packhorse run study.yaml --site NAME   run it there: submit, watch, collect

    The same command continues an interrupted run, and follows one that is under way.
    """
    from packhorse.app.run import Options
    from packhorse.app.single import run_script

    watcher = Quiet() if as_json else Lines()
    _stop_on_terminate()
    if target is None:
        if not Path("study.yaml").exists():
            raise UsageError(
                "no study.yaml here", "packhorse init SCRIPT writes one; packhorse run SCRIPT runs one"
            )
        target = "study.yaml"
    directory, jobs, detach = options.pop("directory"), options.pop("jobs"), options.pop("detach")
    place = taken(options)
    if target.endswith(STUDIES) or Path(target).is_dir():
        if arguments:
            raise UsageError(f"{' '.join(arguments)}: a study takes no arguments", "packhorse run --help")
        source, directory = _study(Path(target), directory, site_key(place))
        chosen = Options(run=directory, jobs=jobs, **options)
    else:
        ours = [word for word in arguments if word in ("--site", "--detach", "--partition", "--account")]
        if ours:
            watcher.say(
                f"{ours[0]} after {target} is the script's own; what Packhorse shall read stands before it"
            )
        source, chosen = run_script(target, arguments, directory, Path.cwd())
    _commit(source, commit)
    _go(source, chosen, watcher, as_json, place, detach=detach)


@click.command(name="map", context_settings={"ignore_unknown_options": False})
@click.argument("template")
@click.argument("assignments", nargs=-1, metavar="NAME=VALUE,VALUE...")
@click.option("--replicates", type=click.IntRange(min=1), help="Repetitions of each point.")
@click.option("--seed", type=int, help="The study's seed.")
@click.option("--result", help="Where results come from: auto, json, none, or a file's name.")
@click.option("--name", help="The study's name.")
@click.option("--data", multiple=True, help="A data file or folder the command reads.")
@click.option("--shell", is_flag=True, help="Give the command to /bin/sh, for pipes and redirections.")
@click.option("--save", type=click.Path(path_type=Path), help="Also write the study to this file.")
@click.option("--fresh", is_flag=True, help="Run all tasks again.")
@click.option("--keep", is_flag=True, help="Keep finished tasks although code, environment or data changed.")
@run_options
def map_command(
    template: str,
    assignments: tuple[str, ...],
    as_json: bool,
    save: Path | None,
    directory: Path | None,
    jobs: int | None,
    commit: str | None,
    fresh: bool,
    keep: bool,
    detach: bool,
    **keys: Any,
) -> None:
    """Run a command over parameters, in one line.

    \b
    packhorse map 'python sim.py --n {n} --seed {seed}' n=10,20,50 --replicates 100
    """
    from packhorse.app.run import Options
    from packhorse.app.single import map_source

    _stop_on_terminate()
    place = taken(keys)
    keys["data"] = list(keys["data"]) or None
    keys["shell"] = keys["shell"] or None
    source = map_source(template, assignments, save, keys, Path.cwd())
    if save:
        say(f"study written to {save}; from now on: packhorse run {save}")
    _commit(source, commit)
    options = Options(run=directory, jobs=jobs, fresh=fresh, keep=keep)
    _go(source, options, Quiet() if as_json else Lines(), as_json, place, detach=detach)


@click.command(name="retry")
@run_argument
@click.option(
    "--failed",
    is_flag=True,
    expose_value=False,
    help="Tasks without a result, for whatever reason (the default).",
)
@where_option
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Tasks at a time (default: all cores).")
@click.option("--keep", is_flag=True, help="With the code that is here now, although it changed.")
@click.option("--old-code", is_flag=True, help="With the code of the finished tasks.")
@click.option("--lost", is_flag=True, help="Only tasks that never came to an end, on a site.")
@click.option("--memory", metavar="SIZE|2x", help="With this memory for a task, or so many times as much.")
@click.option("--time", metavar="TIME|2x", help="With this time for a task, or so many times as much.")
@click.option("--detach", is_flag=True, help="Return when the jobs are submitted.")
@json_option
@site_options
def retry_command(
    run: str | None, where: tuple[str, ...], as_json: bool, detach: bool, **options: Any
) -> None:
    """Run failed tasks again, and those whose result could not be read, where the run was."""
    from packhorse.app.again import retry_source

    _stop_on_terminate()
    place = taken(options)
    source, chosen, place = retry_source(Path.cwd(), run, where, options, place)
    _go(source, chosen, Quiet() if as_json else Lines(), as_json, place, detach=detach)


@click.command(name="cancel")
@click.argument("run", required=False, metavar="[RUN|SITE:JOB]")
def cancel_command(run: str | None) -> None:
    """Stop a run, here or on its site; finished tasks are kept and the same command continues.

    SITE:JOB cancels a job of yours by its number, also one that you submitted by hand.
    """
    from packhorse.app.keeping import cancel

    job = job_of(run)
    if job is None:
        say(cancel(Path.cwd(), run))
        return
    from packhorse.app.byhand import cancel_job

    say(cancel_job(job))


@click.command(name="rerun")
@run_argument
@click.option(
    "--sample", type=click.IntRange(min=1), default=20, show_default=True, help="How many finished tasks."
)
@where_option
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Tasks at a time (default: all cores).")
@json_option
def rerun_command(
    run: str | None, sample: int, where: tuple[str, ...], jobs: int | None, as_json: bool
) -> None:
    """Run finished tasks again from the snapshot and compare bit for bit."""
    from packhorse.app.again import rerun

    found = rerun(Path.cwd(), run, sample, where, jobs, Quiet() if as_json else Lines())
    if as_json:
        as_object(found)
    else:
        say(found["said"])
        for row in found["differences"]:
            say(f"  task {row['index']}, {row['column']}: first {row['first']}, now {row['second']}")
    if found["differing"] or found["failed"]:
        raise TasksFailed(f"{found['differing']} of {found['tasks']} tasks gave another result")


def _study(target: Path, directory: Path | None, site: str | None) -> tuple[Any, Path | None]:
    """Return a study and where it runs; a run's directory stands for its study, perhaps made in Python."""
    from packhorse.app.again import source_of
    from packhorse.app.source import from_file
    from packhorse.run.directory import RunDirectory

    if RunDirectory(target).exists:
        return source_of(RunDirectory(target.resolve()), site), directory or target.resolve()
    return from_file(target, site), directory


def _commit(source: Any, message: str | None) -> None:
    from packhorse.app.commit import commit_project

    if message:
        say(commit_project(source, message))


def _stop_on_terminate() -> None:
    """Let SIGTERM and SIGHUP stop as Ctrl-C does: what is finished is kept."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop)


def _go(
    source: Any, options: Any, watcher: Any, as_json: bool, place: dict[str, Any], *, detach: bool = False
) -> None:
    from packhorse.app.siting import unknown_sites
    from packhorse.cli.closing import closing_lines, judge

    for note in unknown_sites(source, site_key(place)):
        watcher.warn(note)
    outcome = _run(source, options, watcher, place, detach=detach)
    if outcome is None:
        return
    if hasattr(outcome, "joined"):  # detached: the jobs are on their way
        if as_json:
            as_object({name: getattr(outcome, name) for name in outcome.__struct_fields__})
        else:
            say(f"packhorse status {outcome.name} says how it stands; packhorse run follows it")
        return
    if as_json:
        members = ("run", "name", "tasks", "done", "failed", "missing", "results", "seconds", "stopped")
        as_object({name: getattr(outcome, name) for name in members})
    else:
        for row in closing_lines(outcome):
            say(row)
    judge(outcome)


def _run(source: Any, options: Any, watcher: Any, place: dict[str, Any], *, detach: bool) -> Any:
    """Run here, or on the site that was named."""
    from msgspec.structs import replace

    from packhorse.app.run import run_study

    if place.get("site") in (None, "local"):
        if place.keys() - {"site"} or detach:
            raise UsageError(
                f"--{sorted(place.keys() - {'site'} or {'detach'})[0].replace('_', '-')} needs --site",
                "packhorse sites lists the sites",
            )
        return run_study(source, replace(options, here="site" in place), watcher)
    from packhorse.app.cluster import run_on_site
    from packhorse.app.siting import place_of

    return run_on_site(source, options, place_of(source, **place), watcher, detach=detach)
