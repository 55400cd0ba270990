"""Draft the study of a script, as `packhorse init sim.py` writes it."""

from __future__ import annotations

import re
from pathlib import PurePath

from msgspec.structs import replace

from packhorse.study.discover.calls import without_comments
from packhorse.study.discover.cores.use import core_use
from packhorse.study.discover.discovered import Discovered
from packhorse.study.discover.job_script import SUFFIXES as JOB_SUFFIXES
from packhorse.study.discover.lines.advice import advice_lines, repetition_lines, resource_lines
from packhorse.study.discover.lines.command import command, left_out
from packhorse.study.discover.lines.parameters import parameter_lines
from packhorse.study.discover.lines.result import result_lines
from packhorse.study.discover.lines.text import heading, one_line, study_name, yaml_value
from packhorse.study.discover.python import discover_python
from packhorse.study.discover.r import discover_r
from packhorse.study.discover.script import Parameter, ScriptFacts, array_variable
from packhorse.study.discover.seeding import seed_calls
from packhorse.study.discover.shell import discover_shell

PROGRAMS = {".py": "python", ".r": "Rscript", ".jl": "julia", ".pl": "perl"} | dict.fromkeys(
    JOB_SUFFIXES, "bash"
)
# Interpreters in the first line of a script whose suffix tells nothing, and the suffixes of their languages.
INTERPRETERS = {
    "python": ".py",
    "Rscript": ".r",
    "bash": ".sh",
    "sh": ".sh",
    "zsh": "",
    "ksh": "",
    "julia": ".jl",
}
RANDOM = {
    ".py": re.compile(r"\b(np|numpy)\.random\b|^\s*(import|from) random\b|default_rng", re.MULTILINE),
    ".r": re.compile(r"\b(rnorm|runif|rbinom|rpois|rexp|rgamma|sample|sample\.int)\s*\("),
}


def language(source: str, filename: str) -> tuple[str, str]:
    """Return the usual suffix of a script's language, and the program that runs it; empty where unknown."""
    suffix = PurePath(filename).suffix.lower()
    shebang = re.match(r"#![ \t]*(\S+)(?:[ \t]+(?:-S[ \t]+)?(\S+))?", source)
    if suffix in PROGRAMS and not (shebang and suffix in JOB_SUFFIXES):
        return suffix, PROGRAMS[suffix]
    names = [PurePath(word).name for word in shebang.groups() if word] if shebang else []
    word = next((word for word in names if word != "env"), "")
    known = INTERPRETERS.get(re.sub(r"[\d.]+$", "", word))
    if known is not None:
        return known or suffix, word
    return suffix, PROGRAMS.get(suffix, "")


def discover(source: str, filename: str, subcommand: tuple[str, ...] = ()) -> Discovered:
    """Find the parameters, array variable, seed and results of a script; for invalid source, only a note.

    Raise UsageError if the script has subcommands and `subcommand` is none of them.
    """
    suffix, program = language(source, filename)
    facts = ScriptFacts()
    try:
        if suffix == ".py":
            facts = discover_python(source, subcommand)
        elif suffix == ".r":
            facts = discover_r(source.replace("\0", ""), subcommand)
        elif suffix in JOB_SUFFIXES:
            facts = discover_shell(source)
    except SyntaxError as error:
        facts = ScriptFacts(
            note=f"{filename} is not valid Python (line {error.lineno}: {error.msg}), so its parameters are missing."
        )
    except (ValueError, RecursionError, MemoryError):
        facts = ScriptFacts(note=f"{filename} could not be parsed, so its parameters are missing.")
    text = without_comments(source)
    variable = array_variable(text)
    random = RANDOM.get(suffix)
    return Discovered(
        filename=filename,
        program=program,
        facts=_with_output(
            _with_required(replace(facts, index=facts.index or ("task" if variable else "")), text)
        ),
        index_variable=variable,
        start=_start(source, variable, suffix),
        seeds=seed_calls(source),
        cores=core_use(source),
        random=bool(random and random.search(text)),
        sources=suffix == ".r" and bool(re.search(r"\bsource\s*\(", text)),
        joined=not re.search(r"\(\s*argparser\s*\)", source),
        asks_packhorse="PACKHORSE_" in source
        or "packhorse import task" in source
        or "packhorse.task" in source,
    )


def _with_required(facts: ScriptFacts, text: str) -> ScriptFacts:
    """Return facts with the options as parameters without which the script stops, which optparse cannot declare."""

    def required(p: Parameter) -> bool:
        name = re.escape(p.flag.lstrip("-").replace("-", "_"))
        absent = rf"(?:is\.null\(\s*[\w.]*\$?{name}\s*\)|\bnot\s+\w+\.{name}\b|\b{name}\s+is\s+None|\b{name}\s*==\s*None)"
        stops = rf"{absent}[^\n]*(?:\n[^\n]*)?(?:\n[^\n]*)?\b(?:error|exit|stop|raise|quit|print_help)\b"
        return bool(re.search(r"\brequired\b", p.help, re.IGNORECASE) or re.search(stops, text))

    parameters = [
        replace(p, role="parameter") if p.role == "optional" and required(p) else p for p in facts.parameters
    ]
    return replace(facts, parameters=tuple(parameters))


def _with_output(facts: ScriptFacts) -> ScriptFacts:
    """Return facts with the role of output for a parameter that names the written file, and for no folder of files."""
    paths = [file.path for file in facts.files]
    whole = next((p.name for p in facts.parameters if "{" + p.name + "}" in paths), "")
    parameters = []
    for p in facts.parameters:
        name = "{" + p.name + "}"
        folder = p.role == "output" and name not in paths and any(path.startswith(name) for path in paths)
        if p.name == whole and p.role == "parameter":
            parameters.append(replace(p, role="output"))
        else:
            parameters.append(replace(p, role="parameter", default=p.default or "results") if folder else p)
    return replace(facts, parameters=tuple(parameters))


def _start(source: str, variable: str, suffix: str) -> int:
    """Guess the first index of the array: R and SGE count from 1, and so does a script that subtracts 1."""
    subtracts = re.search(rf"{variable}[\"')\]\s,\d]*-\s*1\b", source)
    return 1 if variable and (suffix == ".r" or subtracts or variable == "SGE_TASK_ID") else 0


def study_lines(discovered: Discovered) -> str:
    """Return the commented study as YAML text."""
    facts = discovered.facts
    name = study_name(PurePath(discovered.filename).stem, *facts.subcommand)
    lines = heading(discovered.filename, discovered.study_file)
    lines += [f"# {one_line(facts.note)}"] if facts.note else []
    lines += [f"# {one_line(note)}" for note in discovered.notes]
    lines += [f"name: {yaml_value(name)}", f"command: {yaml_value(command(discovered))}"]
    lines += [_data_line(discovered.data)] if discovered.data else []
    lines += left_out(facts)
    lines += [*advice_lines(discovered)] if not discovered.asks_packhorse else []
    lines += parameter_lines(discovered)
    lines += repetition_lines(discovered)
    lines += resource_lines(discovered)
    lines += result_lines(discovered)
    return "\n".join(lines) + "\n"


def _data_line(folders: tuple[str, ...]) -> str:
    shown = ", ".join(yaml_value(folder) for folder in folders)
    return f"data: [{shown}]  # outside of the project, so tasks get it as data, linked and not copied"
