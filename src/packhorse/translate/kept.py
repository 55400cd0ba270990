"""What earlier translations left as comments in a script, and is read again by later ones."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from packhorse.jobscript.directives import Directive, Word
from packhorse.jobscript.options import Option, slurm_options
from packhorse.jobscript.script import JobScript
from packhorse.translate.read_slurm import read_slurm
from packhorse.translate.request import Asked, Resources, Scheduler

MARK = "  # packhorse translate: "
_KEPT = re.compile(r"##(SBATCH|PBS) (.+?)  # packhorse translate: .*")
_SHAPE = {"ntasks", "ntasks-per-node", "cpus-per-task", "gpus-per-node", "constraint"}


class Kept(Struct, frozen=True):
    """A directive that an earlier translation left as a comment."""

    line: int
    text: str  # as a directive now; empty: it was taken into the resources


def with_kept(script: JobScript, asked: Asked, to: Scheduler) -> tuple[Asked, dict[int, Kept]]:
    """Return the requests with what earlier translations kept, where it still agrees with them."""
    kept: dict[int, Kept] = {}
    for line in script.lines:
        found = _KEPT.fullmatch(line.text.strip())
        if not found:
            continue
        sentinel, text = found[1], found[2]
        options = _parse(text) if sentinel == "SBATCH" else ()
        names = {one.name for one in options}
        if sentinel == "SBATCH" and names and names <= _SHAPE:
            better = _shaped(asked.resources, options)
            if better is not None:
                asked = replace(
                    asked, resources=better, notes=tuple(n for n in asked.notes if n.kind != "assumed")
                )
                kept[line.number] = Kept(line.number, "")
        elif (sentinel == "SBATCH") == (to == "slurm"):
            kept[line.number] = Kept(line.number, f"#{sentinel} {text}")
    return asked, kept


def _parse(text: str) -> tuple[Option, ...]:
    words = tuple(Word(word.strip('"'), 1, 0, 0) for word in text.split())
    return slurm_options([Directive(dialect="slurm", line=1, last_line=1, sentinel="", words=words)])


def _shaped(asked: Resources, options: Sequence[Option]) -> Resources | None:
    """Return resources with the division that options state; None where the cores are others now."""
    said = read_slurm(options).resources
    if said.gpu_kind:
        return replace(asked, gpu_kind=said.gpu_kind) if said.gpus == asked.gpus else None
    if said.features:
        return replace(asked, features=said.features)
    before = asked.per_node * (asked.cores or 1) if asked.nodes else asked.total * (asked.cores or 1)
    per = said.tasks_per_node or said.tasks or 1
    if said.tasks is not None and asked.nodes:
        before *= asked.nodes
    if per * (said.cores or 1) != before:
        return None
    if said.tasks is not None:
        return replace(
            _spread(asked, per * (said.cores or 1)),
            nodes=None,
            tasks=said.tasks,
            tasks_per_node=None,
            cores=said.cores,
        )
    return replace(asked, tasks_per_node=said.tasks_per_node, tasks=None, cores=said.cores)


def _spread(asked: Resources, cores: int) -> Resources:
    """Return resources whose memory is for each core, since the nodes are not stated."""
    if asked.node_memory is None:
        return asked
    return replace(asked, node_memory=None, core_memory=-(-asked.node_memory * (asked.nodes or 1) // cores))
