"""Draft the study of a script, as `packhorse init sim.py` writes it."""

from __future__ import annotations

import json
import math
import re
import shlex
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from packhorse.study.discover.python import discover_python
from packhorse.study.discover.r import discover_r
from packhorse.study.discover.script import ARRAYS, RESULT_ENDINGS, Default, Parameter, ScriptFacts
from packhorse.study.discover.settings import sweep_lines
from packhorse.study.discover.shell import discover_shell
from packhorse.study.template import literal

PROGRAMS = {".py": "python", ".r": "Rscript", ".sh": "bash", ".bash": "bash", ".jl": "julia", ".pl": "perl"}
RANDOM = {
    ".py": re.compile(r"\b(np|numpy)\.random\b|^\s*(import|from) random\b|default_rng", re.MULTILINE),
    ".r": re.compile(r"\b(rnorm|runif|rbinom|rpois|rexp|rgamma|sample|sample\.int)\s*\("),
}


class Discovered(Struct, frozen=True, kw_only=True):
    """What the text of a script shows, and what that means for its study.

    `module` is its name for `python -m`, empty for a script that is run by its file. `notes` are for the author. `settings`
    are the values of the files of settings that it reads, by their names.
    """

    filename: str
    facts: ScriptFacts = ScriptFacts()
    index_variable: str = ""
    start: int = 0
    unseeded: bool = False
    joined: bool = True  # --n={n}; some libraries know only --n {n}
    module: str = ""
    asks_packhorse: bool = False  # whether it reads its parameters from Packhorse
    notes: tuple[str, ...] = ()
    settings: dict[str, dict[str, Any]] = {}

    @property
    def seed(self) -> str:
        """The seed placeholder that fits the script's generator."""
        return "{seed32}" if self.facts.seed32 else "{seed}"


def discover(source: str, filename: str, subcommand: tuple[str, ...] = ()) -> Discovered:
    """Find the parameters, array variable, seed and results of a script; for invalid source, only a note.

    Raise UsageError if the script has subcommands and `subcommand` is none of them.
    """
    suffix = PurePath(filename).suffix.lower()
    facts = ScriptFacts()
    try:
        if suffix == ".py":
            facts = discover_python(source, subcommand)
        elif suffix == ".r":
            facts = discover_r(source.replace("\0", ""), subcommand)
        elif suffix in {".sh", ".bash"}:
            facts = discover_shell(source)
    except SyntaxError as error:
        facts = ScriptFacts(
            note=f"{filename} is not valid Python (line {error.lineno}: {error.msg}), so its parameters are missing."
        )
    except (ValueError, RecursionError, MemoryError):
        facts = ScriptFacts(note=f"{filename} could not be parsed, so its parameters are missing.")
    variable = next((name for name in ARRAYS if name in source), "")
    asks = "PACKHORSE_" in source or "packhorse import task" in source or "packhorse.task" in source
    seeded = any(p.role == "seed" for p in facts.parameters or facts.constants) or variable or asks
    random = RANDOM.get(suffix)
    return Discovered(
        filename=filename,
        facts=facts,
        index_variable=variable,
        start=_start(source, variable, suffix),
        unseeded=bool(random and random.search(source) and not seeded),
        joined=not re.search(r"\(\s*argparser\s*\)", source),
        asks_packhorse=asks,
    )


def _start(source: str, variable: str, suffix: str) -> int:
    """Guess the first index of the array: R and SGE count from 1, and so does a script that subtracts 1."""
    subtracts = re.search(rf"{variable}[\"')\]\s,\d]*-\s*1\b", source)
    return 1 if variable and (suffix == ".r" or subtracts or variable == "SGE_TASK_ID") else 0


def study_lines(discovered: Discovered) -> str:
    """Return the commented study as YAML text."""
    facts = discovered.facts
    parameters = [p for p in facts.parameters if p.role == "parameter"]
    lines = [
        f"# A draft of a study of {one_line(discovered.filename)}. Correct it, then:",
        "#   packhorse try study.yaml: one task, in the foreground",
        "#   packhorse run study.yaml: all tasks",
    ]
    lines += [f"# {one_line(facts.note)}"] if facts.note else []
    lines += [f"# {one_line(note)}" for note in discovered.notes]
    lines += [f"name: {yaml_value(_study_name(discovered))}", f"command: {yaml_value(_command(discovered))}"]
    lines += _left_out(facts)
    lines += [*advice_lines(discovered)] if not discovered.asks_packhorse else []
    lines += _parameters(parameters, discovered)
    lines += _repetition(discovered)
    lines += _result(facts)
    return "\n".join(lines) + "\n"


# --- The command ---


def _study_name(discovered: Discovered) -> str:
    stem = "-".join([PurePath(discovered.filename).stem, *discovered.facts.subcommand])
    return re.sub(r"[^\w.-]+", "-", stem, flags=re.ASCII).strip("-.")[:80] or "study"


def _command(discovered: Discovered) -> str:
    program = PROGRAMS.get(PurePath(discovered.filename).suffix.lower(), "")
    name = discovered.filename if program or "/" in discovered.filename else f"./{discovered.filename}"
    name = f"./{name}" if name.startswith("-") else name
    start = [program] if program else []
    start.append(f"-m {discovered.module}" if discovered.module else shlex.quote(literal(one_line(name))))
    taken = [p for p in discovered.facts.parameters if p.role in {"parameter", "seed", "output"}]
    early = [p for p in taken if p.early]
    after = sorted(
        (p for p in taken if not p.early), key=lambda p: bool(p.flag)
    )  # positional ones first, in their order
    subcommand = [shlex.quote(literal(word)) for word in discovered.facts.subcommand]
    return " ".join(
        [
            *start,
            *(_argument(p, discovered) for p in early),
            *subcommand,
            *(_argument(p, discovered) for p in after),
        ]
    )


def _argument(parameter: Parameter, discovered: Discovered) -> str:
    """Return an argument: {n}, --n={n}, which any value fits, or -n {n}."""
    flag = shlex.quote(literal(parameter.flag)) if parameter.flag else ""
    if parameter.several and parameter.role == "parameter":
        return f"{flag} {{{parameter.name}...}}".strip()
    placeholder = _placeholder(parameter, discovered)
    if discovered.facts.hydra:
        return f"{flag}={placeholder}"
    if flag.startswith("--") and discovered.joined and flag == parameter.flag:
        return f"{flag}={placeholder}"
    return f"{flag} {placeholder}".strip()


def _placeholder(parameter: Parameter, discovered: Discovered) -> str:
    if parameter.role == "seed":
        return discovered.seed
    return _output(parameter) if parameter.role == "output" else "{" + parameter.name + "}"


def _output(parameter: Parameter) -> str:
    """Return the placeholder of the output file, with the suffix of the script's default."""
    suffix = PurePath(str(parameter.default or "")).suffix.lower()
    return "{output" + (suffix if suffix in RESULT_ENDINGS else ".csv") + "}"


def _left_out(facts: ScriptFacts) -> list[str]:
    switches = [p for p in facts.parameters if p.role == "switch"]
    optional = [p for p in facts.parameters if p.role == "optional"]
    lines = []
    if switches:
        word = f" before {facts.subcommand[0]}" if facts.subcommand else ""
        flags = ", ".join("{" + p.flag + "}" + (word if p.early else "") for p in switches if p.flag)
        name = switches[0].flag.strip("-") or switches[0].name
        lines.append(
            f"# Switches: add {flags} to the command, and to the parameters, for example, {name}: [true, false]"
        )
    if optional:
        options = ", ".join(
            f"{p.flag} {{{p.name}...}}"
            if p.several
            else f"{p.flag}{'=' if p.flag.startswith('--') else ' '}{{{p.name}}}"
            for p in optional
        )
        lines.append(f"# Options without a default, which you can add to the command: {options}")
    return lines


# --- The parameters ---


def _parameters(parameters: list[Parameter], discovered: Discovered) -> list[str]:
    lines = ["", "parameters:"]
    lines += [parameter_line(p) for p in parameters]
    if discovered.index_variable:
        start = discovered.start
        lines.append(
            f"  task: {{range: [{start}, {start + 10}]}}  # the indices of the array; the end is excluded"
        )
        lines += ["", f"index_variable: {{name: {discovered.index_variable}, parameter: task}}"]
    elif not parameters:
        constants = discovered.facts.constants
        if constants and not discovered.asks_packhorse and not discovered.facts.parameters:
            swept = [p for p in constants if p.role == "parameter"]
            return ["", "# parameters:", *(f"# {parameter_line(p)}" for p in swept)]
        return ["", "# parameters:", "#   n: [10, 100]    # and {n} in the command"]
    return lines


def parameter_line(parameter: Parameter) -> str:
    """Return the line of a parameter, with the value that the script has and advice for a sweep."""
    if not parameter.several:
        return f"  {parameter.name}: {yaml_value(_first(parameter))}  # {_advice(parameter)}"
    items = (
        parameter.default
        if isinstance(parameter.default, list)
        else [_first(replace(parameter, default=None))]
    )
    shown = f"[{', '.join(map(yaml_value, items))}]"
    about = f"{one_line(parameter.help)[:60].strip()}; " if parameter.help.strip() else ""
    return f"  {parameter.name}: [{shown}]  # {about}for a sweep, write a list of lists: [{shown}, ...]"


def _first(parameter: Parameter) -> Default:
    if parameter.default is not None and not isinstance(parameter.default, list):
        wide = isinstance(parameter.default, int) and not -(2**63) <= parameter.default < 2**63
        return str(parameter.default) if wide else parameter.default
    if parameter.choices:
        return parameter.choices[0]
    return {"int": 1, "float": 1.0}.get(parameter.kind, "CHANGE-ME")


def _advice(parameter: Parameter) -> str:
    first = _first(parameter)
    if parameter.choices:
        advice = f"for all choices: [{', '.join(yaml_value(choice) for choice in parameter.choices)}]"
    elif parameter.default is None:
        advice = "required: write your value, or a list"
    elif isinstance(first, str | bool):
        advice = "for a sweep, write a list: [" + yaml_value(first) + ", ...]"
    else:
        advice = f"for a sweep, write a list: [{yaml_value(first)}, {yaml_value(first * 2 if first else 1)}]"
    about = one_line(parameter.help)[:60].strip()
    return f"{about}; {advice}" if about else advice


# --- Constants and files of settings ---


def advice_lines(discovered: Discovered) -> Iterator[str]:
    """Yield how to sweep what a script does not take as arguments: its constants and its files of settings."""
    facts = discovered.facts
    r = PurePath(discovered.filename).suffix.lower() == ".r"
    for name in facts.configs if not facts.hydra else ():
        keys = discovered.settings.get(name)
        listed = f" ({', '.join(list(keys)[:12])})" if keys else ""
        yield f"# {one_line(discovered.filename)} reads settings from {one_line(name)}{one_line(listed)}."
        yield "# To sweep some of them, add to the script, after the line that reads them (here into config):"
        if r:
            yield '#   if (nzchar(Sys.getenv("PACKHORSE_R"))) source(Sys.getenv("PACKHORSE_R"))'
            yield '#   if (exists("params")) config <- modifyList(config, params)'
        elif name.endswith((".ini", ".cfg")):
            yield "#   from packhorse import task"
            yield '#   config["SECTION"].update({name: str(value) for name, value in task.params.items()})'
        else:
            yield "#   from packhorse import task"
            yield "#   config.update(task.params)"
        yield "# and their names and values to the parameters here."
    if facts.parameters or facts.hydra or not facts.constants:
        return
    names = ", ".join(p.name for p in facts.constants)
    taken = "takes no arguments, but has constants at its top"
    yield f"# {one_line(discovered.filename)} {taken}: {names}."
    yield "# To sweep them, add below them in the script:"
    yield from (f"#   {line}" for line in sweep_lines(facts.constants, r=r, short=facts.seed32))
    yield "# and remove the # from the parameters here."


# --- Repetition and result ---


def _repetition(discovered: Discovered) -> list[str]:
    if any(p.role == "seed" for p in discovered.facts.parameters):
        return ["", "replicates: 1  # repetitions at each point, each with its own seed", "seed: 1"]
    if discovered.unseeded:
        variable = "PACKHORSE_" + discovered.seed.strip("{}").upper()
        return [
            "",
            "# The script draws random numbers but takes no seed, so its results are not reproducible.",
            f"# Add an argument for {discovered.seed}, or read the environment variable {variable}.",
            "replicates: 1",
        ]
    return [
        "",
        "# replicates: 100  # repetitions at each point; {seed} in the command gives each its own seed",
    ]


def _result(facts: ScriptFacts) -> list[str]:
    output = next((p for p in facts.parameters if p.role == "output"), None)
    inside = [f for f in facts.files if not f.startswith(("/", "~")) and ".." not in PurePath(f).parts]
    results = [f for f in inside if f.lower().endswith(RESULT_ENDINGS)]
    if output is not None:
        chosen = f'result: "{_output(output)}"  # or .json, .ndjson, .parquet, .txt, as the script writes it'
        results = []
    elif results:
        chosen = f"result: {yaml_value(results[0])}"
    elif facts.json:
        chosen = "result: json"
    else:
        chosen = (
            "result: auto  # a JSON object on the last printed line; or write the name of the result file"
        )
    artifacts = [f for f in inside if f not in results[:1]] if output is None else []
    artifacts = [re.sub(r"\{[^}]*\}", "*", f) for f in artifacts]
    return [chosen, *([f"artifacts: [{', '.join(yaml_value(f) for f in artifacts)}]"] if artifacts else [])]


def one_line(text: str) -> str:
    """Return a text without control characters and line ends."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def yaml_value(value: Default) -> str:
    """Return a value as YAML, with quotes where a text could be read as another type."""
    if isinstance(value, float) and not math.isfinite(value):
        value = str(value)
    if not isinstance(value, str):
        return json.dumps(value)
    plain = re.fullmatch(r"[A-Za-z_./][\w./{}=-]*(?: [\w./{}=-]+)*", value, re.ASCII)
    if (
        plain
        and value.lower() not in {"true", "false", "null"}
        and not re.match(r"\.(\d|inf|nan|$)", value, re.I)
    ):
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in quoted)
