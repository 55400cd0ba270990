"""Read the keys of a study that hold keys or words of their own: resources, result, environment and others."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from packhorse.model.errors import UsageError
from packhorse.model.space import text
from packhorse.model.study import (
    Cluster,
    Environment,
    Expectation,
    IndexVariable,
    Resources,
    Result,
    ResultFile,
    Summary,
    Until,
)
from packhorse.study.keys import (
    CLUSTER,
    ENVIRONMENT,
    EXPECTATION,
    FIRST,
    INDEX_VARIABLE,
    REPLICATES,
    RESOURCES,
    SUMMARY,
    UNTIL,
    check_variable,
    project_path,
    read_variable,
)
from packhorse.study.parameters.levels import level_value
from packhorse.study.result_keys import RESULT, RESULT_WORDS
from packhorse.study.template import BUILTIN, compile_command, compile_word, is_several, split
from packhorse.text.claims import parse_claim
from packhorse.text.keys import read_keys
from packhorse.text.node import (
    MOST_INTEGER,
    Node,
    as_integer,
    as_list,
    as_text,
    as_texts,
    describe,
    entries,
    items,
    mapping,
    nearest,
    refuse,
)
from packhorse.worker.results.suffixes import SUFFIXES, suffix_format

INPUT_SUFFIXES = (".npy", ".arrow", ".feather", ".parquet", ".csv", ".tsv")

UNTIL_EXAMPLE = "{mcse: 0.005, of: coverage, at_most: 20000}"


def read_resources(node: Node) -> Resources:
    """Return the resources of one task."""
    given = entries(node, RESOURCES, "resources")
    values = read_keys(given, RESOURCES)
    if "cores" in given:
        if "cpus" in given:
            refuse(given["cores"], "cores and cpus are the same.", "Write one of them.")
        values["cpus"] = values.pop("cores")
    if values.get("expected", 0.0) > values.get("time", math.inf):
        hint = "time is the longest that a task may take: increase time, or decrease expected."
        refuse(given["expected"], "The expected duration of a task is longer than its time.", hint)
    return Resources(**values)


def read_cluster(node: Node) -> Cluster:
    """Return the options of jobs on a cluster."""
    return Cluster(**read_keys(entries(node, CLUSTER, "cluster"), CLUSTER))


def read_result(node: Node, names: Iterable[str], *, function: bool) -> Result:
    """Return the source of a task's result; `names` are those of the parameters."""
    if isinstance(node.value, dict):
        given = entries(node, RESULT, "result")
        if "file" not in given:
            refuse(node, "result has no file.", "Write result: {file: out.csv}")
        return _result_mapping(given, names, function=function)
    if isinstance(node.value, list):
        return _result_files(node, names)
    word = as_text(node, "result")
    if word not in RESULT_WORDS:
        return _result_files(node, names)
    if function and word in ("auto", "json"):
        hint = "Remove this line: the result of a function is what it returns."
        refuse(node, f"result: {word} is for commands, not for functions.", hint)
    if word == "return" and not function:
        hint = "Write auto, json, none or a file."
        refuse(node, "result: return is for functions, not for commands.", hint)
    return Result(kind=word)  # type: ignore[arg-type]  # one of RESULT_WORDS


def _result_mapping(given: Mapping[str, Node], names: Iterable[str], *, function: bool) -> Result:
    """Return a result with keys of its own."""
    names = list(names)
    settings = {
        name: RESULT[name].value(child, f"result.{name}")
        for name, child in given.items()
        if name not in ("file", "convert")
    }
    if "convert" in given:
        node = given["convert"]
        if function:
            refuse(
                node, "convert is for commands, not for functions.", "Return the values from the function."
            )
        settings["convert"] = command_words(node)
        compile_command(settings["convert"], names, where=node.where)
    if settings.get("format") and isinstance(given["file"].value, list):
        hint = "Give each file a suffix that tells its format."
        refuse(given["format"], "format is for one file, but file lists several.", hint)
    if settings.get("separator") == "," and settings.get("decimal") == ",":
        hint = 'Write separator: ";" for the files of write.csv2.'
        refuse(given["decimal"], "The separator and the decimal mark are both a comma.", hint)
    return _result_files(given["file"], names, **settings)


def command_words(node: Node) -> tuple[str, ...]:
    """Return the argument templates of a command that is one text or a list."""
    if isinstance(node.value, list):
        return as_texts(node, "command")
    return split(as_text(node, "command"), node.where)


def _result_files(node: Node, names: Iterable[str], **settings: Any) -> Result:
    files = [_result_file(item, names, settings.get("format", "")) for item in items(node)]
    if not files:
        refuse(node, "result names no file.", "Write result: out.csv")
    first, *more = files
    return Result(
        kind="file", **{**settings, "file": first.file, "format": first.format, "more": tuple(more)}
    )


def _result_file(node: Node, names: Iterable[str], file_format: str) -> ResultFile:
    path = as_text(node, "result")
    if not any(sign in path for sign in "{./*"):
        hint = f"{nearest(path, RESULT_WORDS)} Write a file with its suffix: {path}.csv"
        refuse(node, f"result: '{path}' is neither a file nor one of the allowed words.", hint)
    parts = compile_word(path, [*names, *BUILTIN], node.where)
    if any(map(is_several, parts)):
        hint = "Write {name} with a parameter of one text or number."
        refuse(node, f"result: '{path}' has a placeholder of several arguments.", hint)
    project_path(path, node)
    name = PurePosixPath(path.replace("{output.", "{output}.").replace("}", "")).name
    suffix, known = PurePosixPath(name).suffix.lower(), suffix_format(name)
    if not file_format and suffix and not known and not suffix.endswith("*"):
        shown = f'"{path}"' if re.search(r"[{}\[\],:#'\s]", path) else path
        hint = (
            f"Say what it holds: result: {{file: {shown}, format: text}} for one number or text, format: csv for a table"
            f" with commas, format: txt for one with blanks. Suffixes that tell it: {', '.join(SUFFIXES)}."
        )
        refuse(node, f"The suffix '{suffix}' of the result file has no known format.", hint)
    return ResultFile(file=path, format=file_format or known)


def read_env(node: Node) -> dict[str, str | None]:
    """Return environment variables; None means that the value is passed on."""
    if isinstance(node.value, list):
        return {read_variable(item, "each item of env"): None for item in node.value}
    variables: dict[str, str | None] = {}
    for name, child in mapping(node, "env").items():
        value = level_value(child)
        if isinstance(value, list):
            refuse(child, f"The value of {name} is a list.", "Write one text.")
        # Numbers stay as written: 08 must not become 8.
        shown = child.text if isinstance(value, int | float) and not isinstance(value, bool) else text(value)
        variables[check_variable(name, child.key)] = None if value is None else shown
    return variables


def read_environment(node: Node) -> Environment:
    """Return the interpreter and packages of the tasks."""
    if not isinstance(node.value, dict):
        if node.value != "none":
            hint = "Write none, {python: /usr/bin/python3}, {venv: .venv} or {uv: true}."
            refuse(node, f"environment must be none or a mapping, but is {describe(node)}.", hint)
        return Environment()
    given = entries(node, ENVIRONMENT, "environment")
    if len(given) != 1:
        hint = "Write one of python, venv and uv: {venv: .venv}"
        refuse(node, f"environment must have one key, but has {len(given)} keys.", hint)
    kind, child = next(iter(given.items()))
    path = ENVIRONMENT[kind].value(child, kind)
    return Environment(kind=kind, path=path)  # type: ignore[arg-type]  # a key of ENVIRONMENT


def read_summary(node: Node, names: Iterable[str]) -> Summary:
    """Return the settings of the summary; `names` are those of the parameters."""
    given = entries(node, SUMMARY, "summary")
    summary = Summary(**read_keys(given, SUMMARY))
    known = [*names, "replicate"]
    for name in summary.by:
        if name not in known:
            message = f"summary groups by '{name}', which is not a parameter."
            refuse(given["by"], message, nearest(name, known))
    if summary.truth is not None and not summary.estimate:
        refuse(given["truth"], "summary has a truth and no estimate.", "Write estimate: COLUMN")
    if bool(summary.low) != bool(summary.high):
        refuse(
            node,
            "summary needs both ends of the interval, low and high.",
            "Write low: COLUMN and high: COLUMN",
        )
    return summary


def read_replicates(node: Node) -> tuple[int, Until | None]:
    """Return the replicates of the first wave, and when they suffice; None for a fixed number."""
    if not isinstance(node.value, dict):
        return as_integer(node, "replicates", 1, MOST_INTEGER), None
    given = entries(node, REPLICATES, "replicates")
    if "until" not in given:
        refuse(node, "replicates has no until.", f"Write until: {UNTIL_EXAMPLE}, or a number of replicates.")
    rule = entries(given["until"], UNTIL, "until")
    missing = [name for name in UNTIL if name not in rule]
    if missing:
        refuse(given["until"], f"until has no {missing[0]}.", f"Write until: {UNTIL_EXAMPLE}")
    until = Until(**read_keys(rule, UNTIL))
    first = int(read_keys(given, REPLICATES).get("first", min(FIRST, until.at_most)))
    if first > until.at_most:
        hint = f"Decrease first, or increase at_most ({until.at_most:,})."
        refuse(given["first"], f"The first wave has {first:,} replicates, more than at_most.", hint)
    return first, until


def read_expectations(node: Node) -> tuple[Expectation, ...]:
    """Return what the results must be."""
    found = []
    for item in as_list(node, "expect"):
        if isinstance(item.value, dict):
            given = entries(item, EXPECTATION, "an item of expect")
            if "that" not in given:
                refuse(item, "An item of expect has no claim.", "Write that: coverage = 0.95")
            expectation, claim = Expectation(**read_keys(given, EXPECTATION)), given["that"]
        else:
            expectation, claim = Expectation(that=as_text(item, "each item of expect")), item
        try:
            parse_claim(expectation.that)
        except UsageError as error:
            refuse(claim, f"{error.message}.", error.hint)
        found.append(expectation)
    return tuple(found)


def read_index_variable(node: Node, names: Iterable[str]) -> IndexVariable:
    """Return the array variable that an existing script reads; `names` are those of the parameters."""
    if not isinstance(node.value, dict):
        return IndexVariable(name=read_variable(node, "index_variable"))
    given = entries(node, INDEX_VARIABLE, "index_variable")
    if "name" not in given:
        hint = "Write index_variable: {name: SLURM_ARRAY_TASK_ID, start: 1}"
        refuse(node, "index_variable has no name.", hint)
    variable = IndexVariable(**read_keys(given, INDEX_VARIABLE))
    known = list(names)
    if variable.parameter and variable.parameter not in known:
        message = f"'{variable.parameter}' is not a parameter."
        refuse(given["parameter"], message, nearest(variable.parameter, known))
    if variable.parameter and "start" in given:
        refuse(given["start"], "index_variable takes start or parameter, not both.", "Remove one of them.")
    return variable


def read_inputs(node: Node, names: Iterable[str]) -> dict[str, str]:
    """Return the files of shared inputs by name; `names` are those of the parameters."""
    taken = {*names, *BUILTIN, "rng"}
    inputs = {}
    for name, child in mapping(node, "inputs").items():
        if not (name.isidentifier() and name.isascii()):
            hint = "Write a name that can be an argument of a function, such as genome."
            refuse(child.key, f"The name of an input, '{name}', is not a name of Python.", hint)
        if name in taken:
            hint = "Give the input another name."
            refuse(
                child.key,
                f"The input '{name}' has the name of a parameter or of a value that tasks get.",
                hint,
            )
        path = as_text(child, f"inputs: {name}")
        if PurePosixPath(path).suffix.lower() not in INPUT_SUFFIXES:
            hint = f"Use {', '.join(INPUT_SUFFIXES)}, or name the file under data: and read it in the task."
            refuse(
                child, f"The input '{name}', {path}, is of no format that can be mapped into memory.", hint
            )
        inputs[name] = path
    return inputs


def read_defaults(node: Node, names: Iterable[str]) -> dict[str, Any]:
    """Return the values of new parameters that finished tasks had; `names` are those of the parameters."""
    known = list(names)
    values = {}
    for name, child in mapping(node, "defaults").items():
        if name not in known:
            refuse(child.key, f"defaults names '{name}', which is not a parameter.", nearest(name, known))
        values[name] = level_value(child)
    return values
