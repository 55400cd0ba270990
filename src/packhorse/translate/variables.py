"""Rename the variables of a scheduler in the body of a script, also in strings for other programs.

A replacement is a variable of the other scheduler, a shell expression, or a number from the directives. Where a name
stands without a $ (arithmetic, Python, awk), only another name can replace it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

from packhorse.jobscript.values import array_indices
from packhorse.translate.request import TITLES, Asked, Note, Resources, Scheduler

_OWN = {
    "slurm": r"SLURM_\w+",
    "torque": r"PBS_\w+",
    "openpbs": r"PBS_\w+|NCPUS",
}
_HOSTS = re.compile(r"scontrol\s+show\s+hostnames?(?:\s+\"?\$\{?SLURM_(?:JOB_)?NODELIST\}?\"?)?")
_NODEFILE = r"\"?\$\{?PBS_NODEFILE\}?\"?"
_LINES = re.compile(
    rf"\$\(\s*(?:cat\s+{_NODEFILE}\s*\|\s*wc\s+-l|wc\s+-l\s*<\s*{_NODEFILE}|wc\s+-l\s+{_NODEFILE}\s*\|\s*[^)|]*\$1[^)|]*)\s*\)"
    rf"|`\s*(?:cat\s+{_NODEFILE}\s*\|\s*wc\s+-l|wc\s+-l\s*<\s*{_NODEFILE}|wc\s+-l\s+{_NODEFILE}\s*\|\s*[^`|]*\$1[^`|]*)\s*`"
)
_NODES = re.compile(
    rf"(?:\$\(|`)\s*(?:sort\s+-u\s+{_NODEFILE}|cat\s+{_NODEFILE}\s*\|\s*(?:sort\s*\|\s*uniq|sort\s+-u|uniq)|uniq\s+{_NODEFILE})\s*\|\s*wc\s+-l\s*(?:\)|`)"
)
COUNT, NODE_COUNT = '$(wc -l < "$PBS_NODEFILE")', '$(sort -u "$PBS_NODEFILE" | wc -l)'
HOST_LIST = 'sort -u "$PBS_NODEFILE"'


class Replacement(Struct, frozen=True):
    """What stands for a variable: the name of another one, or text for the shell, which goes first after a $."""

    name: str = ""
    text: str = ""


class Body(Struct, frozen=True):
    """The lines of a body, line by line as before, and what to know of it."""

    lines: tuple[str, ...]
    notes: tuple[Note, ...] = ()
    nodefile: bool = False  # whether it reads a file with a line for each process, which Slurm does not make


def table(
    source: Scheduler, to: Scheduler, asked: Asked, defined: Mapping[str, str]
) -> dict[str, Replacement]:
    """Return the variables of one scheduler with what stands for each in the other.

    `defined` are names that the translated script itself defines, such as the index of a list.
    """
    if source == "slurm":
        found = _from_slurm(to, asked)
    elif to == "slurm":
        found = _to_slurm(asked)
    else:
        found = _between(to, asked.resources)
    return found | {name: Replacement(name=value) for name, value in defined.items()}


def _from_slurm(to: Scheduler, asked: Asked) -> dict[str, Replacement]:
    torque, shape = to == "torque", asked.resources
    cores, per_node = shape.cores or 1, shape.per_node
    index = Replacement(name="PBS_ARRAYID" if torque else "PBS_ARRAY_INDEX")
    job = Replacement(name="PBS_JOBID", text="${PBS_JOBID%%.*}")
    partition = Replacement(name="PBS_QUEUE")
    if torque:
        counted = Replacement(name="PBS_NP") if cores == 1 else Replacement(text=str(shape.total))
        of_task = (
            Replacement(name="PBS_NUM_PPN") if per_node == 1 and shape.nodes else Replacement(text=str(cores))
        )
        nodes, on_node = Replacement(name="PBS_NUM_NODES"), Replacement(name="PBS_NUM_PPN")
    else:
        counted, of_task = Replacement(text=COUNT), Replacement(name="NCPUS")
        nodes, on_node = Replacement(text=NODE_COUNT), Replacement(text=str(cores * per_node))
    memory = shape.node_memory
    return {
        "SLURM_JOB_ID": job,
        "SLURM_JOBID": job,
        "SLURM_ARRAY_JOB_ID": Replacement(text="${PBS_JOBID%%[!0-9]*}"),
        "SLURM_ARRAY_TASK_ID": index,
        "SLURM_ARRAYID": index,
        **_array_numbers(asked),
        "SLURM_SUBMIT_DIR": Replacement(name="PBS_O_WORKDIR"),
        "SLURM_SUBMIT_HOST": Replacement(name="PBS_O_HOST"),
        "SLURM_JOB_NAME": Replacement(name="PBS_JOBNAME"),
        "SLURM_JOB_PARTITION": partition,
        "SLURM_JOB_USER": Replacement(name="PBS_O_LOGNAME"),
        "SLURM_CPUS_PER_TASK": of_task,
        "SLURM_NTASKS": counted,
        "SLURM_NPROCS": counted,
        "SLURM_JOB_NUM_NODES": nodes,
        "SLURM_NNODES": nodes,
        "SLURM_NTASKS_PER_NODE": Replacement(text=str(per_node)),
        "SLURM_TASKS_PER_NODE": Replacement(text=str(per_node)),
        "SLURM_CPUS_ON_NODE": on_node,
        "SLURM_JOB_CPUS_PER_NODE": on_node,
        **({"SLURM_MEM_PER_NODE": Replacement(text=str(memory))} if memory else {}),
        **({"SLURM_MEM_PER_CPU": Replacement(text=str(shape.core_memory))} if shape.core_memory else {}),
        **({"SLURM_GPUS_ON_NODE": Replacement(text=str(shape.gpus))} if shape.gpus else {}),
        **({} if torque else {"SLURM_JOB_ACCOUNT": Replacement(name="PBS_ACCOUNT")}),
    }


def _array_numbers(asked: Asked) -> dict[str, Replacement]:
    found = array_indices(asked.first("array")) if asked.has("array") else None
    if found is None:
        return {}
    step = found.ranges[0].step
    values = {"COUNT": found.count, "MIN": found.first, "MAX": found.last, "STEP": step}
    return {f"SLURM_ARRAY_TASK_{name}": Replacement(text=str(value)) for name, value in values.items()}


def _to_slurm(asked: Asked) -> dict[str, Replacement]:
    shape = asked.resources
    cores, per_node = shape.cores or 1, shape.per_node
    processes = Replacement(name="SLURM_NTASKS") if shape.total > 1 else Replacement(text="1")
    threads = Replacement(name="SLURM_CPUS_PER_TASK") if cores > 1 else Replacement(text="1")
    if per_node > 1 and cores > 1:
        slots, on_node = Replacement(text=str(shape.total * cores)), Replacement(name="SLURM_CPUS_ON_NODE")
    elif per_node > 1:
        slots, on_node = processes, Replacement(name="SLURM_NTASKS_PER_NODE")
    else:
        slots = threads if shape.total == 1 else Replacement(text=str(shape.total * cores))
        on_node = threads
    seconds = asked.first("time")
    same = {
        "HOME": "HOME",
        "LOGNAME": "USER",
        "PATH": "PATH",
        "SHELL": "SHELL",
        "LANG": "LANG",
        "MAIL": "MAIL",
    }
    return {
        "PBS_JOBID": Replacement(name="SLURM_JOB_ID"),
        "PBS_ARRAYID": Replacement(name="SLURM_ARRAY_TASK_ID"),
        "PBS_ARRAY_INDEX": Replacement(name="SLURM_ARRAY_TASK_ID"),
        "PBS_ARRAY_ID": Replacement(name="SLURM_ARRAY_JOB_ID"),
        "PBS_O_WORKDIR": Replacement(name="SLURM_SUBMIT_DIR"),
        "PBS_O_HOST": Replacement(name="SLURM_SUBMIT_HOST"),
        "PBS_JOBNAME": Replacement(name="SLURM_JOB_NAME"),
        "PBS_QUEUE": Replacement(name="SLURM_JOB_PARTITION"),
        "PBS_ACCOUNT": Replacement(name="SLURM_JOB_ACCOUNT"),
        **{f"PBS_O_{name}": Replacement(name=value) for name, value in same.items()},
        "PBS_NP": slots,
        "PBS_NUM_PPN": on_node,
        "PBS_NUM_NODES": Replacement(name="SLURM_JOB_NUM_NODES"),
        "NCPUS": threads if shape.nodes is None or per_node == 1 or shape.threads else on_node,
        "PBS_NODENUM": Replacement(name="SLURM_NODEID"),
        "PBS_VNODENUM": Replacement(name="SLURM_PROCID"),
        **({"PBS_WALLTIME": Replacement(text=seconds)} if seconds else {}),
    }


def _between(to: Scheduler, shape: Resources) -> dict[str, Replacement]:
    if to == "torque":
        # PBS Pro sets NCPUS to ompthreads, else to all cores of the chunk
        threads = (shape.cores or 1) * (1 if shape.threads or shape.nodes is None else shape.per_node)
        return {
            "PBS_ARRAY_INDEX": Replacement(name="PBS_ARRAYID"),
            "NCPUS": Replacement(text=str(threads)),
        }
    per_node = shape.per_node * (shape.cores or 1)
    return {
        "PBS_ARRAYID": Replacement(name="PBS_ARRAY_INDEX"),
        "PBS_NP": Replacement(text=str(shape.total * (shape.cores or 1))),
        "PBS_NUM_PPN": Replacement(text=str(per_node)),
        "PBS_NUM_NODES": Replacement(text=NODE_COUNT),
    }


_COMMON_PBS = re.compile(
    r"PBS_(JOBID|JOBNAME|QUEUE|ENVIRONMENT|NODEFILE|NODENUM|TASKNUM|O_\w+|JOBCOOKIE|MOMPORT)"
)


def rename(
    lines: tuple[str, ...],
    first: int,
    source: Scheduler,
    to: Scheduler,
    replacements: Mapping[str, Replacement],
    own: set[str],
) -> Body:
    """Return the lines with the variables of `source` replaced from line `first` on, but not those in `own`.

    A line that is only a comment is kept.
    """
    notes: list[Note] = []
    rows, nodefile = list(lines), False
    for index, row in enumerate(lines):
        if index + 1 < first or re.match(r"\s*#", row):
            continue
        text = _expressions(row, source, to)
        renamer = _Renamer(index + 1, source, to, replacements, own, text)
        rows[index] = renamer.result
        notes += renamer.notes
        nodefile = nodefile or (to == "slurm" and bool(re.search(r"\bPBS_NODEFILE\b", rows[index])))
    return Body(tuple(rows), tuple(notes), nodefile)


def _expressions(row: str, source: Scheduler, to: Scheduler) -> str:
    """Replace the usual ways to count nodes and processes, and to list nodes."""
    if source == "slurm":
        return _HOSTS.sub(lambda _: HOST_LIST, row)
    if to == "slurm":
        row = _NODES.sub("$SLURM_JOB_NUM_NODES", row)
        row = _LINES.sub("${SLURM_NTASKS:-1}", row)
        row = row.replace(HOST_LIST, "scontrol show hostnames")
        # What this package itself writes for a number of Slurm.
        row = row.replace("${PBS_JOBID%%[!0-9]*}", "${SLURM_ARRAY_JOB_ID}").replace(
            "${PBS_JOBID%%.*}", "${SLURM_JOB_ID}"
        )
        row = re.sub(r"\$\{PBS_JOBID(?:%%?|/)[\\\[{\]]+\*[^}]*\}", "${SLURM_ARRAY_JOB_ID}", row)
        return re.sub(r"\$\{PBS_JOBID%%?\\?\.[^}]*\}", "${SLURM_JOB_ID}", row)
    return row


class _Renamer:
    """Rename in one line, and note what has no equivalent."""

    def __init__(
        self,
        line: int,
        source: Scheduler,
        to: Scheduler,
        replacements: Mapping[str, Replacement],
        own: set[str],
        text: str,
    ) -> None:
        self.line, self.source, self.to = line, source, to
        self.replacements, self.own = replacements, own
        self.notes: list[Note] = []
        names = _OWN[source]
        pattern = (
            rf"\$\{{(?P<mark>[#!]?)(?P<braced>{names})(?P<rest>[^}}]*)\}}|\$(?P<plain>{names})"
            rf"|(?<![\w$])(?P<bare>{names})\b(?P<assigned>=)?"
        )
        self.result = re.sub(pattern, self._one, text)

    def _note(self, kind: str, text: str) -> None:
        note = Note(self.line, kind, text)  # type: ignore[arg-type]
        if note not in self.notes:
            self.notes.append(note)

    def _one(self, found: re.Match[str]) -> str:
        whole = found[0]
        name = found["braced"] or found["plain"] or found["bare"]
        if name in self.own or found["assigned"]:
            return whole
        new = self.replacements.get(name)
        if new is None:
            kept = name == "PBS_NODEFILE" or (
                self.source != "slurm" != self.to and _COMMON_PBS.fullmatch(name)
            )
            if not kept:
                self._note("lost", f"{name} has no equivalent in {TITLES[self.to]}")
            return whole
        if found["braced"]:
            return self._braced(found, new)
        if found["plain"]:
            return new.text or f"${new.name}"
        if not new.name:
            if re.search(r"\(\(", found.string):
                return new.text
            self._note("lost", f"{name} without a $: write {new.text} in its place")
            return whole
        return new.name

    def _braced(self, found: re.Match[str], new: Replacement) -> str:
        mark, rest = found["mark"], found["rest"]
        if not mark and not rest:
            return new.text or f"${{{new.name}}}"
        if new.name:
            if new.text:
                self._note(
                    "changed", f"{found['braced']} became {new.name}, which ends with the server's name"
                )
            return f"${{{mark}{new.name}{rest}}}"
        if not mark and re.match(r":?[-=+?]", rest):
            return new.text  # always set
        self._note("lost", f"{found[0]}: write {new.text} in its place")
        return found[0]


def exports(
    sources: Mapping[str, str], source: Scheduler, to: Scheduler, replacements: Mapping[str, Replacement]
) -> tuple[list[str], list[tuple[str, str]]]:
    """Return lines that export what programs read from their environment, and (program, variable) that are lost."""
    lines, lost = dict[str, None](), []
    for program, text in sources.items():
        for name in dict.fromkeys(re.findall(rf"(?<![\w$])(?:{_OWN[source]})\b", text)):
            new = replacements.get(name)
            if new is None:
                if not (to != "slurm" and source != "slurm" and _COMMON_PBS.fullmatch(name)):
                    lost.append((program, name))
            elif new.name or new.text:
                value = new.text or f"${new.name}"
                lines[f'export {name}="{value}"' if '"' not in value else f"export {name}={value}"] = None
    return list(lines), lost
