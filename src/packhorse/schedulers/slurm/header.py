"""Reading the #SBATCH lines of a script that a user wrote; sbatch(1)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from packhorse.model.job import Request
from packhorse.schedulers.script_headers import ScriptHeader, notes, options
from packhorse.schedulers.slurm.fields import elements, number, whole_seconds

LONG = {
    "-A": "--account",
    "-a": "--array",
    "-c": "--cpus-per-task",
    "-D": "--chdir",
    "-e": "--error",
    "-G": "--gpus",
    "-J": "--job-name",
    "-N": "--nodes",
    "-n": "--ntasks",
    "-o": "--output",
    "-p": "--partition",
    "-q": "--qos",
    "-t": "--time",
}
FLAGS = "HhIOQsvVWk"  # short options that take no value
_SIZE = re.compile(r"(\d+)([KMGT]?)B?", re.IGNORECASE)
_IN_MIB = {"": 1.0, "K": 1 / 1024, "M": 1.0, "G": 1024.0, "T": 1024.0**2}


def read_header(text: str) -> ScriptHeader:
    """Return what a script asks for; of an option that stands there twice the last counts."""
    said = {LONG.get(one.name, one.name): one.value for one in options(text, "#SBATCH", FLAGS)}
    return ScriptHeader(request=_request(said), folder=said.get("--chdir", ""), notes=notes(text, "#SBATCH"))


def _request(said: Mapping[str, str]) -> Request:
    nodes = number(said.get("--nodes", "1").partition("-")[0]) or 1
    # How many processes come to a node is only known where somebody says it, or where there is one node.
    tasks = number(said.get("--ntasks-per-node", ""))
    if tasks is None:
        all_tasks = number(said.get("--ntasks", "")) or nodes
        tasks = -(-all_tasks // nodes) if "--nodes" in said else 1
    gpus, gres = _gpus(said, nodes)
    ranges = tuple((one.start, one[-1], one.step) for one in elements(said.get("--array", "")) if len(one))
    return Request(
        name=said.get("--job-name", ""),
        indices=ranges,
        partition=said.get("--partition", ""),  # of several the job goes to one where it starts first
        account=said.get("--account", ""),
        qos=said.get("--qos", ""),
        nodes=nodes,
        tasks=tasks,
        cores=tasks * (number(said.get("--cpus-per-task", "")) or 1),
        memory=mebibytes(said.get("--mem", "")),
        core_memory=mebibytes(said.get("--mem-per-cpu", "")),
        gpus=gpus,
        gres=gres,
        seconds=duration(said.get("--time", "")),
        whole_nodes="--exclusive" in said,
        output=said.get("--output", ""),
        error=said.get("--error", ""),
    )


def _gpus(said: Mapping[str, str], nodes: int) -> tuple[int, str]:
    """Return the GPUs on a node, and what they are called: gpu, gpu:a100."""
    for key, per_node in (("--gpus-per-node", True), ("--gpus", False)):
        kind, _, count = said.get(key, "").rpartition(":")
        if number(count) is not None:
            whole = int(count)
            return whole if per_node else -(-whole // nodes), f"gpu:{kind}" if kind else "gpu"
    for part in said.get("--gres", "").split(","):
        name, _, count = part.rpartition(":")
        if part.partition(":")[0] == "gpu":
            return (int(count), name) if number(count) is not None else (1, part)
    return 0, "gpu"


def duration(text: str) -> int | None:
    """Return the seconds of a --time: 20 (minutes), 20:30, 1:00:00, 1-12, 1-12:30; None where there is no limit."""
    days, dash, rest = text.partition("-")
    if dash and number(days) is not None and number(rest) is not None:
        return int(days) * 86400 + int(rest) * 3600
    if number(text) is not None:
        return int(text) * 60 or None
    return whole_seconds(text)


def mebibytes(text: str) -> int | None:
    """Return the MiB of --mem: 4000, 4G; None for nothing, and for 0, which is all there is."""
    found = _SIZE.fullmatch(text)
    return round(int(found[1]) * _IN_MIB[found[2].upper()]) or None if found else None
