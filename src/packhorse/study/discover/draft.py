"""Draft the study of a script, as `packhorse init sim.py` writes it."""

from __future__ import annotations

import json
import math
import re
import shlex
from pathlib import PurePath

from msgspec import Struct

from packhorse.study.discover.python import discover_python
from packhorse.study.discover.r import discover_r
from packhorse.study.discover.script import ARRAYS, RESULT_ENDINGS, Default, Parameter, ScriptFacts
from packhorse.study.template import literal

PROGRAMS = {".py": "python", ".r": "Rscript", ".sh": "bash", ".bash": "bash", ".jl": "julia", ".pl": "perl"}
RANDOM = {
    ".py": re.compile(r"\b(np|numpy)\.random\b|^\s*(import|from) random\b|default_rng", re.MULTILINE),
    ".r": re.compile(r"\b(rnorm|runif|rbinom|rpois|rexp|rgamma|sample|sample\.int)\s*\("),
}


class Discovered(Struct, frozen=True, kw_only=True):
    """What the text of a script shows, and what that means for its study."""

    filename: str
    facts: ScriptFacts = ScriptFacts()
    index_variable: str = ""
    start: int = 0
    unseeded: bool = False

    @property
    def seed(self) -> str:
        """The seed placeholder that fits the script's generator."""
        return "{seed32}" if self.facts.seed32 else "{seed}"


def discover(source: str, filename: str) -> Discovered:
    """Find the parameters, array variable, seed and results of a script; for invalid source, only a note."""
    suffix = PurePath(filename).suffix.lower()
    facts = ScriptFacts()
    if suffix in {".py", ".r"}:
        try:
            facts = discover_python(source) if suffix == ".py" else discover_r(source.replace("\0", ""))
        except SyntaxError as error:
            facts = ScriptFacts(
                note=f"{filename} is not valid Python (line {error.lineno}: {error.msg}), so its parameters are missing."
            )
        except (ValueError, RecursionError, MemoryError):
            facts = ScriptFacts(note=f"{filename} could not be parsed, so its parameters are missing.")
    variable = next((name for name in ARRAYS if name in source), "")
    seeded = any(p.role == "seed" for p in facts.parameters) or variable or "PACKHORSE_" in source
    random = RANDOM.get(suffix)
    return Discovered(
        filename=filename,
        facts=facts,
        index_variable=variable,
        start=_start(source, variable, suffix),
        unseeded=bool(random and random.search(source) and not seeded),
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
        f"# A draft of a study of {_one_line(discovered.filename)}. Correct it, then:",
        "#   packhorse try study.yaml: one task, in the foreground",
        "#   packhorse run study.yaml: all tasks",
    ]
    lines += [f"# {_one_line(facts.note)}"] if facts.note else []
    lines += [f"name: {_yaml(_study_name(discovered.filename))}", f"command: {_yaml(_command(discovered))}"]
    lines += _left_out(facts)
    lines += _parameters(parameters, discovered)
    lines += _repetition(discovered)
    lines += _result(facts)
    return "\n".join(lines) + "\n"


# --- The command ---


def _study_name(filename: str) -> str:
    return re.sub(r"[^\w.-]+", "-", PurePath(filename).stem, flags=re.ASCII).strip("-.")[:80] or "study"


def _command(discovered: Discovered) -> str:
    program = PROGRAMS.get(PurePath(discovered.filename).suffix.lower(), "")
    name = discovered.filename if program or "/" in discovered.filename else f"./{discovered.filename}"
    name = f"./{name}" if name.startswith("-") else name
    arguments = [program] if program else []
    arguments.append(shlex.quote(literal(_one_line(name))))
    taken = [p for p in discovered.facts.parameters if p.role in {"parameter", "seed", "output"}]
    for parameter in sorted(taken, key=lambda p: bool(p.flag)):  # positional arguments first, in their order
        arguments += [shlex.quote(literal(parameter.flag))] if parameter.flag else []
        arguments.append(_placeholder(parameter, discovered))
    return " ".join(arguments)


def _placeholder(parameter: Parameter, discovered: Discovered) -> str:
    if parameter.role == "seed":
        return discovered.seed
    return _output(parameter) if parameter.role == "output" else "{" + parameter.name + "}"


def _output(parameter: Parameter) -> str:
    """Return the placeholder of the output file, with the suffix of the script's default."""
    suffix = PurePath(str(parameter.default or "")).suffix.lower()
    return "{output" + (suffix if suffix in RESULT_ENDINGS else ".csv") + "}"


def _left_out(facts: ScriptFacts) -> list[str]:
    switches = [p.flag or p.name for p in facts.parameters if p.role == "switch"]
    optional = [f"{p.flag} {{{p.name}}}" for p in facts.parameters if p.role == "optional"]
    lines = [f"# Switches, which you can add to the command: {', '.join(switches)}"] if switches else []
    return lines + (
        [f"# Options without a default, which you can add to the command: {', '.join(optional)}"]
        if optional
        else []
    )


# --- The parameters ---


def _parameters(parameters: list[Parameter], discovered: Discovered) -> list[str]:
    lines = ["", "parameters:"]
    lines += [f"  {p.name}: {_yaml(_first(p))}  # {_advice(p)}" for p in parameters]
    if discovered.index_variable:
        start = discovered.start
        lines.append(
            f"  task: {{range: [{start}, {start + 10}]}}  # the indices of the array; the end is excluded"
        )
        lines += ["", f"index_variable: {{name: {discovered.index_variable}, parameter: task}}"]
    elif not parameters:
        return ["", "# parameters:", "#   n: [10, 100]    # and {n} in the command"]
    return lines


def _first(parameter: Parameter) -> Default:
    if parameter.default is not None:
        wide = isinstance(parameter.default, int) and not -(2**63) <= parameter.default < 2**63
        return str(parameter.default) if wide else parameter.default
    if parameter.choices:
        return parameter.choices[0]
    return {"int": 1, "float": 1.0}.get(parameter.kind, "CHANGE-ME")


def _advice(parameter: Parameter) -> str:
    first = _first(parameter)
    if parameter.choices:
        advice = f"for all choices: [{', '.join(_yaml(choice) for choice in parameter.choices)}]"
    elif parameter.default is None:
        advice = "required: write your value, or a list"
    elif isinstance(first, str | bool):
        advice = "for a sweep, write a list: [" + _yaml(first) + ", ...]"
    else:
        advice = f"for a sweep, write a list: [{_yaml(first)}, {_yaml(first * 2 if first else 1)}]"
    about = _one_line(parameter.help)[:60].strip()
    return f"{about}; {advice}" if about else advice


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
        chosen = f"result: {_yaml(results[0])}"
    elif facts.json:
        chosen = "result: json"
    else:
        chosen = (
            "result: auto  # a JSON object on the last printed line; or write the name of the result file"
        )
    artifacts = [f for f in inside if f not in results[:1]] if output is None else []
    artifacts = [re.sub(r"\{[^}]*\}", "*", f) for f in artifacts]
    return [chosen, *([f"artifacts: [{', '.join(_yaml(f) for f in artifacts)}]"] if artifacts else [])]


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _yaml(value: Default) -> str:
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
