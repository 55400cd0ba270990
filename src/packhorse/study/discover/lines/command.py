"""The command of a drafted study."""

from __future__ import annotations

import shlex

from packhorse.study.discover.discovered import Discovered
from packhorse.study.discover.lines.result import output_template
from packhorse.study.discover.lines.text import one_line
from packhorse.study.discover.script import Parameter, ScriptFacts
from packhorse.study.template import literal


def command(discovered: Discovered) -> str:
    """Return the command of a task."""
    program = discovered.program
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
    return output_template(discovered.facts) if parameter.role == "output" else "{" + parameter.name + "}"


def left_out(facts: ScriptFacts) -> list[str]:
    """Return comments on the switches and options that the command leaves out."""
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
        lines.append(
            f"# Options without a default: {options}. If the script needs one, add it to the command."
        )
    return lines
