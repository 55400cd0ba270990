"""Reading the form of a job: words become a request, each checked for itself; the site is not looked at yet."""

from __future__ import annotations

import math
import re
import shlex
from typing import Any, Literal, get_args

from packhorse.model.errors import UsageError
from packhorse.model.form import Form
from packhorse.model.job import Request, Wait
from packhorse.text import units
from packhorse.text.node import nearest

Until = Literal["start", "end", "ok", "fail", "each"]
When = Literal["begin", "end", "fail"]
ENVIRONMENTS = ("conda", "venv", "uv")
_PART = re.compile(r"(\d{1,9})(?:-(\d{1,9})(?::(\d{1,9}))?)?", re.ASCII)
_SCRIPT = re.compile(r"(?:^|[\s/'\"])([\w.+-]+)\.(?:py|R|r|jl|sh|m)\b")
_BEFORE = {"srun", "mpirun", "mpiexec", "time", "exec", "env", "nice"}  # words before a program
# What Slurm's users write in a file's name (sbatch(1), filename pattern), and what it is called here.
_PATTERNS = {"%j": "{job}", "%A": "{job}", "%a": "{element}", "%x": "{name}", "%%": "%"}
_ADDRESS = re.compile(r"[^\s@,;]+@[^\s@,;]+|[\w.-]+")


def request_of(form: Form) -> Request:
    """Return what a form asks of a scheduler; raise UsageError or StudyError for the first word that cannot be read."""
    _printable(form)
    _counted(form)
    name = form.name or name_of(form.command)
    tasks = form.tasks or form.nodes
    if tasks % form.nodes:
        message = f"{tasks} tasks cannot be shared out evenly over {form.nodes} nodes"
        raise UsageError(
            message, f"--tasks {form.nodes * (tasks // form.nodes + 1)}, or another number of --nodes"
        )
    each = tasks // form.nodes
    cores = form.cores or each
    if cores % each:
        message = f"{cores} cores of a node cannot be shared out evenly over {each} tasks"
        raise UsageError(
            message,
            f"--cores {each * (cores // each + 1)}: --cores counts those of each node, --tasks is in all",
        )
    indices, throttle = array_of(form.array)
    return Request(
        name=name,
        indices=indices,
        throttle=throttle,
        partition=form.partition,
        account=form.account,
        qos=form.qos,
        nodes=form.nodes,
        tasks=each,
        cores=cores,
        memory=memory_of(form.memory, "--memory"),
        core_memory=memory_of(form.memory_per_core, "--memory-per-core"),
        gpus=form.gpus,
        seconds=time_of(form.time),
        output=file_of(form.log, name, "--log"),
        error=file_of(form.error_log, name, "--error-log"),
        waits=tuple(wait_of(said) for said in form.after),
        mail=mail_of(form.mail),
        mail_when=mail_when_of(form.mail_when) if form.mail else (),
        requeue=None,
        options=form.options,
    )


def _printable(form: Form) -> None:
    """Refuse what no line of a shell can hold, and modules that are no word of one line."""
    lines = [form.command, form.environment, form.log, form.error_log, *form.setup]
    if any("\0" in line for line in lines):
        raise UsageError("there is a NUL character in what the job shall do", "take it out")
    for module in form.modules:
        if not module.isprintable():
            raise UsageError(f"the module {module!r} has a line break or a tab", "name one module at a time")


def _counted(form: Form) -> None:
    """Refuse numbers that are none, and wishes that exclude each other."""
    least: tuple[tuple[str, int | None, int], ...] = (
        ("nodes", form.nodes, 1), ("tasks", form.tasks, 1), ("cores", form.cores, 0), ("gpus", form.gpus, 0),
    )  # fmt: skip
    for name, number, smallest in least:
        if number is not None and (isinstance(number, bool) or not smallest <= number < 10**6):
            raise UsageError(f"{name} cannot be {number}", f"write a whole number from {smallest} on")
    if memory_of(form.memory) and memory_of(form.memory_per_core):
        raise UsageError(
            "memory is asked for each node and for each core", "keep --memory or --memory-per-core"
        )


def name_of(command: str) -> str:
    """Return a job's title where none is given: the script that it runs, else its first program."""
    script = _SCRIPT.search(command)
    if script:
        return script[1]
    words = [word for word in command.split() if word not in _BEFORE and not re.match(r"-|\w+=", word)]
    return re.sub(r"[^\w.+-]", "", (words or ["job"])[0].rpartition("/")[2]) or "job"


def memory_of(said: str, what: str = "") -> int | None:
    """Return MiB; None for nothing and for 0, by which the site's default is meant."""
    return None if re.fullmatch(r"\s*0*\s*", said) else units.memory(said, what)


def time_of(said: str) -> int | None:
    """Return seconds; None for nothing."""
    return math.ceil(units.duration(said, "--time")) if said.strip() else None


def array_of(said: str) -> tuple[tuple[tuple[int, int, int], ...], int]:
    """Read `1-100`, `0-12:4,20`, `1-100%8`: ranges of first, last and step, and how many may run at a time (0: all)."""
    text = said.strip()
    if not text:
        return (), 0
    expression, limited, most = text.partition("%")
    parts = []
    for part in expression.split(","):
        found = _PART.fullmatch(part.strip())
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if not found or last < first or found[3] == "0":
            raise _no_array(text, part)
        step = int(found[3] or 1)
        parts.append((first, first + (last - first) // step * step, step if last > first else 1))
    if limited and not re.fullmatch(r"[1-9]\d{0,8}", most):
        raise _no_array(text, f"%{most}")
    return tuple(parts), int(most or 0)


def _no_array(said: str, part: str) -> UsageError:
    hint = "write --array 1-100, 0-90:10 (every tenth), 1,3,7, or 1-100%8 (8 at a time)"
    return UsageError(f"the array '{said}' cannot be read at '{part}'", hint)


def wait_of(said: str) -> Wait:
    """Read `ok:4711`: until when, and for which job."""
    until, _, job = said.partition(":")
    known: tuple[Any, ...] = get_args(Until)
    if until not in known or not job.strip():
        meaning = "ok:JOB (has ended well), fail:JOB (badly), end:JOB (in any way), start:JOB (has begun)"
        raise UsageError(
            f"'{said}' does not say for what of which job to wait",
            f"write --after {meaning}, each:JOB (of two arrays)",
        )
    return Wait(job.strip(), known[known.index(until)])


def mail_of(said: str) -> str:
    """Return an address, which may be a user's name at the site."""
    address = said.strip()
    if address and not _ADDRESS.fullmatch(address):
        raise UsageError(f"'{said}' is no mail address", "write one address: --mail ada@example.org")
    return address


def mail_when_of(said: str) -> tuple[When, ...]:
    """Read `begin,end,fail`; by default mail comes at the end, and when the job fails."""
    words = [word for word in re.split(r"[,\s]+", said.lower()) if word] or ["end", "fail"]
    known: tuple[When, ...] = get_args(When)
    words = list(known) if words == ["all"] else words
    for word in words:
        if word not in known:
            raise UsageError(
                f"no mail is sent at '{word}'", f"{nearest(word, known)}\nwrite --mail-when end,fail"
            )
    return tuple(when for when in known if when in words)


def file_of(said: str, name: str, what: str) -> str:
    """Return a log's path with {job} and {element} in it; Slurm's %j, %A, %a and %x are understood."""

    def place(found: re.Match[str]) -> str:
        if found[0] not in _PATTERNS:
            hint = (
                "in a log's name {job}, {element} and {name} stand for the numbers and the title; %% is a %"
            )
            raise UsageError(f"{what}: '{found[0]}' in '{said}' is not understood", hint)
        return _PATTERNS[found[0]]

    path = re.sub(r"%.?", place, said if said.strip() else "").replace("{name}", file_word(name))
    if re.search(r"\{(?:job|element)\}.*/", path):
        message = f"{what}: the folder in '{said}' has the job's number in it, and must be there before there is one"
        raise UsageError(message, "put the number into the file's name: logs/{job}.out")
    return path


def file_word(name: str) -> str:
    """Return a title as part of a file's name."""
    return re.sub(r"[^\w.+-]+", "_", name).strip("_").lstrip("-.") or "job"


def environment_of(said: str) -> tuple[str, str]:
    """Read `conda:stats`, `venv:.venv`, `uv`: the kind of an environment, and its name or folder."""
    kind, _, name = said.partition(":")
    if kind not in ENVIRONMENTS or (not name and kind != "uv"):
        hint = (
            "write --environment conda:NAME, venv:FOLDER, or uv:FOLDER (of the project; uv alone: this one)"
        )
        raise UsageError(f"the environment '{said}' cannot be read", hint)
    if not name.isprintable():
        raise UsageError(f"the environment {said!r} has a line break or a tab", "rename it")
    return kind, name


def words_of(command: str) -> list[str]:
    """Return the words of shell lines as far as they can be read."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=";&|()<>")
    lexer.whitespace_split = True
    try:
        return list(lexer)
    except ValueError:
        return command.split()
