"""Parse the #SBATCH lines of a user's script; sbatch(1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from packhorse.jobscript.values import slurm_mebibytes, slurm_seconds
from packhorse.model.job import Request
from packhorse.schedulers.script_headers import Option, ScriptHeader, header_options, notes
from packhorse.schedulers.slurm.fields import elements, number
from packhorse.schedulers.slurm.user_options import LOSES_JOB, long_name

ALSO_READ = ("#PBS", "#BSUB")  # sbatch(1), --ignore-pbs
PATHS = ("--output", "--error", "--chdir")
_VARIABLE = re.compile(r"\$\{?[A-Za-z_]")


def read_header(text: str) -> ScriptHeader:
    """Return what the #SBATCH lines of a script ask for; the last of repeated options counts."""
    found = header_options(text, "#SBATCH")
    options = {option.name: option.value for option in found}
    return ScriptHeader(
        request=_request(options),
        folder=options.get("--chdir", ""),
        notes=notes(text, "#SBATCH", ALSO_READ),
        refusals=tuple(_refusals(found)),
    )


def _refusals(options: Iterable[Option]) -> Iterator[str]:
    """Yield a sentence for each option with which the job is not found again, or ends without a word."""
    for option in options:
        name = long_name(option.name, (*LOSES_JOB, *PATHS))
        if name in LOSES_JOB:
            yield f"line {option.line}: {name} cannot be in a script for packhorse submit: {LOSES_JOB[name]}"
        elif name in PATHS and (option.value.startswith("~") or _VARIABLE.search(option.value)):
            yield (
                f"line {option.line}: sbatch does not expand {option.value!r}, and a job without that folder ends without a"
                " message; write the path, with %u for your user name, %x for the job's name and %j for its number"
            )


def _request(options: Mapping[str, str]) -> Request:
    nodes = number(options.get("--nodes", "1").partition("-")[0]) or 1
    # The number of processes per node is known only if the script states it, or has one node.
    tasks = number(options.get("--ntasks-per-node", "") or options.get("--tasks-per-node", ""))
    if tasks is None:
        all_tasks = number(options.get("--ntasks", "")) or nodes
        tasks = -(-all_tasks // nodes) if "--nodes" in options else 1
    gpus, gres = _gpus(options, nodes)
    ranges = tuple((one.start, one[-1], one.step) for one in elements(options.get("--array", "")) if len(one))
    return Request(
        name=options.get("--job-name", ""),
        indices=ranges,
        partition=options.get("--partition", ""),  # of several the job goes to one where it starts first
        account=options.get("--account", ""),
        qos=options.get("--qos", ""),
        nodes=nodes,
        tasks=tasks,
        cores=tasks * (number(options.get("--cpus-per-task", "")) or 1),
        memory=mebibytes(options.get("--mem", "")),
        core_memory=mebibytes(options.get("--mem-per-cpu", "")),
        gpus=gpus,
        gres=gres,
        seconds=duration(options.get("--time", "")),
        whole_nodes="--exclusive" in options,
        output=options.get("--output", ""),
        error=options.get("--error", ""),
    )


def _gpus(options: Mapping[str, str], nodes: int) -> tuple[int, str]:
    """Return the number of GPUs on a node and their name: gpu, gpu:a100."""
    for key, per_node in (("--gpus-per-node", True), ("--gpus", False)):
        kind, _, count = options.get(key, "").rpartition(":")
        if number(count) is not None:
            whole = int(count)
            return whole if per_node else -(-whole // nodes), f"gpu:{kind}" if kind else "gpu"
    for part in options.get("--gres", "").split(","):
        name, _, count = part.rpartition(":")
        if part.partition(":")[0] == "gpu":
            return (int(count), name) if number(count) is not None else (1, part)
    return 0, "gpu"


def duration(text: str) -> int | None:
    """Return the seconds of a --time: 20 (minutes), 20:30, 1:00:00, 1-12, 1-12:30; None: no limit."""
    seconds = slurm_seconds(text)
    return seconds if seconds is not None and seconds > 0 else None


def mebibytes(text: str) -> int | None:
    """Return the MiB of --mem: 4000, 4G; None for other text, and for 0, which means all of a node."""
    size = slurm_mebibytes(text)
    return None if size is None else round(size) or None
