"""The study of a job script, as plain values: the script itself with its index, or its program with named parameters."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from msgspec import Struct

from packhorse.adopt.job import INDEX_NAMES, AdoptedJob
from packhorse.adopt.named import NamedStudy
from packhorse.study.template import literal
from packhorse.text.units import duration_text, memory_text
from packhorse.text.write import Written
from packhorse.text.yaml import resolve

INDEX = "task_id"  # the parameter of the array's index
INLINE = 40  # rows; more go to a CSV file
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+")
_PLACEHOLDER = re.compile(r"[<>{}$]|example|your|X{3}", re.IGNORECASE)
_PASSED_ON = ("constraint", "licenses", "nodelist", "exclude", "reservation")


class Draft(Struct, frozen=True, kw_only=True):
    """A study as plain values, and the rows of its CSV file where it has one.

    `folders` are those that its command makes; where the result's file has them made, `bare` are the keys of the command.
    """

    keys: dict[str, Any]
    table: tuple[str, str] | None = None  # name and text
    folders: tuple[str, ...] = ()
    bare: dict[str, Any] = {}

    def with_result(self, result: str) -> dict[str, Any]:
        """Return the keys with a result file, whose folders are made for each task."""
        made = (
            {str(folder) for folder in PurePosixPath(result).parents}
            if "{" not in str(PurePosixPath(result).parent)
            else set()
        )
        if not self.folders or not {folder.rstrip("/").removeprefix("./") for folder in self.folders} <= made:
            return self.keys
        keys = {key: value for key, value in self.keys.items() if key != "shell"}
        return {
            **{key: keys[key] for key in ("name",)},
            **self.bare,
            **{k: v for k, v in keys.items() if k not in {"name", "command"}},
        }


def script_study(job: AdoptedJob, command: Sequence[str], name: str) -> Draft:
    """Return the study that runs the script itself, `command`, once for each index."""
    values = job.values
    texts = [literal(word) for word in command]
    parameters, table = _parameters({INDEX: tuple(map(str, values))} if values else {}, name)
    keys: dict[str, Any] = {"name": name}
    index = _index(job, job.mentions) if values else None
    prefix = dict.fromkeys(job.index_names[1:] if index else (), "{" + INDEX + "}")
    keys |= _command(texts, prefix | _needed(job.own_variables, job.mentions), ())
    keys |= _common(job, parameters, index, _needed(job.constants, job.mentions), loaded_modules(job))
    return Draft(keys=keys, table=table)


def named_draft(job: AdoptedJob, named: NamedStudy, name: str, cores: int, memory: int | None) -> Draft:
    """Return the study that runs the program of a script with named parameters; `cores` and `memory` are of a task."""
    parameters, table = _parameters(named.columns, name)
    index = _index(job, job.in_sources) if job.values else None
    own = _needed(job.own_variables, job.in_sources)
    keys: dict[str, Any] = {"name": name}
    keys |= _command(named.command, {**named.prefix, **own}, named.folders)
    environ = {**_needed(job.constants, job.in_sources), **named.environ}
    keys |= _common(job, parameters, index, environ, named.modules, (cores, memory))
    if named.venv:
        keys["environment"] = {"venv": named.venv}
    bare = _command(named.command, {**named.prefix, **own}, ())
    return Draft(keys=keys, table=table, folders=named.folders, bare=bare)


def _needed(variables: Mapping[str, str], mentions: Callable[[str], bool]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if mentions(name)}


def _command(words: Sequence[str], prefix: Mapping[str, str], folders: Sequence[str]) -> dict[str, Any]:
    """Return the keys of a command; with variables or folders before it, it needs a shell."""
    if not prefix and not folders:
        return {"command": list(words) if any(map(_needs_list, words)) else " ".join(words)}
    line = " ".join([*(f"{name}={value}" for name, value in prefix.items()), *map(_quoted, words)])
    if folders:
        line = f"mkdir -p {' '.join(map(_quoted, folders))} && {line}"
    return {"shell": True, "command": line}


def _needs_list(word: str) -> bool:
    return not re.fullmatch(r"[\w./=:,+@%{}^-]+", word)


def _quoted(word: str) -> str:
    """Return a template as a word of a shell, in which values are quoted already."""
    return word if not _needs_list(word) else shlex.quote(word)


def _index(job: AdoptedJob, mentions: Callable[[str], bool]) -> dict[str, str] | None:
    names = [name for name in job.index_names if mentions(name)]
    usual = INDEX_NAMES[job.family][0]
    return {"name": names[0] if names else usual, "parameter": INDEX}


def _parameters(
    columns: Mapping[str, Sequence[str]], name: str
) -> tuple[dict[str, Any], tuple[str, str] | None]:
    """Return the parameters, and the name and text of their CSV file."""
    if not columns:
        return {}, None
    rows = len(next(iter(columns.values())))
    if len(columns) == 1:
        ((only, values),) = columns.items()
        return {only: _steps(values) or list(map(_value, values))}, None
    if rows <= INLINE:
        return {"zip": {one: list(map(_value, values)) for one, values in columns.items()}}, None
    lines = [",".join(map(_cell, row)) for row in (list(columns), *zip(*columns.values(), strict=True))]
    file = f"{re.sub(r'[^A-Za-z0-9_.-]', '_', name)}-tasks.csv"
    return {"csv": file}, (file, "\n".join(lines) + "\n")


def _steps(values: Sequence[str]) -> dict[str, Any] | None:
    """Return whole numbers in equal steps as a range."""
    if len(values) < 4 or not all(re.fullmatch(r"0|[1-9]\d{0,15}", text) for text in values):
        return None
    numbers = list(map(int, values))
    step = numbers[1] - numbers[0]
    if step < 1 or numbers != list(range(numbers[0], numbers[-1] + 1, step)):
        return None
    span = {"from": numbers[0], "to": numbers[-1]}
    return {"range": {**span, "by": step} if step > 1 else span}


def _value(text: str) -> Any:
    return text if isinstance(resolve(text), str) else Written(text)


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if re.search(r'[",\n\r]|^\s|\s$', text) else text


# --- Keys that both forms have ---


def _common(
    job: AdoptedJob,
    parameters: dict[str, Any],
    index: dict[str, str] | None,
    environ: Mapping[str, str],
    modules: Sequence[str],
    size: tuple[int, int | None] = (0, None),
) -> dict[str, Any]:
    """Return the keys beside the command; `size` is cores and memory of a task, where they are not those of the job."""
    keys: dict[str, Any] = {}
    if parameters:
        keys["parameters"] = parameters
    if index:
        keys["index_variable"] = index
    environ = {**environ, **job.given}
    if environ:
        keys["env"] = {
            name: value if isinstance(resolve(value), str) else Written(value)
            for name, value in environ.items()
        }
    if resources := _resources(job, *(size if size[0] else (job.cores, job.memory))):
        keys["resources"] = resources
    if cluster := _cluster(job, modules):
        keys["cluster"] = cluster
    return keys


def _resources(job: AdoptedJob, cores: int, memory: int | None) -> dict[str, Any]:
    asked = job.request
    found: dict[str, Any] = {}
    if cores > 1:
        found["cpus"] = cores
    if memory:
        found["memory"] = memory_text(memory)
    if asked.seconds:
        found["time"] = duration_text(asked.seconds)
    if asked.gpus:
        found["gpus"] = asked.gpus
    return found


def _cluster(job: AdoptedJob, modules: Sequence[str]) -> dict[str, Any]:
    asked, script = job.request, job.script
    found: dict[str, Any] = {}
    for key, value in (
        ("partition", asked.partition.partition(",")[0]),
        ("account", asked.account),
        ("qos", asked.qos),
    ):
        if value and not _PLACEHOLDER.search(value) and not re.search(r"\s", value):
            found[key] = value
    if job.indices and job.indices.at_a_time:
        found["max_jobs"] = job.indices.at_a_time
    mail = script.value("mail-user") or (script.value("M") if script.dialect == "pbs" else "")
    if _ADDRESS.fullmatch(mail) and not _PLACEHOLDER.search(mail):
        found["mail"] = mail
    if modules:
        found["modules"] = list(dict.fromkeys(modules))
    options = [
        f"--{name}={value}"
        for name in _PASSED_ON
        if (value := script.value(name)) and script.dialect == "slurm"
    ]
    options = [option for option in options if not _PLACEHOLDER.search(option)]
    if options:
        found["options"] = options
    return found


def loaded_modules(job: AdoptedJob) -> tuple[str, ...]:
    """Return the modules that plain lines of a script load."""
    found: list[str] = []
    for command in job.shell.commands:
        where = command.where
        words = [word.literal for word in command.words]
        if (
            words[0] in {"module", "ml"}
            and not (where.loop or where.conditional or where.function)
            and None not in words
        ):
            names = [word for word in words[1:] if word]
            if names[:1] == ["purge"]:
                found = []
            elif names[:1] in (["load"], ["add"]):
                found += names[1:]
            elif words[0] == "ml" and names and re.search(r"[/\d]", names[0]):
                found += names
    return tuple(name for name in found if re.fullmatch(r"[\w.+/-]+", name) and name[0] != "-")
