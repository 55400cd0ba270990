"""Rules of a site: what its scheduler refuses, or never starts."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from msgspec.structs import replace

from packhorse.lint.job import Job
from packhorse.lint.rule import Note, rule
from packhorse.plan.choice import Choice
from packhorse.plan.job_limits import place_job
from packhorse.schedulers import scheduler

# The options by which a request is written, so that a finding is at its line.
_WRITTEN = {
    "time": ("time", "l"),
    "memory": ("mem", "mem-per-cpu", "l"),
    "cores": ("cpus-per-task", "ntasks", "ntasks-per-node", "l"),
    "nodes": ("nodes", "l"),
    "gpus": ("gres", "gpus", "gpus-per-node", "l"),
    "partition": ("partition", "q"),
    "array": ("array", "t", "J"),
    "submit": ("array", "t", "J"),
}


def _reasons(job: Job, *kinds: str) -> Iterator[Note]:
    """Yield why the site refuses the job, as far as it is of these kinds."""
    site, script = job.site, job.script
    if site is None or site.scheduler == "local" or not script.directives or script.is_template:
        return
    if any(option.component for option in script.options) or any(option.fault for option in script.options):
        return  # parts that differ, or refused for another reason
    for reason in _placed(job).reasons:
        if reason.what in kinds:
            names = _WRITTEN.get(reason.what, ())
            option = next((one for one in map(script.option, names) if one is not None), None)
            line, column = (option.line, option.start) if option else (script.directives[0].line, 0)
            yield Note(message=reason.text, line=line, column=column, advice=reason.advice)


def _placed(job: Job) -> Choice:
    """Return the partition of the job; of several that it names the first that accepts it."""
    assert job.site is not None
    dialect = scheduler(job.site.scheduler)
    request = dialect.read_header(_plain_header(job)).request
    usual = next((one.name for one in job.site.partitions if one.default), "")
    named = request.partition.split(",") if request.partition else [usual]
    choices = [place_job(replace(request, partition=name), job.site) for name in named]
    return next((one for one in choices if one.partition is not None), choices[0])


def _plain_header(job: Job) -> str:
    """Return the header with one option a line, without abbreviations and comments."""
    rows = ["#!/bin/bash"]
    for option in job.script.options:
        value = shlex.quote(option.value) if option.value is not None else ""
        if job.script.dialect == "slurm":
            rows.append(f"#SBATCH --{option.name}" + (f"={value}" if value else ""))
        else:
            rows.append(f"#PBS -{option.name} {value}")
    return "\n".join(rows) + "\n"


@rule("J17", "error", "The requested time is longer than the partition allows.")
def time_limit(job: Job) -> Iterator[Note]:
    """Request less time, another partition, or let the program continue from a checkpoint.

    The scheduler refuses the job, or never starts it. The rule needs `--site`.
    """
    yield from _reasons(job, "time")


@rule("J21", "error", "No node of the site has what is requested.")
def node_limits(job: Job) -> Iterator[Note]:
    """Request what the nodes of the partition have: cores, memory, GPUs.

    The scheduler refuses the job, or never starts it. `packhorse sites show NAME` lists the limits. The rule needs
    `--site`.
    """
    yield from _reasons(job, "memory", "cores", "gpus", "nodes", "core-hours")


@rule("J23", "warning", "The site needs an account, and the script names none.")
def account(job: Job) -> Iterator[Note]:
    """Name the account: `#SBATCH --account=NAME`, or `sbatch --account=NAME`.

    Without it the site refuses the job. The rule needs `--site`.
    """
    yield from _reasons(job, "account")


@rule("J24", "error", "The site does not have this partition.")
def partition(job: Job) -> Iterator[Note]:
    """Use a partition that the site has; `packhorse sites show NAME` lists them.

    Scripts from another cluster, and partitions that were renamed, are refused. The rule needs `--site`.
    """
    yield from _reasons(job, "partition")


@rule("J37", "error", "The array is larger than the site allows.")
def array_size(job: Job) -> Iterator[Note]:
    """Use smaller indices, or several arrays.

    The largest index must be below MaxArraySize of Slurm, and all tasks count as jobs of the user. The rule needs
    `--site`.
    """
    yield from _reasons(job, "array", "submit")


@rule("J69", "warning", "The site does not have this version of a module.")
def module_version(job: Job) -> Iterator[Note]:
    """Load a version that the site has: `packhorse modules SITE` lists them.

    `module load` of a version that is not there fails, and the script runs on with the software of the system. The rule
    needs `--site`, and is silent for modules of which the site's file has no version,
    or has doubts.
    """
    if job.site is None or job.site.modules.doubt:
        return
    for command in job.shell.commands:
        if command.name != "module" or len(command.words) < 3 or command.words[1].text not in {"load", "add"}:
            continue
        for word in command.words[2:]:
            name, slash, _ = word.text.partition("/")
            known = [one for one in job.site.modules.known if one.partition("/")[0] == name]
            if slash and known and word.text not in known and word.literal is not None:
                yield Note(
                    message=f"{word.text} is not among the modules known at {job.site.name}",
                    line=word.line,
                    column=word.start,
                    advice=", ".join(known),
                )
