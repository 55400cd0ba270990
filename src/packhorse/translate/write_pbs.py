"""Write requests as options of qsub, for TORQUE and for PBS Pro; qsub(1B), pbs_resources(7)."""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from packhorse.jobscript.values import array_indices
from packhorse.schedulers.pbs.job_output import name as plain_name
from packhorse.translate.read_slurm import unlimited
from packhorse.translate.request import Asked, Item, Note, Resources, Scheduler, Written
from packhorse.translate.write_slurm import lost

_PLAIN = {
    "queue": "-q",
    "account": "-A",
    "mail_to": "-M",
    "rerun": "-r",
    "join": "-j",
    "variables": "-v",
    "export_all": "-V",
    "shell": "-S",
    "hold": "-h",
}
_WAITS = {"after", "afterok", "afternotok", "afterany"}
# Options that TORQUE and PBS Pro share, and Slurm has not.
_SHARED = re.compile(r"-[pcku] \S|-l (?:cput|file|nice|pcput|pvmem|software)=")
_SHELL_WORD = re.compile(r"[\w./+:@%=-]+", re.ASCII)


class Chunk(Struct, frozen=True):
    """Equal parts of a request: how many, the processes of each, and their cores."""

    count: int
    tasks: int
    cores: int


def chunks(asked: Resources) -> list[Chunk]:
    """Return the parts of a job: one for each node, or one for each task that may go to any node."""
    cores = asked.cores or 1
    if asked.nodes or asked.tasks_per_node:
        nodes = asked.node_count
        if asked.tasks and not asked.tasks_per_node:
            each, more = divmod(asked.tasks, nodes)
            found = [Chunk(more, each + 1, cores), Chunk(nodes - more, each, cores)]
            return [one for one in found if one.count and one.tasks]
        return [Chunk(nodes, asked.per_node, cores)]
    tasks = asked.tasks or 1
    return [Chunk(1, tasks, cores)] if one_node(asked) else [Chunk(tasks, 1, cores)]


def one_node(asked: Resources) -> bool:
    """Return whether tasks without a number of nodes are put on one, since memory or GPUs are for each node."""
    return asked.nodes is None and not asked.tasks_per_node and bool(asked.node_memory or asked.gpus)


def resources(asked: Resources, to: Scheduler, line: int) -> Written:
    """Return the -l options."""
    notes: list[Note] = []
    if one_node(asked) and asked.total > 1:
        notes.append(
            Note(line, "changed", f"Slurm may spread {asked.total} tasks over nodes; here they are on one")
        )
    if asked.all_memory:
        notes.append(Note(line, "lost", "--mem=0, all memory of a node, has no equivalent; state an amount"))
    kept: list[tuple[str, str]] = []
    if asked.gpu_kind:
        why = "the site's name for this kind of GPU is not known"
        kept.append((f"--gpus-per-node={asked.gpu_kind}:{asked.gpus}", why))
        notes.append(Note(line, "lost", f"the kind of GPU, {asked.gpu_kind}: {why}"))
    if asked.features and to == "openpbs":
        why = "the site's resource for this feature is not known"
        kept.append((f"--constraint={'&'.join(asked.features)}", why))
        notes.append(Note(line, "lost", f"the feature {'&'.join(asked.features)}: {why}"))
        asked = replace(asked, features=())
    options = _options(asked, to)
    if to == "torque":
        kept += _shape(asked)
        if asked.nodes is None and not one_node(asked) and asked.total > 1 and (asked.cores or 1) > 1:
            text = "the tasks are requested as nodes; the site decides whether they may share one"
            notes.append(Note(line, "changed", text))
    return Written(options=tuple(options), kept=tuple(kept), notes=tuple(notes))


def _options(asked: Resources, to: Scheduler) -> list[str]:
    stated = asked != Resources(exclusive=asked.exclusive, all_memory=asked.all_memory)
    options = (_torque if to == "torque" else _openpbs)(asked) if stated else []
    if asked.exclusive and to == "torque":
        options.append("-l naccesspolicy=singlejob")
    elif asked.exclusive and not any(option.startswith("-l place=") for option in options):
        options.append("-l place=excl")
    return options


def _shape(asked: Resources) -> list[tuple[str, str]]:
    """Return what nodes=N:ppn=M does not say: how the cores of a node are divided among processes."""
    cores = asked.cores or 1
    if asked.nodes is None and asked.tasks is None:
        return []
    if asked.nodes is None and not asked.tasks_per_node:
        text = f"--ntasks={asked.tasks} --cpus-per-task={cores}"
        return [(text, "TORQUE counts cores only")] if asked.total > 1 and cores > 1 else []
    if asked.node_count * asked.per_node == 1:
        return []  # one process has all cores
    if asked.per_node * cores > 1 and (
        asked.tasks is None or asked.tasks_per_node or asked.tasks % asked.node_count == 0
    ):
        text = f"--ntasks-per-node={asked.per_node} --cpus-per-task={cores}"
        return [(text, "TORQUE counts cores only")]
    return []


def _torque(asked: Resources) -> list[str]:
    parts = chunks(asked)
    extra = (f":gpus={asked.gpus}" if asked.gpus else "") + "".join(f":{one}" for one in asked.features)
    if len(parts) == 1 and asked.nodes is None and parts[0].count > 1 and parts[0].cores == 1 and not extra:
        nodes = f"procs={parts[0].count}"
    elif asked.hosts:
        ppn = parts[0].tasks * parts[0].cores
        nodes = "nodes=" + "+".join(f"{host}:ppn={ppn}{extra}" for host in asked.hosts)
    else:
        nodes = "nodes=" + "+".join(f"{one.count}:ppn={one.tasks * one.cores}{extra}" for one in parts)
    cores = sum(one.count * one.tasks * one.cores for one in parts)
    memory = None
    if asked.node_memory:
        memory = asked.node_memory * sum(one.count for one in parts)
    elif asked.core_memory:
        memory = asked.core_memory * cores
    return [f"-l {nodes}", *([f"-l mem={memory}mb"] if memory else [])]


def _openpbs(asked: Resources) -> list[str]:
    parts = chunks(asked)
    texts = []
    for one in parts:
        text = f"{one.count}:ncpus={one.tasks * one.cores}"
        if one.tasks * one.cores > 1 or sum(part.count for part in parts) > 1:
            text += f":mpiprocs={one.tasks}"
        text += f":ompthreads={one.cores}" if one.tasks > 1 else ""
        memory = asked.node_memory or (asked.core_memory and asked.core_memory * one.tasks * one.cores)
        text += f":mem={memory}mb" if memory else ""
        text += f":ngpus={asked.gpus}" if asked.gpus else ""
        texts.append(text + (f":host={asked.hosts[0]}" if len(asked.hosts) == 1 else ""))
    # Nodes that are asked for by number are different ones; tasks may share them.
    place = ["scatter"] if asked.node_count > 1 else []
    place += ["excl"] if asked.exclusive else []
    return [f"-l select={'+'.join(texts)}", *([f"-l place={':'.join(place)}"] if place else [])]


def write(item: Item, asked: Asked, to: Scheduler) -> Written:
    """Return an item as options. Resources are written by `resources`."""
    if item.kind in _PLAIN:
        return Written(options=(f"{_PLAIN[item.kind]} {_word(item.value)}".rstrip(),))
    writer = _WRITERS.get(item.kind)
    if writer:
        return writer(item, asked, to)
    if _SHARED.match(item.written):
        return Written(options=(item.written,))
    return lost(item, item.why or f"there is no equivalent of {item.written.partition('=')[0]}")


def _name(item: Item, _asked: Asked, _to: Scheduler) -> Written:
    value = item.value
    short = value if re.fullmatch(r"[A-Za-z][\w.+-]{0,63}", value, re.ASCII) else plain_name(value)
    note = Note(item.line, "changed", f"the name {value!r} becomes {short!r}")
    return Written(options=(f"-N {short}",), notes=(note,) if short != value else ())


def _time(item: Item, _asked: Asked, _to: Scheduler) -> Written:
    return Written() if unlimited(item.value) else Written(options=(f"-l walltime={clock(int(item.value))}",))


def _of_torque(item: Item, _asked: Asked, to: Scheduler) -> Written:
    if to != "torque":
        return lost(item, f"there is no equivalent of {item.written.partition('=')[0]}")
    return Written(options=(f"-l {'qos' if item.kind == 'qos' else 'advres'}={item.value}",))


def _exclusive(_item: Item, _asked: Asked, to: Scheduler) -> Written:
    return Written(options=("-l naccesspolicy=singlejob" if to == "torque" else "-l place=excl",))


def _folder(item: Item, _asked: Asked, to: Scheduler) -> Written:
    if to == "torque":
        return Written(options=(f"-d {item.value}",))
    word = item.value if _SHELL_WORD.fullmatch(item.value) else _quoted(item.value)
    return Written(body=(f"cd {word} || exit",))


def _nothing(_item: Item, _asked: Asked, _to: Scheduler) -> Written:
    return Written()


def _word(value: str) -> str:
    return f'"{value}"' if " " in value else value


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "'\\''") + "'"


def clock(seconds: int) -> str:
    """Return a time as HH:MM:SS, with as many hours as there are."""
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _array(item: Item, _asked: Asked, to: Scheduler) -> Written:
    found = array_indices(item.value)
    if found is None:
        return lost(item, "not a range of indices")
    limit = f"%{found.at_a_time}" if found.at_a_time else ""
    if to == "torque":
        texts = []
        for one in found.ranges:
            whole = f"{one.start}-{one[-1]}" if len(one) > 1 else str(one.start)
            texts.append(whole if one.step == 1 else ",".join(map(str, one)))
        return Written(options=(f"-t {','.join(texts)}{limit}",))
    numbers = sorted({number for one in found.ranges for number in one})
    first, last = numbers[0], numbers[-1]
    step = numbers[1] - first if len(numbers) > 1 else 2
    if len(numbers) == 1:
        return Written(options=(f"-J {first}-{first + 1}:2",))  # qsub refuses a range of one index
    if numbers == list(range(first, last + 1, step)):
        return Written(options=(f"-J {first}-{last}" + (f":{step}" if step > 1 else "") + limit,))
    note = Note(
        item.line, "changed", "PBS Pro has no lists of indices; the script takes them from array_indices"
    )
    lines = (
        f"array_indices=({' '.join(map(str, numbers))})",
        "array_index=${array_indices[$PBS_ARRAY_INDEX]}",
    )
    return Written(options=(f"-J 0-{len(numbers) - 1}{limit}",), body=lines, notes=(note,))


def _file(item: Item, asked: Asked, to: Scheduler) -> Written:
    """Return a file of output; both servers fill in little, and an array adds the index by itself."""
    value = item.value
    if item.kind == "error" and value == asked.first("output"):
        return Written()  # one file, which -j oe makes
    if asked.has("array"):
        value = re.sub(r"[._-]?(?:%a|\^array_index\^)", "", value)
    folder, slash, base = value.rpartition("/")
    value = f"{folder}{slash}array{base}" if base.startswith(".") else value
    if asked.has("name"):
        value = value.replace("%x", plain_name(asked.first("name")))
    if to == "torque":
        value = re.sub(r"%[AjJ](?=\w)", "${PBS_JOBID}", value)
        value = re.sub(r"%[AjJ]", "$PBS_JOBID", value)
    elif re.search(r"%[AjJ]", value):
        return _numbered(item, folder)
    elif asked.has("array") and not value.endswith("/"):
        stem, dot, suffix = value.rpartition(".")
        value = f"{stem}-^array_index^.{suffix}" if dot and "/" not in suffix else f"{value}-^array_index^"
    if "%" in value or " " in value:
        return lost(item, "qsub does not fill in this pattern" if "%" in value else "blanks in a file name")
    return Written(options=(f"-{item.kind[0]} {value}",))


def _numbered(item: Item, folder: str) -> Written:
    """Return a file with the job's number, which PBS Pro has only in the names that it makes itself."""
    text = "PBS Pro has no job number in a file name"
    if "%" in folder:
        return lost(item, text)
    if not folder:
        made = f"NAME.{item.kind[0]}NUMBER"
        return Written(notes=(Note(item.line, "changed", f"{item.written}: {text}; it writes {made}"),))
    made = f"{folder}/NUMBER.{'OU' if item.kind == 'output' else 'ER'}"
    note = Note(item.line, "changed", f"{item.written}: {text}; it writes {made}")
    return Written(options=(f"-{item.kind[0]} {folder}/",), notes=(note,))


def joins(asked: Asked) -> bool:
    """Return whether output and errors of a script for Slurm go to one file."""
    return not asked.first("error") or asked.first("error") == asked.first("output")


def _mail(item: Item, _asked: Asked, to: Scheduler) -> Written:
    letters = item.value.replace("s", "" if to == "torque" else "j")
    if "n" in letters or not letters:
        return Written(options=("-m n",))
    if to == "torque" and "a" in letters:
        letters += "" if "f" in letters else "f"  # a job that leaves with another status than 0
    elif "a" in letters:
        text = "PBS Pro writes when a job is aborted, not when it leaves with another status than 0"
        return Written(options=(f"-m {letters.replace('f', '')}",), notes=(Note(item.line, "changed", text),))
    return Written(options=(f"-m {letters}",))


def _wait(item: Item, _asked: Asked, to: Scheduler) -> Written:
    value = item.value
    if value == "singleton" or "?" in value or "+" in value:
        return lost(item, "there is no equivalent in qsub")
    parts = []
    for part in re.split(r",(?=[a-z])", value):
        name, _, jobs = part.partition(":")
        plain = name.removesuffix("array") if name != "afterstartarray" else "after"
        if name not in _WAITS and plain not in _WAITS:
            return lost(item, f"there is no equivalent of {name}")
        parts.append(f"{name if to == 'torque' else plain}:{jobs}")
    text = f"{item.written}: the numbers are those of the other scheduler"
    note = () if "$" in value else (Note(item.line, "changed", text),)
    return Written(options=(f"-W depend={','.join(parts)}",), notes=note)


def _export(item: Item, _asked: Asked, _to: Scheduler) -> Written:
    parts = item.value.split(",")
    if parts[0].upper() in {"NONE", "NIL"} and len(parts) == 1:
        return Written()
    values = [part for part in parts if part.upper() not in {"ALL", "NONE"}]
    if any(" " in part or '"' in part for part in values):
        return lost(item, "values with blanks or quotes")
    options = ["-V"] if "ALL" in (part.upper() for part in parts) else []
    return Written(options=(*options, *([f"-v {','.join(values)}"] if values else [])))


def _begin(item: Item, _asked: Asked, _to: Scheduler) -> Written:
    found = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d))?", item.value)
    if found:
        year, month, day, hour, minute, second = found.groups()
        return Written(options=(f"-a {year}{month}{day}{hour}{minute}" + (f".{second}" if second else ""),))
    clock_time = re.fullmatch(r"(\d\d):(\d\d)(?::\d\d)?", item.value)
    if clock_time:
        return Written(options=(f"-a {clock_time[1]}{clock_time[2]}",))
    return lost(item, "qsub takes a date and time, not an interval")


def _umask(item: Item, _asked: Asked, _to: Scheduler) -> Written:
    return Written(options=(f"-W umask={item.value}",))


_WRITERS: dict[str, Callable[[Item, Asked, Scheduler], Written]] = {
    "name": _name,
    "time": _time,
    "array": _array,
    "output": _file,
    "error": _file,
    "mail_when": _mail,
    "wait": _wait,
    "qos": _of_torque,
    "reservation": _of_torque,
    "exclusive": _exclusive,
    "folder": _folder,
    "export": _export,
    "begin": _begin,
    "umask": _umask,
    "nothing": _nothing,
}
