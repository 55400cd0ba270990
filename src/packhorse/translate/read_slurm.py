"""Read what #SBATCH lines, or the options of a call of sbatch, ask for; sbatch(1)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from packhorse.jobscript.options import Option
from packhorse.jobscript.values import UNLIMITED, slurm_mebibytes, slurm_seconds
from packhorse.translate.request import Asked, Item, Note, Resources

RESOURCES = {
    "nodes",
    "ntasks",
    "ntasks-per-node",
    "tasks-per-node",
    "cpus-per-task",
    "mem",
    "mem-per-cpu",
    "gres",
    "gpus",
    "gpus-per-node",
    "gpus-per-task",
    "exclusive",
    "constraint",
    "nodelist",
}
_NUMBERS = {
    "nodes": "nodes",
    "ntasks": "tasks",
    "ntasks-per-node": "tasks_per_node",
    "tasks-per-node": "tasks_per_node",
    "cpus-per-task": "cores",
}
_PLAIN = {
    "job-name": "name",
    "partition": "queue",
    "account": "account",
    "qos": "qos",
    "array": "array",
    "dependency": "wait",
    "output": "output",
    "error": "error",
    "mail-user": "mail_to",
    "chdir": "folder",
    "export": "export",
    "begin": "begin",
    "reservation": "reservation",
}
_FLAGS = {"hold": ("hold", ""), "requeue": ("rerun", "y"), "no-requeue": ("rerun", "n")}
# Options that only concern the program sbatch itself.
_OF_SBATCH = {"parsable", "quiet", "verbose", "ignore-pbs", "test-only", "get-user-env", "wait-all-nodes"}
# sbatch(1), --mail-type; b, e and a are those of qsub, s the elements of an array.
_MAIL = {
    "NONE": "n",
    "BEGIN": "b",
    "END": "e",
    "FAIL": "a",
    "REQUEUE": "",
    "ALL": "bea",
    "INVALID_DEPEND": "",
    "STAGE_OUT": "",
    "TIME_LIMIT": "a",
    "TIME_LIMIT_90": "",
    "TIME_LIMIT_80": "",
    "TIME_LIMIT_50": "",
    "ARRAY_TASKS": "s",
}


def read_slurm(options: Sequence[Option]) -> Asked:
    """Return the requests of options, in order; of repeated ones the last counts."""
    last = {one.name: index for index, one in enumerate(options)}
    for one, other in (("requeue", "no-requeue"), ("mem", "mem-per-cpu")):
        if one in last and other in last:
            last.pop(one if last[one] < last[other] else other)
    items, notes = [], list[Note]()
    for index, option in enumerate(options):
        if option.component:
            items.append(_lost(option, "heterogeneous jobs have no equivalent"))
        elif last.get(option.name) == index or option.fault:
            items.append(_item(option))
    counted = [one for index, one in enumerate(options) if last.get(one.name) == index and not one.component]
    resources, faults = _resources(counted)
    lost = {fault.line for fault in faults}
    items = [replace(one, kind="") if one.line in lost and one.kind == "resources" else one for one in items]
    return Asked(items=tuple(items), resources=resources, notes=(*notes, *faults))


def _lost(option: Option, why: str) -> Item:
    return Item(kind="", value="", line=option.line, written=written(option), why=why)


def written(option: Option) -> str:
    """Return an option as a directive, in the form --name=value."""
    value = option.value
    if option.fault or (option.written.startswith("-") and not option.name):
        return " ".join(filter(None, [option.written, value if option.written != value else ""]))
    quoted = f'"{value}"' if value and any(mark in value for mark in " #'\t") else value
    return f"--{option.name}" + ("" if value is None else f"={quoted}")


def _item(option: Option) -> Item:
    name, value = option.name, option.value or ""
    kind, why = "", ""
    if option.fault:
        why = f"sbatch does not accept {option.written}"
    elif name in RESOURCES and not (name == "gres" and not value.startswith("gpu")):
        kind = "resources"
    elif name in _PLAIN:
        kind = _PLAIN[name]
    elif name in _FLAGS:
        kind, value = _FLAGS[name]
    elif name == "time":
        seconds = slurm_seconds(value)
        kind, value, why = ("time", str(seconds), "") if seconds is not None else ("", "", "not a time")
    elif name == "mail-type":
        kind, value, why = _mail(value)
    elif name in _OF_SBATCH:
        kind = "nothing"
    else:
        why = f"there is no equivalent of --{name}"
    return Item(kind=kind, value=value, line=option.line, written=written(option), why=why)


def _mail(value: str) -> tuple[str, str, str]:
    types = [part.strip().upper() for part in value.split(",")]
    if any(part not in _MAIL for part in types):
        return "", "", "not a type of mail"
    letters = "".join(_MAIL[part] for part in types)
    return "mail_when", "".join(dict.fromkeys(letters)) or "n", ""


def _resources(options: Iterable[Option]) -> tuple[Resources, list[Note]]:
    values = {one.name: one for one in options if one.name in RESOURCES and not one.fault}
    found: dict[str, Any] = {}
    notes: list[Note] = []
    for name, option in values.items():
        try:
            found |= _resource(name, option.value or "")
        except ValueError:
            notes.append(Note(option.line, "lost", f"--{name}={option.value}: not understood"))
    if "nodes" in values and "-" in (values["nodes"].value or ""):
        text = (
            f"--nodes={values['nodes'].value}: a range of nodes has no equivalent; its first number is used"
        )
        notes.append(Note(values["nodes"].line, "changed", text))
    total = found.pop("all_gpus", None)
    resources = Resources(**{name: value for name, value in found.items() if name != "task_gpus"})
    if total is not None:
        resources = replace(resources, gpus=-(-total // resources.node_count))
    if "task_gpus" in found:
        resources = replace(resources, gpus=found["task_gpus"] * resources.per_node)
    lost = [note for note in notes if note.kind == "lost"]
    return resources, [*lost, *(note for note in notes if note.kind != "lost")]


def _resource(name: str, value: str) -> dict[str, Any]:
    """Return the fields that an option sets; raise ValueError for a value that is not understood."""
    if name in _NUMBERS:
        return {_NUMBERS[name]: int(value.partition("-")[0] if name == "nodes" else value)}
    if name in {"mem", "mem-per-cpu"}:
        return _memory(name, value)
    if name == "exclusive":
        return {"exclusive": True}
    if name in {"constraint", "nodelist"}:
        if any(mark in value for mark in "|()[]*/"):
            raise ValueError
        names = tuple(part for part in re.split("[,&]", value) if part)
        return {"features" if name == "constraint" else "hosts": names}
    return _gpus(name, value)


def _memory(name: str, value: str) -> dict[str, Any]:
    size = slurm_mebibytes(value)
    if size is None:
        raise ValueError
    if name == "mem" and size == 0:
        return {"all_memory": True}
    return {"node_memory" if name == "mem" else "core_memory": math.ceil(size)}


def _gpus(name: str, value: str) -> dict[str, Any]:
    if name == "gres":
        if "," in value:
            raise ValueError
        value = value.partition(":")[2] or "1"
    kind, _, number = value.rpartition(":")
    if not number.isdigit():
        kind, number = number, "1"
    field = {"gpus": "all_gpus", "gpus-per-task": "task_gpus"}.get(name, "gpus")
    return {field: int(number), "gpu_kind": kind}


def unlimited(seconds: str) -> bool:
    """Return whether a time is none."""
    return int(seconds) in {UNLIMITED, 0}
