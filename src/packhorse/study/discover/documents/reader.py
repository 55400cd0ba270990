"""Read a notebook, an R Markdown or a Quarto document: its parameters, and the command that runs it with others."""

from __future__ import annotations

import ast
import json
import re
from pathlib import PurePath
from typing import Any

from msgspec import Struct

from packhorse.model.errors import StudyError
from packhorse.study.discover.script import Parameter, parameter_name, role_of
from packhorse.study.discover.settings import constants, r_constants
from packhorse.text.node import plain
from packhorse.text.yaml import parse_yaml

SUFFIXES = frozenset({".ipynb", ".rmd", ".qmd"})
_HEADER = re.compile(r"\A---\s*\n(.*?)\n(?:---|\.\.\.)\s*(?:\n|\Z)", re.DOTALL)
_CHUNK = re.compile(r"^```+\s*\{(\w+)[^}\n]*\}\s*\n(.*?)^```+\s*$", re.MULTILINE | re.DOTALL)


class Document(Struct, frozen=True, kw_only=True):
    """What a document shows: the language and text of its code, and its parameters.

    `tool` runs it; it is empty where nothing outside can set its values, for the reason in `problem`, with the next
    step in `hint`.
    """

    language: str
    code: str
    parameters: tuple[Parameter, ...] = ()
    tool: str = ""
    problem: str = ""
    hint: str = ""


def read_document(source: str, filename: str) -> Document:
    """Return what a document shows."""
    suffix = PurePath(filename).suffix.lower()
    if suffix == ".ipynb":
        return _notebook(source, filename)
    return _markdown(source, filename, quarto=suffix == ".qmd")


def _notebook(source: str, filename: str) -> Document:
    try:
        content = json.loads(source)
        cells = [cell for cell in content["cells"] if cell.get("cell_type") == "code"]
        texts = ["".join(cell.get("source", "")) for cell in cells]
        language = str(content.get("metadata", {}).get("kernelspec", {}).get("language", "python")).lower()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        problem = f"{filename} is not a Jupyter notebook in JSON"
        return Document(language="", code="", problem=problem, hint="Open it in Jupyter, and save it again.")
    code = "\n".join(re.sub(r"^\s*[%!].*$", "", text, flags=re.MULTILINE) for text in texts)
    tagged = [text for cell, text in zip(cells, texts, strict=True) if "parameters" in _tags(cell)]
    stem = PurePath(filename).stem
    if tagged:
        return Document(
            language=language, code=code, parameters=_constants(tagged[0], language), tool="papermill"
        )
    if "packhorse" in code or "PACKHORSE_" in code:
        return Document(language=language, code=code, tool="nbconvert")
    names = ", ".join(p.name for p in _constants("\n".join(texts), language)) or "n"
    return Document(
        language=language,
        code=code,
        problem=f"{filename} has no cell with the tag 'parameters', so a command cannot set its values",
        hint=(
            f"In Jupyter, put the values to vary ({names}) into one cell and give it the tag 'parameters', then type this"
            f" again; or make a script: jupyter nbconvert --to script {filename}; packhorse init {stem}.py"
        ),
    )


def _tags(cell: dict[str, Any]) -> list[Any]:
    tags = (cell.get("metadata") or {}).get("tags") or []
    return list(tags) if isinstance(tags, list) else []


def _constants(text: str, language: str) -> tuple[Parameter, ...]:
    if language == "r":
        return r_constants(re.sub(r"#[^\n]*", "", text))
    try:
        return constants(ast.parse(re.sub(r"^\s*[%!].*$", "", text, flags=re.MULTILINE)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()


def _markdown(source: str, filename: str, *, quarto: bool) -> Document:
    chunks = [(language.lower(), text) for language, text in _CHUNK.findall(source)]
    language = chunks[0][0] if chunks else "r"
    code = "\n".join(text for kind, text in chunks if kind == language)
    header = _HEADER.match(source)
    parameters = _header_parameters(header[1] if header else "")
    tagged = [text for _, text in chunks if re.search(r"^#\|\s*tags:.*\bparameters\b", text, re.MULTILINE)]
    if not parameters and quarto and tagged:
        parameters = _constants(re.sub(r"^#\|.*$", "", tagged[0], flags=re.MULTILINE), language)
    if parameters:
        tool = "quarto" if quarto else "rmarkdown"
        return Document(language=language, code=code, parameters=parameters, tool=tool)
    names = _constants(code, language)
    example = f"{names[0].name}: {json.dumps(names[0].default)}" if names else "n: 100"
    use = f"params${names[0].name if names else 'n'}"
    stem = PurePath(filename).stem
    return Document(
        language=language,
        code=code,
        problem=f"{filename} has no params in its header, so a command cannot set its values",
        hint=(
            f"Add to the header (between the lines ---): params: {{{example}}}, and use {use} in the code; or make a script:"
            f" Rscript -e 'knitr::purl(\"{filename}\")'; packhorse init {stem}.R"
        ),
    )


def _header_parameters(header: str) -> tuple[Parameter, ...]:
    """Return the params of a YAML header: `n: 100`, or `n: {value: 100}` with labels for Shiny."""
    # Tags such as !r Sys.Date() are R code, which has no plain value.
    text = re.sub(r"!(r|expr)\s+.*", "null", header)
    try:
        values = plain(parse_yaml(text, "header")) if text.strip() else {}
    except StudyError:
        return ()
    given = values.get("params") if isinstance(values, dict) else None
    if not isinstance(given, dict):
        return ()
    found = []
    for name, value in given.items():
        default = value.get("value") if isinstance(value, dict) else value
        if isinstance(default, int | float | str | bool) and re.fullmatch(r"[A-Za-z.][\w.]*", name):
            found.append(Parameter(name=parameter_name(name), flag=name, role=role_of(name), default=default))
    return tuple(found)
