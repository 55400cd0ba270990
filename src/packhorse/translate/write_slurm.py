"""Write requests as options of sbatch; sbatch(1)."""

from __future__ import annotations

import re
from collections.abc import Callable

from packhorse.translate.read_slurm import unlimited
from packhorse.translate.request import Asked, Item, Note, Resources, Written

_PLAIN = {
    "account": "--account",
    "qos": "--qos",
    "reservation": "--reservation",
    "mail_to": "--mail-user",
    "folder": "--chdir",
    "name": "--job-name",
}
_MAIL = {
    "b": "BEGIN",
    "e": "END",
    "a": "FAIL",
    "f": "FAIL",
    "s": "ARRAY_TASKS",
    "j": "ARRAY_TASKS",
    "n": "NONE",
    "p": "NONE",
}
_WORD = re.compile(r"[\w.@+:/,=%\[\]-]+", re.ASCII)
# qsub(1B), -W depend: those for arrays have the plain names in Slurm.
_WAITS = {
    "after": "after",
    "afterok": "afterok",
    "afternotok": "afternotok",
    "afterany": "afterany",
    "afterstartarray": "after",
    "afterokarray": "afterok",
    "afternotokarray": "afternotok",
    "afteranyarray": "afterany",
}


def resources(asked: Resources) -> list[str]:
    """Return the options for nodes, processes, memory and GPUs."""
    options = [f"--nodes={asked.nodes}"] if asked.nodes else []
    if asked.nodes and asked.tasks_per_node:
        options += [f"--ntasks-per-node={asked.tasks_per_node}"] if asked.total > 1 else []
    elif asked.tasks:
        options += [f"--ntasks={asked.tasks}"]
    options += [f"--cpus-per-task={asked.cores}"] if (asked.cores or 1) > 1 else []
    if asked.node_memory:
        options.append(f"--mem={asked.node_memory}M")
    elif asked.core_memory:
        options.append(f"--mem-per-cpu={asked.core_memory}M")
    if asked.gpus:
        kind = f"{asked.gpu_kind}:" if asked.gpu_kind else ""
        options.append(f"--gpus-per-node={kind}{asked.gpus}")
    options += ["--exclusive"] if asked.exclusive else []
    options += [f"--constraint={quoted('&'.join(asked.features))}"] if asked.features else []
    return [*options, *([f"--nodelist={','.join(asked.hosts)}"] if asked.hosts else [])]


def quoted(value: str) -> str:
    """Return a value as a word of a directive."""
    return value if _WORD.fullmatch(value) else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def write(item: Item, asked: Asked) -> Written:
    """Return an item as options. Resources are written by `resources`."""
    if item.kind in _PLAIN:
        return Written(options=(f"{_PLAIN[item.kind]}={quoted(item.value)}",))
    writer = _WRITERS.get(item.kind)
    return writer(item, asked) if writer else lost(item, item.why)


def lost(item: Item, why: str) -> Written:
    """Return an item that stays as a comment."""
    return Written(kept=((item.written, why),), notes=(Note(item.line, "lost", f"{item.written}: {why}"),))


def clock(seconds: int) -> str:
    """Return a time as D-HH:MM:SS, or HH:MM:SS below a day."""
    days, rest = divmod(seconds, 86400)
    text = f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return f"{days}-{text}" if days else text


def _queue(item: Item, _asked: Asked) -> Written:
    name, at, server = item.value.partition("@")
    notes = (Note(item.line, "changed", f"the server {server} is dropped"),) if at else ()
    return Written(options=(f"--partition={quoted(name)}",), notes=notes)


def _time(item: Item, _asked: Asked) -> Written:
    return Written() if unlimited(item.value) else Written(options=(f"--time={clock(int(item.value))}",))


def _array(item: Item, _asked: Asked) -> Written:
    return Written(options=(f"--array={item.value}",))


def _mail(item: Item, _asked: Asked) -> Written:
    types = dict.fromkeys(_MAIL[letter] for letter in item.value if letter in _MAIL)
    return Written(options=(f"--mail-type={','.join(types)}",)) if types else Written()


def _flag(item: Item, _asked: Asked) -> Written:
    return Written(options=(f"--{item.kind}",))


def _rerun(item: Item, _asked: Asked) -> Written:
    return Written(options=("--requeue" if item.value.lower().startswith("y") else "--no-requeue",))


def _umask(item: Item, _asked: Asked) -> Written:
    if not re.fullmatch(r"[0-7]{1,4}", item.value):
        return lost(item, "not a mask")
    return Written(body=(f"umask {item.value}",))


def _nothing(_item: Item, _asked: Asked) -> Written:
    return Written()


def _variables(item: Item, _asked: Asked) -> Written:
    if not re.fullmatch(r"[\w.=,:/@+-]+", item.value, re.ASCII):
        return lost(item, "values with blanks or quotes")
    return Written(options=(f"--export=ALL,{item.value}",))


def _file(item: Item, asked: Asked) -> Written:
    kind, notes = item.kind, list[Note]()
    value = item.value
    host, colon, rest = value.partition(":")
    if colon and "/" not in host:
        value = rest
        notes.append(Note(item.line, "changed", f"{item.written}: Slurm writes no logs to another host"))
    if kind == "error" and asked.first("join").startswith("o"):
        return Written()  # qsub(1B): with -j oe the errors go where the output goes
    value = _pattern(value, kind, asked)
    if value.startswith(("~", "$")):
        return lost(item, "sbatch does not expand it")
    return Written(options=(f"--{kind}={quoted(value)}",), notes=tuple(notes))


def _pattern(value: str, kind: str, asked: Asked) -> str:
    """Return a file of qsub as a pattern of sbatch; qsub itself adds the index of an array."""
    array = asked.has("array")
    value = re.sub(r"\$\{?PBS_JOBID\}?", "%A" if array else "%j", value)
    value = re.sub(r"\^array_index\^|\$\{?(?:PBS_ARRAYID|PBS_ARRAY_INDEX)\}?", "%a", value)
    value = re.sub(r"\$\{?PBS_JOBNAME\}?", "%x", value)
    if value.endswith("/"):
        return f"{value}%x.{kind[0]}%j"
    return f"{value}-%a" if array and "%a" not in value else value


def default_files(asked: Asked) -> list[str]:
    """Return where qsub writes without -o and -e: NAME.oNUMBER and NAME.eNUMBER; with -j oe one file is enough."""
    if asked.first("join") or asked.has("error"):
        return []
    number = "%A-%a" if asked.has("array") else "%j"
    return [*([] if asked.has("output") else [f"--output=%x.o{number}"]), f"--error=%x.e{number}"]


def _wait(item: Item, _asked: Asked) -> Written:
    parts = []
    for part in item.value.split(","):
        name, _, jobs = part.partition(":")
        if name not in _WAITS or not jobs:
            return lost(item, f"there is no equivalent of {name}")
        numbers = [re.sub(r"(\[\])?(\.[\w.-]+)?$", "", job) for job in jobs.split(":")]
        parts.append(":".join([_WAITS[name], *numbers]))
    text = f"{item.written}: the numbers are those of the other scheduler"
    note = () if "$" in item.value else (Note(item.line, "changed", text),)
    return Written(options=(f"--dependency={','.join(parts)}",), notes=note)


def _begin(item: Item, _asked: Asked) -> Written:
    found = re.fullmatch(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d\d))?", item.value)
    if found:
        year, month, day, hour, minute, second = found.groups()
        return Written(options=(f"--begin={year}-{month}-{day}T{hour}:{minute}:{second or '00'}",))
    if re.fullmatch(r"\d{4}", item.value):
        return Written(options=(f"--begin={item.value[:2]}:{item.value[2:]}",))
    return lost(item, "a date without its year and month")


_WRITERS: dict[str, Callable[[Item, Asked], Written]] = {
    "queue": _queue,
    "time": _time,
    "array": _array,
    "output": _file,
    "error": _file,
    "mail_when": _mail,
    "wait": _wait,
    "hold": _flag,
    "exclusive": _flag,
    "rerun": _rerun,
    "umask": _umask,
    "begin": _begin,
    "variables": _variables,
    "join": _nothing,
    "export_all": _nothing,
    "shell": _nothing,
    "nothing": _nothing,
}
