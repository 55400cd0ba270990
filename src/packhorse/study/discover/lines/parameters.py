"""The lines of a drafted study that give its parameters, and the index of an array."""

from __future__ import annotations

from msgspec.structs import replace

from packhorse.study.discover.discovered import Discovered
from packhorse.study.discover.lines.text import one_line, yaml_value
from packhorse.study.discover.script import Default, Parameter

MOST_SETTINGS = 12  # from files of settings
MOST_LISTED = 1000  # indices that are written one by one


def parameter_lines(discovered: Discovered) -> list[str]:
    """Return the parameters of a study."""
    facts = discovered.facts
    parameters = [p for p in facts.parameters if p.role == "parameter"]
    index = facts.index
    lines = ["", "parameters:"]
    lines += [parameter_line(p) for p in parameters if p.name != index]
    lines += [f"  {index}: {_indices(discovered)}"] if index else []
    if discovered.index_variable:
        lines += ["", f"index_variable: {{name: {discovered.index_variable}, parameter: {index}}}"]
    if index or parameters:
        return lines
    if facts.constants and not discovered.asks_packhorse and not facts.parameters:
        swept = [p for p in facts.constants if p.role == "parameter"]
        return ["", "# parameters:", *(f"# {parameter_line(p)}" for p in swept)]
    read = {name: value for values in discovered.settings.values() for name, value in values.items()}
    shown = [
        f"#   {name}: {yaml_value(value)}"
        for name, value in read.items()
        if isinstance(value, int | float | str)
    ]
    return ["", "# parameters:", *(shown[:MOST_SETTINGS] or ["#   n: [10, 100]    # and {n} in the command"])]


def _indices(discovered: Discovered) -> str:
    """Return the indices of an array: those of its job script, else the first one."""
    request, start = discovered.request, discovered.start
    if request is None or not request.indices:
        whole = f"{{range: {{from: {start}, to: {start + 99}}}}}"
        return f"{start}  # the index of the array; for 100 tasks: {whole}"
    source = f"  # the array of {one_line(request.source)}"
    if len(request.indices) == 1:
        first, last, step = request.indices[0]
        by = f", by: {step}" if step != 1 else ""
        return f"{{range: {{from: {first}, to: {last}{by}}}}}{source}" if last > first else f"{first}{source}"
    listed = list(
        dict.fromkeys(n for first, last, step in request.indices for n in range(first, last + 1, step))
    )
    cut = f", of which these are the first {MOST_LISTED:,}" if len(listed) > MOST_LISTED else ""
    return f"{listed[:MOST_LISTED]}{source}{cut}"


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
    if parameter.flag:
        return "CHANGE-ME"  # a run with a guessed number would look like a result
    return {"int": 1, "float": 1.0}.get(parameter.kind, "CHANGE-ME")


def _advice(parameter: Parameter) -> str:
    first = _first(parameter)
    if parameter.choices:
        advice = f"for all choices: [{', '.join(yaml_value(choice) for choice in parameter.choices)}]"
    elif parameter.default is None:
        example = {"int": ": [10, 20]", "float": ": [0.1, 0.5]"}.get(parameter.kind, "")
        advice = f"required: write your value, or a list{example if first == 'CHANGE-ME' else ''}"
    elif isinstance(first, str | bool):
        advice = "for a sweep, write a list: [" + yaml_value(first) + ", ...]"
    else:
        advice = f"for a sweep, write a list: [{yaml_value(first)}, {yaml_value(first * 2 if first else 1)}]"
    about = one_line(parameter.help)[:60].strip()
    return f"{about}; {advice}" if about else advice
