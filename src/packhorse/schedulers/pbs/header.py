"""Reading the #PBS lines of a script that a user wrote, for TORQUE, PBS Pro and OpenPBS; qsub(1), pbs_resources(7)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from packhorse.model.job import Request
from packhorse.schedulers.quantities import mebibytes, seconds
from packhorse.schedulers.script_headers import ScriptHeader, notes, options

FLAGS = "hIVXzf"  # options that take no value
_RANGE = re.compile(r"(\d+)(?:-(\d+)(?::(\d+))?)?")


def read_header(text: str) -> ScriptHeader:
    """Return what a script asks for."""
    said: dict[str, str] = {}
    asked: dict[str, str] = {}
    for one in options(text, "#PBS", FLAGS):
        if one.name == "-l":
            asked |= _resources(one.value)
        else:
            said[one.name] = one.value
    return ScriptHeader(
        request=_request(said, asked),
        folder=said.get("-d", "") or said.get("-w", ""),
        notes=notes(text, "#PBS"),
    )


def _resources(text: str) -> dict[str, str]:
    """Return `nodes=2:ppn=4,walltime=1:00:00` by names; what stands in a chunk keeps its name, with the count before."""
    return {name: value for name, _, value in (part.partition("=") for part in text.split(","))}


def _request(said: Mapping[str, str], asked: Mapping[str, str]) -> Request:
    nodes, chunk = _nodes(asked)
    cores = int(chunk.get("ppn") or chunk.get("ncpus") or asked.get("ncpus") or 1)
    gpus = chunk.get("gpus") or chunk.get("ngpus") or "0"
    # TORQUE's mem is that of the whole job, a chunk's that of a node.
    whole = mebibytes(asked.get("mem", "")) or mebibytes(asked.get("vmem", ""))
    return Request(
        name=said.get("-N", ""),
        indices=_indices(said.get("-t") or said.get("-J") or ""),
        partition=said.get("-q", "").partition("@")[0],
        account=said.get("-A", "") or said.get("-P", ""),
        nodes=nodes,
        cores=cores,
        tasks=int(chunk.get("mpiprocs") or 1),
        memory=mebibytes(chunk.get("mem", "")) or (whole and -(-whole // nodes)),
        core_memory=mebibytes(asked.get("pmem", "")),
        gpus=int(gpus) if gpus.isdigit() else 0,
        seconds=seconds(asked.get("walltime", "")),
        output=_path(said.get("-o", "")),
        error=_path(said.get("-e", "")),
    )


def _nodes(asked: Mapping[str, str]) -> tuple[int, dict[str, str]]:
    """Return how many nodes, and what is asked on each: of several kinds of chunks the first."""
    count, *words = (asked.get("nodes") or asked.get("select") or "1").partition("+")[0].split(":")
    chunk = {name: value for name, _, value in (word.partition("=") for word in words)}
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
