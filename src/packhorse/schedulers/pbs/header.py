"""Parse the #PBS lines of a user's script for TORQUE, PBS Pro and OpenPBS; qsub(1), pbs_resources(7)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from packhorse.jobscript.values import pbs_seconds
from packhorse.model.job import Request
from packhorse.schedulers.pbs.user_options import LOSES_JOB, split
from packhorse.schedulers.quantities import mebibytes
from packhorse.schedulers.script_headers import ScriptHeader, header_options, notes

_RANGE = re.compile(r"(\d+)(?:-(\d+)(?::(\d+))?)?")


def read_header(text: str) -> ScriptHeader:
    """Return what the #PBS lines of a script ask for."""
    options: dict[str, str] = {}
    resources: dict[str, str] = {}
    found = header_options(text, "#PBS")
    for option in found:
        if option.name == "-l":
            resources |= _resources(option.value)
        else:
            options[option.name] = option.value
    return ScriptHeader(
        request=_request(options, resources),
        folder=options.get("-d", "") or options.get("-w", ""),
        notes=notes(text, "#PBS"),
        refusals=tuple(
            f"line {part.line}: {part.name} cannot be in a script for packhorse submit: {LOSES_JOB[part.name]}"
            for option in found
            for part in split(option)
            if part.name in LOSES_JOB
        ),
    )


def _resources(text: str) -> dict[str, str]:
    """Return `nodes=2:ppn=4,walltime=1:00:00` by names; a chunk keeps its count and colons."""
    return {name: value for name, _, value in (part.partition("=") for part in text.split(","))}


def _request(options: Mapping[str, str], resources: Mapping[str, str]) -> Request:
    nodes, chunk = _nodes(resources)
    cores = int(chunk.get("ppn") or chunk.get("ncpus") or resources.get("ncpus") or 1)
    gpus = chunk.get("gpus") or chunk.get("ngpus") or "0"
    # TORQUE's mem is that of the whole job, a chunk's that of a node.
    whole = mebibytes(resources.get("mem", "")) or mebibytes(resources.get("vmem", ""))
    return Request(
        name=options.get("-N", ""),
        indices=_indices(options.get("-t") or options.get("-J") or ""),
        partition=options.get("-q", "").partition("@")[0],
        account=options.get("-A", "") or options.get("-P", ""),
        nodes=nodes,
        cores=cores,
        tasks=int(chunk.get("mpiprocs") or 1),
        memory=mebibytes(chunk.get("mem", "")) or (whole and -(-whole // nodes)),
        core_memory=mebibytes(resources.get("pmem", "")),
        gpus=int(gpus) if gpus.isdigit() else 0,
        seconds=pbs_seconds(resources.get("walltime", "")),
        output=_path(options.get("-o", "")),
        error=_path(options.get("-e", "")),
    )


def _nodes(resources: Mapping[str, str]) -> tuple[int, dict[str, str]]:
    """Return how many nodes, and the request on each: of several kinds of chunks the first."""
    count, *parts = (resources.get("nodes") or resources.get("select") or "1").partition("+")[0].split(":")
    chunk = {name: value for name, _, value in (part.partition("=") for part in parts)}
    known = {name: value for name, value in chunk.items() if name == "mem" or value.isdigit()}
    return (int(count) or 1) if count.isdigit() else 1, known


def _indices(text: str) -> tuple[tuple[int, int, int], ...]:
    found = []
    for part in text.partition("%")[0].split(","):
        match = _RANGE.fullmatch(part.strip())
        if match:
            found.append((int(match[1]), int(match[2] or match[1]), int(match[3] or 1)))
    return tuple(found)


def _path(text: str) -> str:
    """Return a path without the host before it."""
    host, colon, rest = text.partition(":")
    return rest if colon and "/" not in host else text
