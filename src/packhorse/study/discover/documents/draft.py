"""Draft the study of a notebook, an R Markdown or a Quarto document."""

from __future__ import annotations

import shlex
from pathlib import PurePath

from packhorse.study.discover.documents.reader import Document
from packhorse.study.discover.lines.parameters import parameter_line
from packhorse.study.discover.lines.result import is_inside
from packhorse.study.discover.lines.text import heading, one_line, study_name, yaml_value
from packhorse.study.discover.python import discover_python
from packhorse.study.discover.r import discover_r
from packhorse.study.discover.script import RESULT_ENDINGS, Parameter, ScriptFacts
from packhorse.study.template import literal


def document_lines(
    document: Document, filename: str, notes: tuple[str, ...] = (), study_file: str = "study.yaml"
) -> str:
    """Return the commented study of a document that a tool can run with other values, as YAML text."""
    facts = _facts(document)
    swept = [p for p in document.parameters if p.role != "seed"]
    seeded = len(swept) < len(document.parameters)
    command, written = _command(document, filename, facts)
    results = [f.path for f in facts.files if is_inside(f.path) and f.path.lower().endswith(RESULT_ENDINGS)]
    lines = [
        *heading(filename, study_file),
        *(f"# {one_line(note)}" for note in notes),
        f"name: {yaml_value(study_name(PurePath(filename).stem))}",
        f"command: {yaml_value(command)}",
        "",
        *(["parameters:", *map(parameter_line, swept)] if swept else ["# parameters:", "#   n: [10, 100]"]),
        "",
        "replicates: 1  # repetitions at each point" + (", each with its own seed" if seeded else ""),
    ]
    if results:
        lines.append(f"result: {yaml_value(results[0])}")
    else:
        lines += [
            "# What a document prints is part of its output. Let its code write a result, such as result.csv with one",
            "# row, and name that file here.",
            "result: none",
        ]
    lines.append(f"artifacts: [{yaml_value(written)}]  # the document as each task made it")
    return "\n".join(lines) + "\n"


def _facts(document: Document) -> ScriptFacts:
    try:
        if document.language == "r":
            return discover_r(document.code)
        return discover_python(document.code) if document.language.startswith("python") else ScriptFacts()
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ScriptFacts()


def _command(document: Document, filename: str, facts: ScriptFacts) -> tuple[str, str]:
    """Return the command that runs a document with the parameters of a task, and the file that it writes."""
    path = PurePath(filename)
    name = shlex.quote(literal(one_line(filename)))
    seed = "{seed32}" if facts.seed32 or document.language == "r" else "{seed}"
    values = [(p, seed if p.role == "seed" else "{" + p.name + "}") for p in document.parameters]
    # Beside the document: papermill and quarto run it in its own folder.
    ran = path.with_name(f"{path.stem}-run{'.ipynb' if path.suffix == '.ipynb' else '.html'}")
    quoted = shlex.quote(literal(ran.as_posix()))
    if document.tool == "papermill":
        # -r passes a text as it is; -p guesses a type.
        options = [f"{'-r' if isinstance(p.default, str) else '-p'} {p.name} {value}" for p, value in values]
        return " ".join(["papermill", name, quoted, *options]), ran.as_posix()
    if document.tool == "nbconvert":
        output = shlex.quote(literal(ran.name))
        return f"jupyter nbconvert --to notebook --execute {name} --output {output}", ran.as_posix()
    if document.tool == "quarto":
        options = [f"-P {p.flag or p.name}:{value}" for p, value in values]
        output = shlex.quote(literal(ran.name))
        return " ".join(["quarto", "render", name, *options, "--output", output]), ran.name
    given = ", ".join(f"{p.flag} = {_as_r(p)}(a[{n}])" for n, (p, _) in enumerate(values, 1))
    code = (
        f"a <- commandArgs(TRUE); rmarkdown::render({_r_text(filename)}, params = list({given}),"
        f" output_file = {_r_text(ran.name)})"
    )
    return " ".join(
        ["Rscript", "-e", shlex.quote(literal(code)), *(value for _, value in values)]
    ), ran.as_posix()


def _as_r(parameter: Parameter) -> str:
    kinds: dict[type, str] = {bool: "as.logical", int: "as.integer", float: "as.numeric"}
    return kinds.get(type(parameter.default), "as.character")


def _r_text(text: str) -> str:
    escaped = one_line(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
