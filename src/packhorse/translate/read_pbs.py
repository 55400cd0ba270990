"""Read what #PBS lines, or the options of a call of qsub, ask for; qsub(1B), pbs_resources(7)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from packhorse.jobscript.options import Option
from packhorse.jobscript.values import pbs_mebibytes, pbs_seconds
from packhorse.translate.request import Asked, Cores, Item, Note, Resources

_PLAIN = {
    "N": "name",
    "q": "queue",
    "A": "account",
    "P": "account",
    "t": "array",
    "J": "array",
    "o": "output",
    "e": "error",
    "M": "mail_to",
    "m": "mail_when",
    "d": "folder",
    "j": "join",
    "v": "variables",
    "V": "export_all",
    "S": "shell",
    "h": "hold",
    "r": "rerun",
    "a": "begin",
}
_LISTED = {"nodes", "select", "place", "ncpus", "procs", "mem", "pmem", "vmem", "naccesspolicy"}
_WAIT = {"qos": "qos", "advres": "reservation"}
_COLONS = re.compile(r"(\d+)(?::(.*))?", re.DOTALL)


class Purpose(Struct, frozen=True):
    """What the cores of a node are for, and whether the script says so."""

    cores: Cores
    certain: bool = True
    threads: int = 1  # of each process, where they are processes


def read_pbs(options: Sequence[Option], purpose: Purpose) -> Asked:
    """Return the requests of options, in order. `purpose` settles what ppn cores are for."""
    items: list[Item] = []
    listed: dict[str, tuple[str, int]] = {}
    last = {one.name: index for index, one in enumerate(options) if one.name not in {"l", "W", "v"}}
    for index, option in enumerate(options):
        if option.name == "l" and not option.fault:
            for part in _parts(option.value or ""):
                items.append(_resource(part, option, listed))
        elif option.name == "W" and not option.fault:
            items += [_attribute(part, option) for part in _attributes(option.value or "")]
        elif last.get(option.name, index) == index or option.fault:
            items.append(_item(option))
    resources, notes = _resources(listed, purpose)
    lost = {note.line for note in notes if note.kind == "lost"}
    items = [
        replace(one, kind="", why="not understood") if one.kind == "resources" and one.line in lost else one
        for one in items
    ]
    return Asked(
        items=tuple(items), resources=resources, notes=tuple(one for one in notes if one.kind != "lost")
    )


def _parts(text: str) -> Iterator[str]:
    """Yield the parts of a -l list; a + joins chunks, and a comma begins a new resource."""
    yield from (part for part in text.split(",") if part)


def _attributes(text: str) -> Iterator[str]:
    """Yield the attributes of -W; depend has commas of its own."""
    parts = list[str]()
    for part in text.split(","):
        if parts and re.match(r"(after|before|on|sync)\w*:", part):
            parts[-1] += f",{part}"
        else:
            parts.append(part)
    yield from filter(None, parts)


def _item(option: Option) -> Item:
    value = option.value or ""
    text = " ".join(filter(None, [option.written, _quoted(value) if option.written != value else ""]))
    if option.fault:
        return Item(
            kind="", value="", line=option.line, written=text, why=f"qsub does not accept {option.written}"
        )
    kind = _PLAIN.get(option.name, "nothing" if option.name == "z" else "")
    return Item(
        kind=kind,
        value=value,
        line=option.line,
        written=text,
        why=f"there is no equivalent of -{option.name}",
    )


def _quoted(value: str) -> str:
    return f'"{value}"' if " " in value else value


def _resource(part: str, option: Option, listed: dict[str, tuple[str, int]]) -> Item:
    name, _, value = part.partition("=")
    kind, why = "", f"there is no equivalent of -l {name}"
    if name in _LISTED:
        kind = "resources"
        listed[name] = (value, option.line)
    elif name == "walltime":
        seconds = pbs_seconds(value)
        kind, value, why = ("time", str(seconds), "") if seconds else ("", "", "not a time")
    elif name in _WAIT:
        kind = _WAIT[name]
    return Item(kind=kind, value=value, line=option.line, written=f"-l {part}", why=why)


def _attribute(part: str, option: Option) -> Item:
    name, _, value = part.partition("=")
    kind = {"depend": "wait", "umask": "umask"}.get(name, "")
    if name == "x" and value.upper() == "NACCESSPOLICY:SINGLEJOB":
        kind = "exclusive"
    why = f"there is no equivalent of -W {name}"
    return Item(kind=kind, value=value, line=option.line, written=f"-W {part}", why=why)


def _resources(listed: dict[str, tuple[str, int]], purpose: Purpose) -> tuple[Resources, list[Note]]:
    notes: list[Note] = []
    found = Resources()
    for name, reader in (("select", _select), ("nodes", _nodes)):
        if name in listed:
            text, line = listed[name]
            place = listed.get("place", ("", 0))[0]
            read = reader(text, place, purpose)
            if read is None:
                notes.append(Note(line, "lost", f"-l {name}={text}: not understood"))
            else:
                found, texts = read
                notes += [Note(line, kind, one) for kind, one in texts]
    found = _flat(found, listed, purpose)
    found, more = _memory(found, listed)
    places = listed.get("place", ("", 0))[0].split(":")
    alone = bool({"excl", "exclhost"} & set(places)) or listed.get("naccesspolicy", ("", 0))[0].lower() in {
        "singlejob",
        "singletask",
    }
    return replace(found, exclusive=alone), [*notes, *more]


def _flat(found: Resources, listed: dict[str, tuple[str, int]], purpose: Purpose) -> Resources:
    """Return the cores of -l ncpus= and -l procs=, which are without nodes."""
    ncpus, procs = listed.get("ncpus", ("", 0))[0], listed.get("procs", ("", 0))[0]
    if ncpus.isdigit() and found.nodes is None and found.tasks is None:
        many = int(ncpus)
        ranks = purpose.cores == "ranks"
        return replace(found, nodes=1, tasks_per_node=many if ranks else None, cores=1 if ranks else many)
    if procs.isdigit() and found.nodes is None:
        return replace(found, tasks=int(procs), cores=1)
    return found


def _memory(found: Resources, listed: dict[str, tuple[str, int]]) -> tuple[Resources, list[Note]]:
    notes = []
    for name in ("mem", "vmem", "pmem"):
        text, line = listed.get(name, ("", 0))
        size = pbs_mebibytes(text)
        if not text:
            continue
        if size is None:
            notes.append(Note(line, "lost", f"-l {name}={text}: not understood"))
        elif name == "pmem" and found.node_memory is None:
            found = replace(found, core_memory=math.ceil(size))
        elif name == "mem" or (name == "vmem" and found.node_memory is None):
            # mem is that of the whole job
            spread = found.node_count
            if found.nodes is None and (found.tasks or 1) > 1:
                found = replace(found, core_memory=math.ceil(size / (found.total * (found.cores or 1))))
            else:
                found = replace(found, node_memory=math.ceil(size / spread))
            if name == "vmem":
                notes.append(Note(line, "changed", "vmem limits virtual memory; it became a limit of memory"))
    return found, notes


Texts = list[tuple[Any, str]]


def _chunks(text: str) -> list[tuple[int, dict[str, str]]] | None:
    """Return (count, values) of each chunk or kind of node; a word without = has the value ""."""
    found = []
    for part in text.split("+"):
        match = _COLONS.fullmatch(part)
        count, rest = (int(match[1]), match[2] or "") if match else (1, part)
        values = {}
        for word in filter(None, rest.split(":")):
            name, _, value = word.partition("=")
            values[name] = value
        if count < 1:
            return None
        found.append((count, values))
    return found


def _select(text: str, place: str, purpose: Purpose) -> tuple[Resources, Texts] | None:
    chunks = _chunks(text)
    if not chunks or any(not _is_understood(values) for _, values in chunks):
        return None
    if len(chunks) > 1:
        return _mixed([(count, _ranks(values, purpose), values) for count, values in chunks])
    count, values = chunks[0]
    cpus, ranks = int(values.get("ncpus", 1)), _ranks(values, purpose)
    texts: Texts = []
    if cpus % ranks:
        texts.append(("changed", f"{cpus} cores do not divide among {ranks} processes; the rest is lost"))
    if "mpiprocs" not in values and cpus > 1 and not purpose.certain:
        texts.append(("assumed", _which(cpus, purpose)))
    found = Resources(
        cores=max(1, cpus // ranks),
        threads=int(values["ompthreads"]) if "ompthreads" in values else None,
        gpus=int(values["ngpus"]) if "ngpus" in values else None,
        hosts=(values["host"],) if "host" in values else (),
    )
    return _placed(found, count, ranks, pbs_mebibytes(values.get("mem", "")), place.split(":")), texts


def _is_understood(values: dict[str, str]) -> bool:
    """Return whether a chunk has only resources that every site has, with values that can be read."""
    numbers = {"ncpus", "mpiprocs", "ompthreads", "ngpus"}
    return all(
        value.isdigit()
        if name in numbers
        else pbs_mebibytes(value) is not None
        if name == "mem"
        else name == "host"
        for name, value in values.items()
    )


def _placed(found: Resources, count: int, ranks: int, memory: float | None, places: list[str]) -> Resources:
    """Return equal chunks as nodes, or as tasks that may share nodes where nothing else is said."""
    whole = None if memory is None else math.ceil(memory)
    if "pack" in places and count > 1:
        return replace(found, nodes=1, tasks_per_node=count * ranks, node_memory=whole and whole * count)
    if count > 1 and ranks == 1 and "scatter" not in places and found.gpus is None:
        return replace(found, tasks=count, core_memory=whole and -(-whole // (found.cores or 1)))
    return replace(found, nodes=count, tasks_per_node=ranks, node_memory=whole)


def _ranks(values: dict[str, str], purpose: Purpose) -> int:
    """Return the processes of a chunk: mpiprocs, else one, else one a core where the script starts as many."""
    cpus = int(values.get("ncpus", 1))
    if "mpiprocs" in values:
        return max(1, int(values["mpiprocs"]))
    return cpus if purpose.cores == "ranks" else 1


def _mixed(chunks: list[tuple[int, int, dict[str, str]]]) -> tuple[Resources, Texts] | None:
    """Return chunks that differ only in the number of their processes as one request."""
    cores = {int(values.get("ncpus", 1)) / ranks for _, ranks, values in chunks}
    if len(cores) > 1 or any({"mem", "ngpus", "host"} & set(values) for *_, values in chunks):
        return None
    return Resources(
        nodes=sum(count for count, *_ in chunks),
        tasks=sum(count * ranks for count, ranks, _ in chunks),
        cores=max(1, int(cores.pop())),
    ), []


def _which(cores: int, purpose: Purpose) -> str:
    meant = f"{cores} processes" if purpose.cores == "ranks" else f"the {cores} threads of one process"
    other = "threads" if purpose.cores == "ranks" else "ranks"
    return f"{cores} cores may be processes or threads; taken as {meant}; if not: --ppn {other}"


def _nodes(text: str, _place: str, purpose: Purpose) -> tuple[Resources, Texts] | None:
    chunks = _chunks(text)
    if not chunks:
        return None
    if len(chunks) > 1:
        if any(set(values) - {"ppn"} or not values.get("ppn", "1").isdigit() for _, values in chunks):
            return None
        return (
            _mixed([(count, int(values.get("ppn", 1)), {}) for count, values in chunks])
            if (purpose.cores == "ranks")
            else None
        )
    count, values = chunks[0]
    texts: Texts = []
    named = _COLONS.fullmatch(text) is None  # nodes=n01:ppn=4
    ppn, gpus = values.pop("ppn", "1"), values.pop("gpus", "")
    if not ppn.isdigit() or any(values.values()) or (gpus and not gpus.isdigit()):
        return None
    cores, ranks = int(ppn), 1
    if purpose.cores == "ranks":
        cores = purpose.threads if int(ppn) % purpose.threads == 0 else 1
        ranks = int(ppn) // cores
    if int(ppn) > 1 and not purpose.certain:
        texts.append(("assumed", _which(int(ppn), purpose)))
    if named:
        texts.append(("assumed", f"{next(iter(values), text)} may be a node or a property; taken as a node"))
    return Resources(
        nodes=count,
        tasks_per_node=ranks,
        cores=cores,
        gpus=int(gpus) if gpus else None,
        features=() if named else tuple(values),
        hosts=tuple(values) if named else (),
    ), texts
