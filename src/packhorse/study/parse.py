"""A study file -> Study: every key read, checked and laid out; the only place that knows them all.

The seed is 0 where the study gives none, so that a study is repeatable from its first run on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import islice
from math import prod
from pathlib import PurePosixPath
from typing import Any

from packhorse.model.study import Factor, Result, Study
from packhorse.study.conditions import rows, size
from packhorse.study.keys import CLUSTER, SITE, STUDY
from packhorse.study.parameters import expand
from packhorse.study.reading import Read
from packhorse.study.sections import (
    read_cluster,
    read_defaults,
    read_env,
    read_environment,
    read_index_variable,
    read_paths,
    read_resources,
    read_result,
    read_summary,
)
from packhorse.study.template import check_format, compile_command, split
from packhorse.text.node import (
    Node,
    as_choice,
    as_flag,
    as_integer,
    as_list,
    as_text,
    as_texts,
    entries,
    mapping,
    plain,
    refuse,
)
from packhorse.text.units import as_time
from packhorse.text.yaml import parse_yaml

# Task numbers are signed 64-bit integers in the table.
MOST_TASKS = 2**62
_NAME = re.compile(r"\w[\w .+@=-]*")
_FUNCTION = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


def parse_study(text: str, *, path: str, read: Read, site: str | None = None) -> Study:
    """Return the study that a YAML text describes, with the overrides of a site laid over it.

    `path` names the file in messages and gives the default name; `read` opens files beside it.
    Raises StudyError at file:line:column.
    """
    return build(parse_yaml(text, path), path=path, read=read, site=site)


def build(root: Node, *, path: str, read: Read, site: str | None = None) -> Study:
    """Return the study of a checked mapping, whether it came from YAML or from Python."""
    given = _entries(root, STUDY, "the study")
    sites = _read_sites(given)
    for overrides in sites.values():
        _read_where(overrides)
    values = _read_what(given, path)
    seeding = values.get("seeding", "independent")
    factors = _read_factors(given, read, values["seed"], seeding)
    names = [name for factor in factors for name in factor.names]
    values |= _read_about_parameters(given, names, function=bool(values.get("function")))
    values |= _read_where({key: node for key, node in given.items() if key in SITE})
    if site in sites:
        values |= _overridden(given, sites[site])
    study = Study(factors=factors, **values)
    _check_size(study, root)
    return _check_command(study, given)


def _read_what(given: Mapping[str, Node], path: str) -> dict[str, Any]:
    """Read the keys that stand by themselves."""
    values: dict[str, Any] = {
        "name": _read_name(given["name"]) if "name" in given else default_name(path),
        "seed": as_integer(given["seed"], "seed", 0, 2**63 - 1) if "seed" in given else 0,
    }
    if "replicates" in given:
        values["replicates"] = as_integer(given["replicates"], "replicates", 1)
    if "seeding" in given:
        values["seeding"] = as_choice(given["seeding"], "seeding", ["independent", "common"])
    for key in ("artifacts", "code", "include"):
        if key in given:
            values[key] = read_paths(given[key], key)
    if "checks" in given:
        values["checks"] = as_texts(given["checks"], "checks")
    if "checkpoint" in given:
        values["checkpoint"] = as_flag(given["checkpoint"], "checkpoint")
    if "sites" in given:
        values["sites"] = plain(given["sites"])
    return values | _read_program(given)


def _read_program(given: Mapping[str, Node]) -> dict[str, Any]:
    """Read command, shell and function, of which a study has one program."""
    where = next((node.key for node in given.values()), "")
    if ("command" in given) == ("function" in given):
        count = "both command and function" if "command" in given else "neither command nor function"
        hint = "Write one of them: command: python sim.py --n {n}, or function: sim:estimate."
        refuse(given["function"].key if "function" in given else where, f"The study has {count}.", hint)
    shell = as_flag(given["shell"], "shell") if "shell" in given else False
    if "function" in given:
        if shell:
            refuse(given["shell"], "A function is not run by a shell.", "Remove the line shell: true.")
        name = as_text(given["function"], "function")
        if not _FUNCTION.fullmatch(name):
            hint = "Write the module's name, a colon and the function's: sim:estimate (for sim.py)."
            refuse(given["function"], f"'{name}' is not module:function.", hint)
        return {"function": name}
    command = given["command"]
    if shell:
        if isinstance(command.value, list):
            refuse(command, "A command for the shell must be one text, not a list.", "Write it as one text.")
        return {"shell": as_text(command, "command")}
    if isinstance(command.value, list):
        return {"command": _words(command)}
    return {"command": split(as_text(command, "command"), command.where)}


def _words(node: Node) -> tuple[str, ...]:
    """Return a command's words; numbers may stand there as they are written, empty texts too."""
    words = []
    for item in as_list(node, "command"):
        if isinstance(item.value, list | dict) or (item.value is None and not item.text):
            hint = "Write each as a text; one that begins with { or [ in quotes: '{n}'."
            refuse(item, "Each word of the command must be a text.", hint)
        words.append(item.text)
    if not words or not words[0]:
        refuse(node, "The command is empty.", "Write for instance: [python, sim.py, '{n}']")
    return tuple(words)


def _read_factors(given: Mapping[str, Node], read: Read, seed: int, seeding: str) -> tuple[Factor, ...]:
    node = given.get("parameters")
    if node is None or (node.value is None and not node.text):
        return ()
    return expand(node, read=read, seed=seed, common=seeding == "common")


def _read_about_parameters(given: Mapping[str, Node], names: list[str], *, function: bool) -> dict[str, Any]:
    """Read the keys that may name parameters."""
    values: dict[str, Any] = {}
    if "result" in given:
        values["result"] = read_result(given["result"], names, function=function)
    elif function:
        values["result"] = Result(kind="return")
    if "summary" in given:
        values["summary"] = read_summary(given["summary"], names)
    if "index_variable" in given:
        values["index_variable"] = read_index_variable(given["index_variable"], names)
    if "defaults" in given:
        values["defaults"] = read_defaults(given["defaults"], names)
    return values


def _read_where(given: Mapping[str, Node]) -> dict[str, Any]:
    """Read the keys that a site may override."""
    values: dict[str, Any] = {}
    if "resources" in given:
        values["resources"] = read_resources(given["resources"])
    if "cluster" in given:
        values["cluster"] = read_cluster(given["cluster"])
    if "environment" in given:
        values["environment"] = read_environment(given["environment"])
    if "env" in given:
        values["env"] = read_env(given["env"])
    if "data" in given:
        values["data"] = as_texts(given["data"], "data")
    if "time_limit" in given:
        values["time_limit"] = float(as_time(given["time_limit"], "time_limit"))
    if "retries" in given:
        values["retries"] = as_integer(given["retries"], "retries", 0, 1000)
    return values


def _read_sites(given: Mapping[str, Node]) -> dict[str | None, dict[str, Node]]:
    if "sites" not in given:
        return {}
    return {
        name: _entries(child, SITE, f"the site '{name}'")
        for name, child in mapping(given["sites"], "sites").items()
    }


def _entries(node: Node, table: Iterable[str], what: str) -> dict[str, Node]:
    """Return a mapping's entries; a key that belongs under `cluster` is told so."""
    for name, child in mapping(node, what).items():
        if name not in table and name in CLUSTER:
            refuse(child.key, f"{what} has no key '{name}'.", f"Write it as cluster: {{{name}: ...}}.")
    return entries(node, table, what)


def _overridden(given: Mapping[str, Node], over: Mapping[str, Node]) -> dict[str, Any]:
    """Return a site's values; resources, cluster and env are overridden entry by entry, the others whole."""
    laid = dict(over)
    for key in ("resources", "cluster"):
        if key in given and key in over:
            laid[key] = Node({**given[key].value, **over[key].value})
    values = _read_where(laid)
    if "env" in given and "env" in over:
        values["env"] = read_env(given["env"]) | values["env"]
    return values


def _check_size(study: Study, root: Node) -> None:
    tasks = prod(map(size, study.factors)) * study.replicates
    if tasks > MOST_TASKS:
        hint = f"At most {MOST_TASKS:,} can be numbered: shorten the lists, or sample them with random."
        refuse(root, f"The study has {tasks:,} tasks.", hint)


def _check_command(study: Study, given: Mapping[str, Node]) -> Study:
    """Check the command's placeholders; one that names {output} says by itself where its result is."""
    if study.function:
        return study
    where = given["command"].where
    names = [name for factor in study.factors for name in factor.names]
    compiled = compile_command(study.shell or study.command, names, shell=bool(study.shell), where=where)
    parts = [part for word in compiled for part in word if not isinstance(part, str)]
    _check_formats(parts, study.factors, where)
    outputs = {
        part["name"] for part in parts if part["name"] == "output" or part["name"].startswith("output.")
    }
    if not outputs or (study.result.kind == "file" and "{output" in study.result.file):
        return study
    if "result" in given:
        hint = f"Write result: '{{{min(outputs)}}}', or take {{output}} out of the command."
        refuse(given["result"], "The command writes {output}, but result says something else.", hint)
    if len(outputs) > 1:
        hint = "Write one of them as result:, and keep the others by artifacts."
        refuse(where, f"The command names several outputs: {', '.join(sorted(outputs))}.", hint)
    node = Node(f"{{{outputs.pop()}}}", where)
    values = {field: getattr(study, field) for field in study.__struct_fields__}
    return Study(**values | {"result": read_result(node, names, function=False)})


def _check_formats(parts: Iterable[dict[str, Any]], factors: Iterable[Factor], where: str) -> None:
    """Try each format on the first thousand values of its parameter."""
    by_name = {name: factor for factor in factors for name in factor.names}
    for part in parts:
        factor = by_name.get(part["name"])
        if "spec" not in part:
            continue
        if factor is None:
            check_format(part, 1, where)
            continue
        place = factor.names.index(part["name"])
        for row in islice(rows(factor), 1000):
            check_format(part, row[place], where)


def _read_name(node: Node) -> str:
    name = as_text(node, "name") if not isinstance(node.value, int | float) else node.text
    if not _NAME.fullmatch(name) or len(name.encode()) > 100 or name.endswith(" "):
        hint = "Use letters, digits, spaces and . _ + @ = -, beginning with a letter or digit; at most 100."
        refuse(node, f"'{name}' cannot be the study's name, since its run's folder bears it.", hint)
    return name


def default_name(path: str) -> str:
    """Return the name a study has from its file; study.yaml bears its folder's."""
    pure = PurePosixPath(path)
    said = pure.parent.name if pure.stem == "study" and pure.parent.name not in ("", "..") else pure.stem
    cleaned = re.sub(r"[^\w.+@=-]+", "-", said).lstrip(".+@=-")
    return cleaned.encode()[:100].decode(errors="ignore").rstrip() or "study"
