"""The lines of a drafted study that say where the result of a task is."""

from __future__ import annotations

import re
from pathlib import PurePath

from packhorse.study.discover.discovered import Discovered
from packhorse.study.discover.files.template import known_format
from packhorse.study.discover.lines.text import yaml_value
from packhorse.study.discover.script import RESULT_ENDINGS, ScriptFacts, WrittenFile

# What a table is best made of comes first.
TABLES = ("csv", "tsv", "dat")
_RANKS = ("csv", "json", "ndjson", "parquet", "tsv", "txt", "rds", "npy", "npz")


def result_lines(discovered: Discovered) -> list[str]:
    """Return the result and the artifacts."""
    facts = discovered.facts
    inside = [f for f in facts.files if is_inside(f.path)]
    if template := output_template(facts):
        written = _own(facts)
        header = (
            written.header
            if known_format(template.replace("{output", "output").rstrip("}")) in TABLES
            else ()
        )
        line = _result(WrittenFile(path=template, header=header))
        return [line + "  # or .json, .ndjson, .parquet, .txt, as the script writes it"]
    found = sorted((f for f in inside if _rank(f) is not None), key=_rank_of)
    if not found:
        return [_printed(discovered), *_artifacts(inside)]
    return [_result(found[0]), *_artifacts([f for f in inside if f is not found[0]])]


def output_template(facts: ScriptFacts) -> str:
    """Return the placeholder of the output file, with the suffix of the script's default; empty if none is an argument."""
    parameter = next((p for p in facts.parameters if p.role == "output"), None)
    if parameter is None:
        return ""
    suffix = PurePath(str(parameter.default or "")).suffix.lower()
    known = suffix in RESULT_ENDINGS or known_format("x" + suffix)
    usual = ".json" if _own(facts).format == "json" else ".csv"
    return "{output" + (suffix if known else usual) + "}"


def _own(facts: ScriptFacts) -> WrittenFile:
    """Return what the script writes to its output file."""
    names = ["{" + p.name + "}" for p in facts.parameters if p.role == "output"]
    return next((file for file in facts.files if file.path in names), WrittenFile(path=""))


def is_inside(path: str) -> bool:
    """Return whether a path is relative, and stays in the folder of the study."""
    return not path.startswith(("/", "~")) and ".." not in PurePath(path).parts


def _rank(file: WrittenFile) -> int | None:
    form = known_format(file.path) or file.format
    if not form or form == "pickle" or re.fullmatch(r"\{[^{}]*\}", file.path):
        return None
    if not known_format(file.path) and re.search(r"(?i)\.(log|err|tex|md|html|pdf|png|svg)$", file.path):
        return None
    return _RANKS.index(form) if form in _RANKS else len(_RANKS)


def _rank_of(file: WrittenFile) -> int:
    return _rank(file) or 0


def _result(file: WrittenFile) -> str:
    """Return the line of a result file, with what its suffix does not say."""
    header = file.header if file.format != "text" else ()
    if not header and not file.format:
        return f"result: {yaml_value(file.path)}"
    parts = [f"file: {_in_flow(file.path)}"]
    parts += [f"format: {file.format}"] if file.format else []
    parts += [f"header: [{', '.join(map(_in_flow, header))}]"] if header else []
    return f"result: {{{', '.join(parts)}}}"


def _in_flow(text: str) -> str:
    """Return a text within braces, where braces need quotes."""
    return f'"{text}"' if re.search(r"[{}\[\],]", text) and '"' not in text else yaml_value(text)


def _artifacts(files: list[WrittenFile]) -> list[str]:
    names = [re.sub(r"\{[^}]*\}", "*", file.path) for file in files]
    shown = [yaml_value(name) if "*" not in name else f'"{name}"' for name in names if name != "*"]
    return [f"artifacts: [{', '.join(dict.fromkeys(shown))}]"] if shown else []


def _printed(discovered: Discovered) -> str:
    if discovered.facts.prints == "json":
        return "result: json"
    if discovered.facts.prints == "dict":
        return "result: auto  # the dict that the script prints last: its keys become columns"
    return "result: auto  # a JSON object on the last printed line; or write the name of the result file"
