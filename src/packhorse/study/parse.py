"""Parse a study file into a Study: read and check every key, with the overrides of a site.

The seed is 0 unless the study gives one, so that a study is reproducible from its first run on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from math import prod
from pathlib import PurePosixPath
from typing import Any

from packhorse.model.study import Factor, Result, Study
from packhorse.study.files import Read
from packhorse.study.keys import CLUSTER, SITE, STUDY
from packhorse.study.parameters.conditions import rows, size
from packhorse.study.parameters.factors import expand
from packhorse.study.sections import (
    read_cluster,
    read_defaults,
    read_env,
    read_environment,
    read_expectations,
    read_index_variable,
    read_inputs,
    read_replicates,
    read_resources,
    read_result,
    read_summary,
)
from packhorse.study.template import check_format, compile_command, split
from packhorse.text.amounts import counted
from packhorse.text.keys import read_keys
from packhorse.text.node import Node, as_list, as_text, describe, entries, mapping, plain, refuse
from packhorse.text.yaml import parse_yaml

# Task numbers are signed 64-bit integers in the table.
MOST_TASKS = 2**62
_FORMAT_SAMPLE = 1000  # values of a parameter on which its format is tried

# The keys that depend on no other key.
_INDEPENDENT = (
    "name",
    "seed",
    "seeding",
    "directory",
    "artifacts",
    "partial",
    "code",
    "include",
    "checks",
    "combine",
    "checkpoint",
    "warm",
)
_SITE_SECTIONS: dict[str, Callable[[Node], Any]] = {
    "resources": read_resources,
    "cluster": read_cluster,
    "environment": read_environment,
    "env": read_env,
}


def parse_study(text: str, *, path: str, read: Read, site: str | None = None, called: str = "") -> Study:
    """Parse the YAML text of a study file, with the overrides of `site`.

    Messages name the file by `path`. Its default name comes from `called`, its absolute path, else from `path`. `read`
    returns the content of a file beside it. Raise StudyError at file:line:column.
    """
    return build(parse_yaml(text, path), path=called or path, read=read, site=site)


def build(root: Node, *, path: str, read: Read, site: str | None = None) -> Study:
    """Return the study of a mapping, which comes from YAML or from Python."""
    given = _entries(root, STUDY, "The study")
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
    # Inputs are data, too: they are linked, hashed and uploaded as data is.
    values["data"] = tuple(dict.fromkeys([*values.get("data", ()), *values.get("inputs", {}).values()]))
    study = Study(factors=factors, **values)
    if study.partial == "accept" and study.function:
        hint = "Remove this line: a function that is ended returns nothing. Its checkpoint and artifacts are kept."
        refuse(given["partial"], "partial: accept is for commands, which write a result file.", hint)
    if study.until and not (study.summary and study.summary.estimate):
        hint = "Write where the results are, such as summary: {estimate: COLUMN, truth: 2, se: COLUMN}"
        refuse(given["replicates"], f"until measures {study.until.of}, and summary names no estimate.", hint)
    _check_size(study, root)
    return _check_command(study, given)


def _read_what(given: Mapping[str, Node], path: str) -> dict[str, Any]:
    """Read the keys that depend on no other key, and the program."""
    independent = {key: node for key, node in given.items() if key in _INDEPENDENT}
    values = {"name": default_name(path), "seed": 0} | read_keys(independent, STUDY)
    if "replicates" in given:
        values["replicates"], values["until"] = read_replicates(given["replicates"])
    if "sites" in given:
        values["sites"] = plain(given["sites"])
    return values | _read_program(given)


def _read_program(given: Mapping[str, Node]) -> dict[str, Any]:
    """Read command, shell and function; a study has one program."""
    if ("command" in given) == ("function" in given):
        both = "command" in given
        where = given["function"].key if both else next((node.key for node in given.values()), "")
        count = "both command and function" if both else "neither command nor function"
        hint = "Write one of them, command: python sim.py --n {n}, or function: sim:estimate"
        refuse(where, f"The study has {count}.", hint)
    shell = STUDY["shell"].value(given["shell"], "shell") if "shell" in given else False
    if "function" in given:
        if shell:
            refuse(given["shell"], "A function is not run by a shell.", "Remove the line shell: true")
        return {"function": STUDY["function"].value(given["function"], "function")}
    command = given["command"]
    if shell:
        if isinstance(command.value, list):
            hint = "Write it as one text, or remove shell: true"
            refuse(command, "With shell: true, the command must be one text, not a list.", hint)
        return {"shell": as_text(command, "command")}
    if isinstance(command.value, list):
        return {"command": _words(command)}
    return {"command": split(as_text(command, "command"), command.where)}


def _words(node: Node) -> tuple[str, ...]:
    """Return the words of a command given as a list: texts, which may be empty, and numbers as written."""
    arguments = []
    for item in as_list(node, "command"):
        if isinstance(item.value, list | dict) or (item.value is None and not item.text):
            hint = "Write one text; put a text that begins with { or [ in quotes: '{n}'"
            refuse(item, f"each item of command must be a text, but is {describe(item)}.", hint)
        arguments.append(item.text)
    if not arguments or not arguments[0]:
        refuse(node, "The command is empty.", "Write a command, such as [python, sim.py, '{n}']")
    return tuple(arguments)


def _read_factors(given: Mapping[str, Node], read: Read, seed: int, seeding: str) -> tuple[Factor, ...]:
    node = given.get("parameters")
    if node is None or (node.value is None and not node.text):
        return ()
    return expand(node, read=read, seed=seed, common=seeding == "common")


def _read_about_parameters(given: Mapping[str, Node], names: list[str], *, function: bool) -> dict[str, Any]:
    """Read the keys that may refer to parameters."""
    values: dict[str, Any] = {}
    if "result" in given:
        values["result"] = read_result(given["result"], names, function=function)
    elif function:
        values["result"] = Result(kind="return")
    if "summary" in given:
        values["summary"] = read_summary(given["summary"], names)
    if "expect" in given:
        values["expect"] = read_expectations(given["expect"])
    if "index_variable" in given:
        values["index_variable"] = read_index_variable(given["index_variable"], names)
    if "inputs" in given:
        values["inputs"] = read_inputs(given["inputs"], names)
    if "defaults" in given:
        values["defaults"] = read_defaults(given["defaults"], names)
    return values


def _read_where(given: Mapping[str, Node]) -> dict[str, Any]:
    """Read the keys that a site may override."""
    values = read_keys(given, SITE)
    for key, read in _SITE_SECTIONS.items():
        if key in given:
            values[key] = read(given[key])
    return values


def _read_sites(given: Mapping[str, Node]) -> dict[str | None, dict[str, Node]]:
    if "sites" not in given:
        return {}
    return {
        name: _entries(child, SITE, f"The site '{name}'")
        for name, child in mapping(given["sites"], "sites").items()
    }


def _entries(node: Node, table: Iterable[str], what: str) -> dict[str, Node]:
    """Return the entries of a mapping; the message for a key of `cluster` says where it belongs."""
    for name, child in mapping(node, what).items():
        if name not in table and name in CLUSTER:
            refuse(child.key, f"{what} has no key '{name}'.", f"Write it as cluster: {{{name}: ...}}")
    return entries(node, table, what)


def _overridden(given: Mapping[str, Node], over: Mapping[str, Node]) -> dict[str, Any]:
    """Return the values for a site; resources, cluster and env are merged key by key, other keys replaced."""
    merged = dict(over)
    for key in ("resources", "cluster"):
        if key in given and key in over:
            merged[key] = Node({**given[key].value, **over[key].value})
    values = _read_where(merged)
    if "env" in given and "env" in over:
        values["env"] = read_env(given["env"]) | values["env"]
    return values


def _check_size(study: Study, root: Node) -> None:
    tasks = prod(map(size, study.factors)) * (study.until.at_most if study.until else study.replicates)
    if tasks > MOST_TASKS:
        hint = "Shorten the lists, or sample them with random."
        refuse(root, f"The study has {counted(tasks, 'task')}; the maximum is {MOST_TASKS:,}.", hint)


def _check_command(study: Study, given: Mapping[str, Node]) -> Study:
    """Check the placeholders of the command; {output} in it also sets the result file."""
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
        hint = f"Write result: '{{{min(outputs)}}}', or remove {{output}} from the command."
        refuse(given["result"], "The command writes {output}, but result names another source.", hint)
    if len(outputs) > 1:
        hint = f"Write one of them as result: '{{{min(outputs)}}}', and list the others in artifacts."
        refuse(where, f"The command has several outputs: {', '.join(sorted(outputs))}.", hint)
    node = Node(f"{{{outputs.pop()}}}", where)
    values = {field: getattr(study, field) for field in study.__struct_fields__}
    return Study(**values | {"result": read_result(node, names, function=False)})


def _check_formats(parts: Iterable[dict[str, Any]], factors: Iterable[Factor], where: str) -> None:
    """Try each format and switch on the first values of its parameter."""
    by_name = {name: factor for factor in factors for name in factor.names}
    for part in parts:
        factor = by_name.get(part["name"])
        if "spec" not in part and "switch" not in part:
            continue
        if factor is None:
            check_format(part, 1, where)
            continue
        position = factor.names.index(part["name"])
        for row in islice(rows(factor), _FORMAT_SAMPLE):
            check_format(part, row[position], where)


def default_name(path: str) -> str:
    """Return the default name of a study: that of its file, or of its folder for study.yaml."""
    pure = PurePosixPath(path)
    name = pure.parent.name if pure.stem == "study" and pure.parent.name not in ("", "..") else pure.stem
    cleaned = re.sub(r"[^\w.+@=-]+", "-", name).lstrip(".+@=-")
    return cleaned.encode()[:100].decode(errors="ignore").rstrip() or "study"
