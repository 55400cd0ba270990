"""From a script to the first draft of its study: what `packhorse init sim.py` writes."""

from __future__ import annotations

import json
import math
import re
import shlex
from pathlib import PurePath

from msgspec import Struct

from packhorse.study.discover_python import discover_python
from packhorse.study.discover_r import discover_r
from packhorse.study.found import ARRAYS, RESULT_ENDINGS, Default, Found, Parameter
from packhorse.study.template import literal

PROGRAMS = {".py": "python", ".r": "Rscript", ".sh": "bash", ".bash": "bash", ".jl": "julia", ".pl": "perl"}
RANDOM = {
    ".py": re.compile(r"\b(np|numpy)\.random\b|^\s*(import|from) random\b|default_rng", re.MULTILINE),
    ".r": re.compile(r"\b(rnorm|runif|rbinom|rpois|rexp|rgamma|sample|sample\.int)\s*\("),
}


class Discovered(Struct, frozen=True, kw_only=True):
    """What is known of a script from its text alone."""

    filename: str
    found: Found = Found()
    index_variable: str = ""
    start: int = 0
    unseeded: bool = False

    @property
    def seed(self) -> str:
        """The placeholder that fits the script's generator."""
        return "{seed32}" if self.found.seed32 else "{seed}"


def discover(source: str, filename: str) -> Discovered:
    """Find a script's parameters, array variable, seed and results; text that cannot be read gives a note."""
    suffix = PurePath(filename).suffix.lower()
    found = Found()
    if suffix in {".py", ".r"}:
        try:
            found = discover_python(source) if suffix == ".py" else discover_r(source.replace("\0", ""))
        except SyntaxError as error:
            found = Found(
                note=f"{filename} is not valid Python (line {error.lineno}: {error.msg}), so it was not read."
            )
        except (ValueError, RecursionError, MemoryError):
            found = Found(note=f"{filename} could not be read as Python, so its parameters are not here.")
    variable = next((name for name in ARRAYS if name in source), "")
    seeded = any(p.role == "seed" for p in found.parameters) or variable or "PACKHORSE_" in source
    random = RANDOM.get(suffix)
    return Discovered(
        filename=filename,
        found=found,
        index_variable=variable,
        start=_start(source, variable, suffix),
        unseeded=bool(random and random.search(source) and not seeded),
    )


def _start(source: str, variable: str, suffix: str) -> int:
    """Guess the array's first value: R counts from 1, so does SGE, and so does who subtracts 1."""
    subtracts = re.search(rf"{variable}[\"')\]\s,\d]*-\s*1\b", source)
    return 1 if variable and (suffix == ".r" or subtracts or variable == "SGE_TASK_ID") else 0


def study_lines(discovered: Discovered) -> str:
    """Return the commented study as YAML text."""
    found = discovered.found
    parameters = [p for p in found.parameters if p.role == "parameter"]
    lines = [
        f"# A first study of {_one_line(discovered.filename)}. Correct it, then:",
        "#   packhorse try study.yaml    one task, here and now",
        "#   packhorse run study.yaml    all of them",
    ]
    lines += [f"# {_one_line(found.note)}"] if found.note else []
    lines += [f"name: {_yaml(_study_name(discovered.filename))}", f"command: {_yaml(_command(discovered))}"]
    lines += _left_out(found)
    lines += _parameters(parameters, discovered)
    lines += _repetition(discovered)
    lines += _result(found)
    return "\n".join(lines) + "\n"


# --- The command ---


def _study_name(filename: str) -> str:
    return re.sub(r"[^\w.-]+", "-", PurePath(filename).stem, flags=re.ASCII).strip("-.")[:80] or "study"


def _command(discovered: Discovered) -> str:
    program = PROGRAMS.get(PurePath(discovered.filename).suffix.lower(), "")
    name = discovered.filename if program or "/" in discovered.filename else f"./{discovered.filename}"
    name = f"./{name}" if name.startswith("-") else name
    words = [program] if program else []
    words.append(shlex.quote(literal(_one_line(name))))
    taken = [p for p in discovered.found.parameters if p.role in {"parameter", "seed", "output"}]
    for parameter in sorted(taken, key=lambda p: bool(p.flag)):  # positional ones first, in their order
        words += [shlex.quote(literal(parameter.flag))] if parameter.flag else []
        words.append(_placeholder(parameter, discovered))
    return " ".join(words)


def _placeholder(parameter: Parameter, discovered: Discovered) -> str:
    if parameter.role == "seed":
        return discovered.seed
    return _output(parameter) if parameter.role == "output" else "{" + parameter.name + "}"


def _output(parameter: Parameter) -> str:
    """Return the placeholder of the file to write; its suffix is that of the script's own default."""
    suffix = PurePath(str(parameter.default or "")).suffix.lower()
    return "{output" + (suffix if suffix in RESULT_ENDINGS else ".csv") + "}"


def _left_out(found: Found) -> list[str]:
    switches = [p.flag or p.name for p in found.parameters if p.role == "switch"]
    optional = [f"{p.flag} {{{p.name}}}" for p in found.parameters if p.role == "optional"]
    lines = [f"# Switches, to be added to the command if wanted: {', '.join(switches)}"] if switches else []
    return lines + ([f"# Options without a default, left out: {', '.join(optional)}"] if optional else [])


# --- The parameters ---


def _parameters(parameters: list[Parameter], discovered: Discovered) -> list[str]:
    lines = ["", "parameters:"]
    lines += [f"  {p.name}: {_yaml(_first(p))}  # {_advice(p)}" for p in parameters]
    if discovered.index_variable:
        start = discovered.start
        lines.append(
            f"  task: {{range: [{start}, {start + 10}]}}  # the values of the array; the last is excluded"
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
        advice = f"for all: [{', '.join(_yaml(choice) for choice in parameter.choices)}]"
    elif parameter.default is None:
        advice = "the script needs this: put your value or a list here"
    elif isinstance(first, str | bool):
        advice = "a list sweeps: [" + _yaml(first) + ", ...]"
    else:
        advice = f"a list sweeps: [{_yaml(first)}, {_yaml(first * 2 if first else 1)}]"
    about = _one_line(parameter.help)[:60].strip()
    return f"{about}; {advice}" if about else advice


# --- Repetition and result ---


def _repetition(discovered: Discovered) -> list[str]:
    if any(p.role == "seed" for p in discovered.found.parameters):
        return ["", "replicates: 1  # repetitions at each point, each with a seed of its own", "seed: 1"]
    if discovered.unseeded:
        variable = "PACKHORSE_" + discovered.seed.strip("{}").upper()
        return [
            "",
            "# The script draws random numbers but takes no seed, so its results cannot be repeated.",
            f"# Give it an argument for {discovered.seed}, or read the environment variable {variable}.",
            "replicates: 1",
        ]
    return [
        "",
        "# replicates: 100  # repetitions at each point; {seed} in the command gives each its own seed",
    ]


def _result(found: Found) -> list[str]:
    output = next((p for p in found.parameters if p.role == "output"), None)
    inside = [f for f in found.files if not f.startswith(("/", "~")) and ".." not in PurePath(f).parts]
    results = [f for f in inside if f.lower().endswith(RESULT_ENDINGS)]
    if output is not None:
        chosen = (
            f'result: "{_output(output)}"  # or .json, .ndjson, .parquet, .txt, whatever the script writes'
        )
        results = []
    elif results:
        chosen = f"result: {_yaml(results[0])}"
    elif found.json:
        chosen = "result: json"
    else:
        chosen = (
            "result: auto  # a JSON object on the last line printed; or name the file that the script writes"
        )
    kept = [f for f in inside if f not in results[:1]] if output is None else []
    kept = [re.sub(r"\{[^}]*\}", "*", f) for f in kept]
    return [chosen, *([f"artifacts: [{', '.join(_yaml(f) for f in kept)}]"] if kept else [])]


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _yaml(value: Default) -> str:
    """Return a value as YAML, text in quotes wherever it could be read as something else."""
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
