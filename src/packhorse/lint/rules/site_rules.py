"""Rules of a site's customs and versions: what is accepted there, and then does not do what was meant."""

from __future__ import annotations

import re
from collections.abc import Iterator

from packhorse.jobscript.lines import Edit
from packhorse.lint.job import Job, note
from packhorse.lint.rule import Note, rule
from packhorse.text.amounts import counted, size

# srun took the cores of a task from the job before 22.05 (man srun of 22.05, --cpus-per-task), and does again since 23.11
# (issue 41 of the Slurm executor of Snakemake).
_SRUN_FORGETS = ((22, 5), (23, 11))
_LITTLE = 1024  # MiB


@rule("J15", "warning", "srun gives the program one core of the job's.")
def srun_cores(job: Job) -> Iterator[Note]:
    """Give the number of cores to srun as well: `srun --cpus-per-task=$SLURM_CPUS_PER_TASK`.

    From Slurm 22.05 to 23.02 srun does not take `--cpus-per-task` from the job, so that the program gets one core. Since
    23.11 it does. The option does no harm there.

    The rule needs `--site`, whose version decides. `SRUN_CPUS_PER_TASK` in the script, and srun with other requests, are
    right. The fix adds the option. It is safe.
    """
    value, version = job.script.value("cpus-per-task"), job.version
    if version is None or not _SRUN_FORGETS[0] <= version < _SRUN_FORGETS[1]:
        return
    if not value.isdigit() or int(value) < 2 or job.mentions("SRUN_CPUS_PER_TASK"):
        return
    for command in job.shell.commands:
        word = next((one for one in command.words if one.text == "srun"), None)
        if word is None or command.launcher != "srun":
            continue
        options = [one.text for one in command.words[: len(command.words) - len(command.program)]]
        if any(re.match(r"-c|-n|--c|--nt|--exact|--overlap|--exclusive|-N", one) for one in options):
            continue
        option = " --cpus-per-task=$SLURM_CPUS_PER_TASK"
        yield Note(
            message=f"srun starts the program on one of {counted(int(value), 'core')}",
            line=word.line,
            column=word.start,
            edits=(Edit(word.line, word.end, word.end, option),),
        )


_LARGE = re.compile(
    r"(?m)^\s*(?:(?:import|from)\s+|library\(|require\()(torch|tensorflow|keras|jax|transformers|Seurat)\b"
)


@rule("J19", "hint", "No memory is requested, and the site gives little.")
def small_default(job: Job) -> Iterator[Note]:
    """Request memory: `--mem=4G`, or what `packhorse efficiency JOB` shows of a job that has run.

    The scheduler kills a program that uses more than it was given.

    The rule needs `--site`. It speaks where the site's default is less than 1 GiB, and the program loads a package that
    needs hundreds of MiB itself (torch, tensorflow, jax, Seurat); other programs may be right without a request.
    """
    site, script = job.site, job.script
    if site is None or script.dialect != "slurm" or not script.directives or script.is_template:
        return
    if site.default_memory is None or site.default_memory >= _LITTLE:
        return
    if any(script.option(name) for name in ("mem", "mem-per-cpu", "mem-per-gpu", "exclusive")):
        return
    for path, text in job.sources.items():
        if found := _LARGE.search(text):
            given = size(site.default_memory)
            yield Note(
                message=f"without --mem the job gets {given} at {site.name}, and {path} loads {found[1]}",
                line=script.directives[0].line,
            )
            return


@rule("J31", "warning", "The shell of a job does not know module before the site's set-up.")
def site_setup(job: Job) -> Iterator[Note]:
    """Run the site's set-up before the first `module`: at Lancaster `source /etc/profile`.

    The shell of a job is not a login shell there, so that `module` is not defined: the script runs on with the software of
    the system. The rule needs `--site`, and is silent for login shells (`#!/bin/bash -l`).

    The fix adds the site's line above the first `module`. It is safe.
    """
    site = job.site
    first = job.script.lines[0].text if job.script.lines else ""
    if site is None or not job.script.dialect or re.search(r"\s-\w*l|--login", first):
        return
    wanted = [line for line in (*site.modules.setup, *site.setup) if line.startswith(("source ", ". "))]
    used = next((one for one in job.shell.commands if one.name in {"module", "ml"}), None)
    if not wanted or used is None or "module" in job.shell.functions:
        return
    if any(one.name in {"source", "."} and one.line <= used.line for one in job.shell.commands):
        return  # the site's line, or a file that may do the same
    row = job.script.lines[used.line - 1]
    indent = row.text[: len(row.text) - len(row.text.lstrip())]
    text = f"{indent}{wanted[0]}{row.end or chr(10)}{row.text}{row.end}"
    yield Note(
        message=f"{used.name} is not defined at {site.name} before {wanted[0]}",
        line=used.line,
        column=used.start,
        edits=(Edit(used.line, 0, 0, text, whole=True),) if row.text.strip().startswith(used.name) else (),
        advice=f"{wanted[0]} above",
    )


_TRACKERS = re.compile(r"(?m)^\s*(?:import|from)\s+(wandb|comet_ml|neptune)\b")


@rule("J48", "warning", "The program reports to a tracker that the nodes cannot reach.")
def online_tracker(job: Job) -> Iterator[Note]:
    """Let the tracker write to files: `export WANDB_MODE=offline`, and `wandb sync` on a login node afterwards.

    Jobs of this site have no internet access, and the program waits for the tracker, or fails.

    The rule needs `--site`. It is silent where the script or the program has a word for offline or disabled.
    """
    if job.site is None or job.site.compute_internet is not False:
        return
    if job.mentions(r"(?i)offline|disabled|WANDB_MODE|NEPTUNE_MODE|https?_proxy"):
        return
    for command in job.programs:
        for path, text in job.sources.items():
            found = _TRACKERS.search(text)
            if found and any(word.text == path for word in command.words):
                yield Note(
                    message=f"{path} uses {found[1]}, and jobs of {job.site.name} have no internet access",
                    line=command.line,
                    column=command.start,
                    advice="export WANDB_MODE=offline above" if found[1] == "wandb" else "its offline mode",
                )


@rule("J72", "hint", "A job of one core is in the partition for parallel jobs.")
def serial_in_parallel(job: Job) -> Iterator[Note]:
    """Send jobs of one core to the partition that the site has for them.

    They start sooner there, and do not split the nodes that parallel jobs need whole. The rule needs `--site`.
    """
    script, option = job.script, job.script.option("partition")
    if job.site is None or option is None or script.dialect != "slurm":
        return
    if any(
        script.option(name)
        for name in ("exclusive", "gres", "gpus", "gpus-per-node", "mem", "mem-per-cpu", "constraint")
    ):
        return
    if any(
        script.value(name) not in {"", "1"}
        for name in (
            "nodes",
            "ntasks",
            "ntasks-per-node",
            "cpus-per-task",
            "ntasks-per-core",
            "ntasks-per-socket",
        )
    ):
        return
    partition = job.site.partition(option.value or "")
    serial = next((one for one in job.site.partitions if one.purpose == ("serial",)), None)
    if partition is not None and serial is not None and partition.purpose == ("parallel",):
        yield note(
            option,
            f"{partition.name} is for parallel jobs, and this one has one core",
            advice=f"--partition={serial.name}",
        )


@rule("J22", "warning", "The requested memory has no effect in an exclusive job of the site.")
def exclusive_memory(job: Job) -> Iterator[Note]:
    """Request the kind of nodes whose memory the job needs: `#SBATCH --constraint=node_type=64core256G`.

    Some sites place an exclusive job that names no kind on their smallest nodes, with all their memory, whatever
    `--mem` says: a job that needs more is killed there.

    The rule needs `--site`, and is silent for partitions without `exclusive_kind` in the site's file.
    """
    script = job.script
    if job.site is None or script.option("exclusive") is None or script.option("constraint"):
        return
    partition = job.site.partition(script.value("partition"))
    memory = script.option("mem") or script.option("mem-per-cpu")
    if partition is None or not partition.exclusive_kind or memory is None:
        return
    others = [one.constraint for one in partition.kinds if one.constraint]
    yield note(
        memory,
        f"an exclusive job of {partition.name} gets nodes of {partition.exclusive_kind}, with all their memory",
        advice=f"--constraint={others[-1]}, or another kind" if others else "",
    )


_MACHINES = re.compile(r"(?<![a-zA-Z0-9])(x86_64|aarch64|ppc64le)(?![a-zA-Z0-9])")


@rule("J27", "warning", "The script uses programs for another type of machine.")
def other_machine(job: Job) -> Iterator[Note]:
    """Use programs and environments that were made for the nodes of the partition.

    A program for another processor does not start: `cannot execute binary file: Exec format error`. An environment with
    compiled packages works only on the machine type on which it was made; make one for each.

    Example: `source ~/envs/ppc64le/bin/activate` in a partition of aarch64 nodes.

    The rule needs `--site`, and sees machine types in the words of commands and in variables. It is silent where the
    script asks for the type (`uname`, `arch`), and in branches.
    """
    partition = job.site.partition(job.script.value("partition")) if job.site is not None else None
    if partition is None or not partition.machine or job.mentions(r"\buname\b|\barch\b"):
        return
    here = [one for one in job.shell.commands if not one.where.conditional and not one.where.function]
    tokens = [word for one in here if one.name not in {"echo", "printf"} for word in one.words]
    tokens += [one.value for one in job.shell.assignments if not one.where.conditional]
    for word in tokens:
        types = set(_MACHINES.findall(word.raw))
        if types and partition.machine not in types:
            yield Note(
                message=f"{word.text} is for {', '.join(sorted(types))}; {partition.name} is {partition.machine}",
                line=word.line,
                column=word.start,
            )
