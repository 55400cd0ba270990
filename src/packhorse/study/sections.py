"""The keys of a study that have keys or words of their own: resources, result, environment and the like."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

from packhorse.model.space import text
from packhorse.model.study import Cluster, Environment, IndexVariable, Resources, Result, Summary
from packhorse.study.generate import number
from packhorse.study.keys import (
    CLUSTER,
    ENVIRONMENT,
    FORMATS,
    INDEX_VARIABLE,
    MAIL_WORDS,
    RESOURCES,
    RESULT,
    RESULT_WORDS,
    SUMMARY,
)
from packhorse.study.levels import level_value
from packhorse.study.template import BUILTIN, compile_word
from packhorse.text.node import (
    Node,
    as_choice,
    as_integer,
    as_list,
    as_text,
    as_texts,
    as_word,
    check_text,
    entries,
    found,
    mapping,
    nearest,
    refuse,
)
from packhorse.text.units import as_memory, as_time


def read_resources(node: Node) -> Resources:
    """Return what one task needs."""
    given = entries(node, RESOURCES, "resources")
    read: dict[str, Any] = {}
    for key, least in (("cpus", 1), ("gpus", 0)):
        if key in given:
            read[key] = as_integer(given[key], key, least, 100_000)
    if "memory" in given:
        read["memory"] = as_memory(given["memory"])
    if "time" in given:
        read["time"] = math.ceil(as_time(given["time"]))
    if "expected" in given:
        read["expected"] = float(as_time(given["expected"], "expected"))
        if read["expected"] > read.get("time", math.inf):
            hint = "time is the longest a task may take; make it longer, or expected shorter."
            refuse(given["expected"], "A task is expected to take longer than its time.", hint)
    return Resources(**read)


def read_cluster(node: Node) -> Cluster:
    """Return what jobs ask of a cluster beside resources."""
    given = entries(node, CLUSTER, "cluster")
    read: dict[str, Any] = {
        key: as_word(given[key], key)
        for key in ("partition", "account", "qos", "mail", "area")
        if key in given
    }
    if "job_time" in given:
        read["job_time"] = math.ceil(as_time(given["job_time"], "job_time"))
    if "max_jobs" in given:
        read["max_jobs"] = as_integer(given["max_jobs"], "max_jobs", 1)
    if "max_core_hours" in given:
        read["max_core_hours"] = _core_hours(given["max_core_hours"])
    if "mail_when" in given:
        read["mail_when"] = _mail_when(given["mail_when"])
    if "modules" in given:
        read["modules"] = tuple(as_word(item, "each of modules") for item in _items(given["modules"]))
    if "setup" in given:
        read["setup"] = as_texts(given["setup"], "setup")
    if "options" in given:
        read["options"] = tuple(map(_option, _items(given["options"])))
    return Cluster(**read)


def _items(node: Node) -> list[Node]:
    return list(node.value) if isinstance(node.value, list) else [node]


def _core_hours(node: Node) -> float:
    hours = number(node, "max_core_hours")
    if not 0 < hours < math.inf:
        refuse(node, f"max_core_hours must be more than 0, but is {node.text}.", "Write for instance 500.")
    return float(hours)


def _mail_when(node: Node) -> tuple[str, ...]:
    words = [as_choice(item, "mail_when", MAIL_WORDS) for item in _items(node)]
    if not words:
        refuse(node, "mail_when is empty.", "Write end, or leave mail out for no mail.")
    return tuple(dict.fromkeys(words))


def _option(node: Node) -> str:
    """Return an option in the scheduler's own words: one line, as it stands in a job script."""
    said = as_text(node, "each of options").strip()
    if not said.startswith("-") or not said.isprintable():
        hint = "Write one option as the scheduler has it: --constraint=haswell (without #SBATCH or #PBS)."
        refuse(node, f"'{said}' is not an option of a scheduler.", hint)
    return said


def read_result(node: Node, names: Iterable[str], *, function: bool) -> Result:
    """Return where a task's result comes from."""
    if isinstance(node.value, dict):
        given = entries(node, RESULT, "result")
        if "file" not in given:
            refuse(node, "result has no file.", "Write result: {file: out.csv}.")
        kind = (
            as_choice(given["format"], "format", sorted(set(FORMATS.values()))) if "format" in given else ""
        )
        return _result_file(given["file"], names, kind)
    said = as_text(node, "result")
    if said not in RESULT_WORDS:
        return _result_file(node, names, "")
    if function and said in ("auto", "json"):
        hint = "Leave result out: a function's result is what it returns."
        refuse(node, f"result: {said} is for commands, not for functions.", hint)
    if said == "return" and not function:
        refuse(
            node, "result: return is for functions, not for commands.", "Write auto, json, none or a file."
        )
    return Result(kind=said)  # type: ignore[arg-type]  # one of RESULT_WORDS


def _result_file(node: Node, names: Iterable[str], kind: str) -> Result:
    path = as_text(node, "result")
    if not any(sign in path for sign in "{./"):
        hint = f"{nearest(path, RESULT_WORDS)} A file is written with its suffix: {path}.csv."
        refuse(node, f"result: '{path}' is neither a word known here nor a file.", hint)
    compile_word(path, [*names, *BUILTIN], node.where)
    relative_path(path, node)
    suffix = PurePosixPath(path.replace("{output.", "{output}.").replace("}", "")).suffix.lower()
    if not kind and suffix not in ("", *FORMATS):
        hint = f"Known are {', '.join(FORMATS)}. Say how it is read: {{file: {path}, format: csv}}; or keep it: artifacts."
        refuse(node, f"A result file with the suffix '{suffix}' is not known.", hint)
    return Result(kind="file", file=path, format=kind or FORMATS.get(suffix, ""))  # type: ignore[arg-type]


def relative_path(path: str, node: Node) -> str:
    """Return a path that stays inside the study's folder."""
    if path.startswith(("/", "~")) or ".." in PurePosixPath(path).parts:
        hint = "Write a path relative to the study's folder and inside it."
        refuse(node, f"The path '{path}' leads out of the study's folder.", hint)
    return path


def read_paths(node: Node, what: str) -> tuple[str, ...]:
    """Return relative paths or glob patterns."""
    items = as_list(node, what) if isinstance(node.value, list) else [node]
    return tuple(relative_path(as_text(item, f"each of {what}"), item) for item in items)


def read_env(node: Node) -> dict[str, str | None]:
    """Return environment variables; None stands for a value that is passed on."""
    if isinstance(node.value, list):
        return {_variable(as_text(item, "each of env"), item.where): None for item in node.value}
    read: dict[str, str | None] = {}
    for name, child in mapping(node, "env").items():
        value = level_value(child)
        if isinstance(value, list):
            refuse(child, f"The value of {name} is a list.", "Write one text.")
        shown = child.text if isinstance(value, int | float) and not isinstance(value, bool) else text(value)
        read[_variable(name, child.key)] = None if value is None else shown
    return read


def _variable(name: str, where: str) -> str:
    check_text(name, where)
    if not name or "=" in name:
        hint = "Write a list of names to pass on, [API_TOKEN], or a mapping with values, {LANG: C}."
        refuse(where, f"'{name}' cannot be the name of an environment variable.", hint)
    return name


def read_environment(node: Node) -> Environment:
    """Return which interpreter and packages run the tasks."""
    if not isinstance(node.value, dict):
        if node.value != "none":
            hint = "Write none, {python: /usr/bin/python3}, {venv: .venv} or {uv: true}."
            refuse(node, f"environment must be none or a mapping, but is {found(node)}.", hint)
        return Environment()
    given = entries(node, ENVIRONMENT, "environment")
    if len(given) != 1:
        hint = "Write one of python, venv and uv: {venv: .venv}."
        refuse(node, f"environment has {len(given)} keys, but there is one environment.", hint)
    kind, child = next(iter(given.items()))
    if kind == "uv" and child.value is True:
        return Environment(kind="uv", path=".")
    return Environment(kind=kind, path=as_text(child, kind))  # type: ignore[arg-type]  # a key of ENVIRONMENT


def read_summary(node: Node, names: Iterable[str]) -> Summary:
    """Return what to summarise."""
    given = entries(node, SUMMARY, "summary")
    known = [*names, "replicate"]
    groups = as_texts(given["by"], "by") if "by" in given else ()
    for name in groups:
        if name not in known:
            refuse(
                given["by"], f"summary groups by '{name}', which is not a parameter.", nearest(name, known)
            )
    return Summary(
        by=groups,
        of=as_texts(given["of"], "of") if "of" in given else (),
        quantiles=tuple(_quantile(item) for item in as_list(given["quantiles"], "quantiles"))
        if "quantiles" in given
        else (),
    )


def _quantile(node: Node) -> float:
    value = number(node, "a quantile")
    if not 0 <= value <= 1:
        refuse(
            node, f"A quantile lies between 0 and 1, but this is {node.text}.", "Write for instance 0.975."
        )
    return float(value)


def read_index_variable(node: Node, names: Iterable[str]) -> IndexVariable:
    """Return the array variable an existing script reads."""
    if not isinstance(node.value, dict):
        return IndexVariable(name=_variable(as_text(node, "index_variable"), node.where))
    given = entries(node, INDEX_VARIABLE, "index_variable")
    if "name" not in given:
        refuse(node, "index_variable has no name.", "Write {name: SLURM_ARRAY_TASK_ID, start: 1}.")
    name = _variable(as_text(given["name"], "name"), given["name"].where)
    start = as_integer(given["start"], "start", -(2**31), 2**31) if "start" in given else 0
    parameter = as_text(given["parameter"], "parameter") if "parameter" in given else ""
    known = list(names)
    if parameter and parameter not in known:
        refuse(given["parameter"], f"'{parameter}' is not a parameter.", nearest(parameter, known))
    if parameter and "start" in given:
        refuse(given["start"], "start and parameter exclude each other.", "Keep one of them.")
    return IndexVariable(name=name, start=start, parameter=parameter)


def read_defaults(node: Node, names: Iterable[str]) -> dict[str, Any]:
    """Return the values that finished tasks had of new parameters."""
    known = list(names)
    read = {}
    for name, child in mapping(node, "defaults").items():
        if name not in known:
            refuse(child.key, f"defaults names '{name}', which is not a parameter.", nearest(name, known))
        read[name] = level_value(child)
    return read
