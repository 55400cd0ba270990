"""Commands that look: status, runs, logs, explain, provenance."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from packhorse.cli.output import (
    as_object,
    job_of,
    json_option,
    number,
    run_argument,
    say,
    task_option,
    tasks,
    where_option,
)
from packhorse.model.errors import UsageError

if TYPE_CHECKING:
    from packhorse.app.byhand import Named


@click.command(name="status")
@run_argument
@where_option
@json_option
def status_command(run: str | None, where: tuple[str, ...], as_json: bool) -> None:
    """Say how a run stands; without RUN, how the newest one here stands."""
    from packhorse.run.directory import list_runs

    if run is None and not list_runs(Path.cwd()):
        if as_json:
            as_object({"runs": 0})
        else:
            say("no run here yet; packhorse run study.yaml makes one")
        return
    from packhorse.app.looking import status

    found = status(Path.cwd(), run, where, accounting=True)
    if as_json:
        as_object(found)
        return
    for row in status_lines(found):
        say(row)


def status_lines(found: dict[str, Any]) -> list[str]:
    """Return a run's state as sentences."""
    from packhorse.app.looking import cause_line

    if "script" in found:
        return [f"{found['name']}: {found['line']}", f"  {found['run']}"]
    if found["state"] == "empty":
        return [f"{found['name']}: nothing was run yet"]
    said = f"{found['name']}: {found['state']}, {number(found['done'])} of {tasks(found['tasks'])} done"
    if found["failed"]:
        said += f", {number(found['failed'])} failed"
    if found["missing"]:
        said += f", {number(found['missing'])} missing"
    if found.get("process"):
        said += f" (process {found['process']})"
    rows = [said]
    if found.get("jobs"):
        rows += _job_lines(found["jobs"])
    rows += ["  " + cause_line(group) for group in found["causes"][:8]]
    if found["unchecked"]:
        rows.append("  its checks were left out (--unchecked)")
    rows.append(f"  {found['run']}")
    return rows


def _job_lines(jobs: dict[str, Any]) -> list[str]:
    """Return how a run's jobs stand on its site."""
    rows = [f"{jobs['site']}: {jobs['line']}", *jobs["story"]]
    if jobs["words"]:
        rows.append(f"no job began to work; one said: {jobs['words']}")
    rows += [one for one in (jobs["why"], jobs["hint"]) if one]
    return [f"  {row}" for row in rows]


@click.command(name="runs")
@json_option
def runs_command(as_json: bool) -> None:
    """List the runs under runs/, the newest first."""
    from packhorse.app.looking import runs

    found = runs(Path.cwd())
    if as_json:
        as_object({"runs": found})
        return
    if not found:
        say("no run here yet; packhorse run study.yaml makes one")
    for one in found:
        if one["state"] == "unreadable":
            say(f"{one['name']}: cannot be read: {one['why']}")
        elif "script" in one:
            say(f"{Path(one['run']).name}: {one['state']}, {one['script']} on {one['site']}")
        else:
            done = f"{number(one.get('done', 0))} of {tasks(one['tasks'])} done"
            failed = f", {number(one['failed'])} failed" if one.get("failed") else ""
            # The folder's name is what other commands take; a script that ran twice has two.
            say(f"{Path(one['run']).name}: {one['state']}, {done}{failed}")


@click.command(name="logs")
@click.argument("run", required=False, metavar="[RUN|SITE:JOB]")
@task_option
@click.option("--failed", is_flag=True, help="What failed tasks printed, up to twenty (the default).")
@where_option
@click.option("--follow", is_flag=True, help="Of a job: show what it prints as it comes, until it ends.")
@json_option
def logs_command(
    run: str | None, task: int | None, failed: bool, where: tuple[str, ...], follow: bool, as_json: bool
) -> None:
    """Show what a task printed; without --task, what failed tasks printed.

    SITE:JOB shows what a job of yours printed, also one that you submitted by hand.
    """
    from packhorse.app.looking import logs

    job = job_of(run) or _own_job(run)
    if job is not None:
        _job_logs(job, follow=follow, as_json=as_json)
        return
    if follow:
        raise UsageError("--follow is for a job: SITE:JOB", "packhorse run STUDY --site SITE follows a run")
    found = logs(Path.cwd(), run, task, where, failed=failed)
    if as_json:
        as_object({"logs": [{"task": index, "text": text} for index, text in found]})
        return
    if not found:
        say("no task failed; to see one: packhorse logs RUN --task 0")
    for index, text in found:
        if not text.startswith("== task"):
            say(f"== task {index} ==")
        say(text.rstrip("\n"))


def _own_job(run: str | None) -> Named | None:
    """Return the job of a run that is a script of the user's own."""
    from packhorse.run.directory import find_run
    from packhorse.run.ownjobs import own_job

    found = find_run(Path.cwd(), run)
    if own_job(found) is None:
        return None
    from packhorse.app.ownruns import named

    return named(found)


def _job_logs(job: Named, *, follow: bool, as_json: bool) -> None:
    from packhorse.app.byhand import follow_job, logs_of_job

    if follow:
        follow_job(job, lambda text: print(text, end="", flush=True))
        return
    found, more = logs_of_job(job)
    if as_json:
        as_object({"logs": [{"heading": heading, "text": text} for heading, text in found]})
        return
    for heading, text in found:
        if heading:
            say(heading)
        say(text.rstrip("\n"))
    if more:
        say(more)


@click.command(name="explain")
@run_argument
@task_option
@where_option
@json_option
def explain_command(run: str | None, task: int | None, where: tuple[str, ...], as_json: bool) -> None:
    """Say what a task ran, where, with what, and how to repeat it by hand."""
    from packhorse.app.looking import explain

    found = explain(Path.cwd(), run, task, where)
    if as_json:
        as_object(found)
        return
    record = found.get("record", {})
    say(f"task {found['task']} of {found['run']}: {found['state']}")
    for name, value in found["parameters"].items():
        say(f"  {name} = {value}")
    say(f"  replicate {found['replicate']}, seed {found['seed']} (31 bits: {found['seed32']})")
    if record:
        wall, cpu = record.get("wall", 0), record.get("cpu", 0)
        say(
            f"  on {found['host']} in wave {found['wave']}:"
            f" {wall:g} s wall, {cpu:g} s CPU, {record.get('memory', 0) // 1024} MiB"
        )
    if record.get("cause"):
        say(f"  cause: {record['cause']}")
    say(f"  code {found['code']}, environment {found['environment'] or 'none'}, python {found['python']}")
    say(f"to repeat it by hand{' on ' + found['site'] if found['site'] else ''}:")
    for row in found["repeat"]:
        say(f"  {row}")


@click.command(name="provenance")
@run_argument
@json_option
def provenance_command(run: str | None, as_json: bool) -> None:
    """Show what made the results of a run: code, environment, machine, data."""
    from packhorse.app.looking import provenance

    found = provenance(Path.cwd(), run)
    if as_json:
        as_object(found)
        return
    for row in provenance_lines(found):
        say(row)


def provenance_lines(found: dict[str, Any]) -> list[str]:
    """Return the provenance as sentences; `--json` has all of it."""
    git, machine = found.get("git") or {}, found.get("machine") or {}
    rows = [f"study {found['study'].get('name', '')}, planned {found.get('created', '')}"]
    if git.get("summary"):
        rows.append(f"  {git['summary']}")
    for language in ("python", "r", "program"):
        about = found["environment"].get(language)
        if about:
            packages = f", {len(about['packages'])} packages" if about.get("packages") else ""
            rows.append(f"  {language} {about.get('version') or about.get('path', '')}{packages}")
    rows.append(f"  machine {machine.get('host', '')}, {machine.get('cpu', '')}, {machine.get('os', '')}")
    for name, about in (found.get("data") or {}).items():
        rows.append(f"  data {name}: sha256 {about['sha256'][:16]}, {about['bytes']:,} bytes")
    for one in found["checks"]:
        rows.append(f"  check passed {one['passed']}: {one['command']}")
    for wave in found["waves"]:
        unchecked = ", checks left out" if wave["unchecked"] else ""
        rows.append(
            f"  wave {wave['wave']} ({wave['kind']}) {wave['created']}:"
            f" {tasks(wave['tasks'])}, code {wave['code']}{unchecked}"
        )
    return rows
