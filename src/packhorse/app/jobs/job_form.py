"""Parse the form of a job into a request; each option is checked by itself, without the site."""

from __future__ import annotations

import math
import re
import shlex
from typing import Any, Literal, get_args

from packhorse.model.errors import UsageError
from packhorse.model.form import Form
from packhorse.model.job import Request, Wait
from packhorse.text import units
from packhorse.text.amounts import counted
from packhorse.text.node import nearest

Until = Literal["start", "end", "ok", "fail", "each"]
When = Literal["begin", "end", "fail"]
ENVIRONMENTS = ("conda", "venv", "uv")
_PART = re.compile(r"(\d{1,9})(?:-(\d{1,9})(?::(\d{1,9}))?)?", re.ASCII)
_SCRIPT = re.compile(r"(?:^|[\s/'\"])([\w.+-]+)\.(?:py|R|r|jl|sh|m)\b")
_PREFIXES = {"srun", "mpirun", "mpiexec", "time", "exec", "env", "nice"}  # of a command
# The patterns of sbatch(1), FILENAME PATTERN, and the names they have here.
_PATTERNS = {"%j": "{job}", "%A": "{job}", "%a": "{element}", "%x": "{name}", "%%": "%"}
_ADDRESS = re.compile(r"[^\s@,;]+@[^\s@,;]+|[\w.-]+")


def request_of(form: Form) -> Request:
    """Return the request that a form makes; raise UsageError or StudyError for the first option that is not valid."""
    _printable(form)
    _counted(form)
    name = form.name or name_of(form.command)
    tasks = form.tasks or form.nodes
    if tasks % form.nodes:
        message = f"{counted(tasks, 'task')} cannot be divided evenly among {counted(form.nodes, 'node')}"
        raise UsageError(
            message, f"--tasks {form.nodes * (tasks // form.nodes + 1)}, or another number of --nodes"
        )
    each = tasks // form.nodes
    cores = form.cores or each
    if cores % each:
        message = f"{counted(cores, 'core')} per node cannot be divided evenly among {counted(each, 'task')}"
        raise UsageError(
            message,
            f"--cores {each * (cores // each + 1)}: --cores is per node, --tasks is the total",
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
        waits=tuple(wait_of(text) for text in form.after),
        mail=mail_of(form.mail),
        mail_when=mail_when_of(form.mail_when) if form.mail else (),
        requeue=None,
        options=form.options,
    )


def _printable(form: Form) -> None:
    """Refuse NUL characters, and names of modules that do not fit on a line."""
    lines = [form.command, form.environment, form.log, form.error_log, *form.setup]
    if any("\0" in line for line in lines):
        raise UsageError("the job's lines contain a NUL character", "remove it")
    for module in form.modules:
        if not module.isprintable():
            raise UsageError(
                f"the module {module!r} contains a line break or a tab", "name one module at a time"
            )


def _counted(form: Form) -> None:
    """Refuse numbers out of range, and options that exclude each other."""
    least: tuple[tuple[str, int | None, int], ...] = (
        ("nodes", form.nodes, 1), ("tasks", form.tasks, 1), ("cores", form.cores, 0), ("gpus", form.gpus, 0),
    )  # fmt: skip
    for name, number, smallest in least:
        if number is not None and (isinstance(number, bool) or not smallest <= number < 10**6):
            raise UsageError(f"{name} cannot be {number}", f"write a whole number of at least {smallest}")
    if memory_of(form.memory) and memory_of(form.memory_per_core):
        raise UsageError("--memory and --memory-per-core exclude each other", "keep one of them")


def name_of(command: str) -> str:
    """Return the default name of a job: the script that it runs, else its first program."""
    script = _SCRIPT.search(command)
    if script:
        return script[1]
    programs = [word for word in command.split() if word not in _PREFIXES and not re.match(r"-|\w+=", word)]
    return re.sub(r"[^\w.+-]", "", (programs or ["job"])[0].rpartition("/")[2]) or "job"


def memory_of(text: str, what: str = "") -> int | None:
    """Parse an amount of memory in MiB; None for nothing and for 0, the site's default."""
    return None if re.fullmatch(r"\s*0*\s*", text) else units.memory(text, what)


def time_of(text: str) -> int | None:
    """Parse a time in seconds; None for nothing."""
    return math.ceil(units.duration(text, "--time")) if text.strip() else None


def array_of(text: str) -> tuple[tuple[tuple[int, int, int], ...], int]:
    """Parse `1-100`, `0-12:4,20`, `1-100%8`: ranges of first, last and step, and how many run at a time (0: all)."""
    text = text.strip()
    if not text:
        return (), 0
    expression, limited, most = text.partition("%")
    parts = []
    for part in expression.split(","):
        match = _PART.fullmatch(part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if not match or last < first or match[3] == "0":
            raise _no_array(text, part)
        step = int(match[3] or 1)
        parts.append((first, first + (last - first) // step * step, step if last > first else 1))
    if limited and not re.fullmatch(r"[1-9]\d{0,8}", most):
        raise _no_array(text, f"%{most}")
    return tuple(parts), int(most or 0)


def _no_array(text: str, part: str) -> UsageError:
    hint = "write --array 1-100, 0-90:10 (every tenth), 1,3,7, or 1-100%8 (8 at a time)"
    return UsageError(f"the array '{text}' cannot be read at '{part}'", hint)


def wait_of(text: str) -> Wait:
    """Parse `ok:4711`: the event to wait for, and the job."""
    until, _, job = text.partition(":")
    known: tuple[Any, ...] = get_args(Until)
    if until not in known or not job.strip():
        events = "ok:JOB (succeeded), fail:JOB (failed), end:JOB (ended), start:JOB (started)"
        raise UsageError(
            f"--after '{text}' is not WHEN:JOB", f"write --after {events}, each:JOB (element by element)"
        )
    return Wait(job.strip(), known[known.index(until)])


def mail_of(text: str) -> str:
    """Check an email address, which may be a user name of the site."""
    address = text.strip()
    if address and not _ADDRESS.fullmatch(address):
        raise UsageError(f"'{text}' is not an email address", "write one address: --mail ada@example.org")
    return address


def mail_when_of(text: str) -> tuple[When, ...]:
    """Parse `begin,end,fail`; the default is end and fail."""
    events = [event for event in re.split(r"[,\s]+", text.lower()) if event] or ["end", "fail"]
    known: tuple[When, ...] = get_args(When)
    events = list(known) if events == ["all"] else events
    for event in events:
        if event not in known:
            raise UsageError(
                f"'{event}' is not an event for mail", f"{nearest(event, known)}\nwrite --mail-when end,fail"
            )
    return tuple(when for when in known if when in events)


def file_of(text: str, name: str, what: str) -> str:
    """Return a log's path with {job} and {element} in it; Slurm's %j, %A, %a and %x are understood."""

    def place(found: re.Match[str]) -> str:
        if found[0] not in _PATTERNS:
            hint = "use {job}, {element} and {name} for the job number, the array index and the job name; %% is a %"
            raise UsageError(f"{what}: '{found[0]}' in '{text}' is not understood", hint)
        return _PATTERNS[found[0]]

    path = re.sub(r"%.?", place, text if text.strip() else "").replace("{name}", file_word(name))
    if re.search(r"\{(?:job|element)\}.*/", path):
        message = f"{what} '{text}': a folder with the job's number cannot exist before the job is submitted"
        raise UsageError(message, "put the number into the file name: logs/{job}.out")
    return path


def file_word(name: str) -> str:
    """Return a job name as part of a file name."""
    return re.sub(r"[^\w.+-]+", "_", name).strip("_").lstrip("-.") or "job"


def environment_of(text: str) -> tuple[str, str]:
    """Parse `conda:stats`, `venv:.venv`, `uv`: the kind of an environment, and its name or folder."""
    kind, _, name = text.partition(":")
    if kind not in ENVIRONMENTS or (not name and kind != "uv"):
        hint = (
            "write --environment conda:NAME, venv:FOLDER, or uv:FOLDER (of the project; uv alone: this one)"
        )
        raise UsageError(f"the environment '{text}' cannot be read", hint)
    if not name.isprintable():
        raise UsageError(f"the environment {text!r} contains a line break or a tab", "rename it")
    return kind, name


def words_of(command: str) -> list[str]:
    """Split shell lines into words, as far as they can be parsed."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=";&|()<>")
    lexer.whitespace_split = True
    try:
        return list(lexer)
    except ValueError:
        return command.split()
