"""What sets a script up beside its arguments: constants at its top, and files of settings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from packhorse.study.discover.arguments.declarations import called, constant, in_order, keywords, scalar
from packhorse.study.discover.script import ConfigFile, Parameter, parameter_name, role_of

MOST = 12  # constants that are named
CONFIGS = re.compile(r"[\w./-]+\.(ya?ml|toml|ini|cfg|json)", re.ASCII)
LOADERS = frozenset({"safe_load", "load", "full_load", "read", "read_file", "loads", "fromfile", "from_file"})
_R_CONSTANT = re.compile(r"^([A-Za-z.][\w.]*)\s*(?:<-|=)\s*([^#\n]+?)\s*(?:#.*)?$")
_R_CONFIG = re.compile(
    r"(?:([A-Za-z.][\w.]*)\s*(?:<-|=)\s*)?(?:\w+::)?(?:read_yaml|yaml\.load_file|fromJSON|read_json|config::get|read\.ini)\s*\(([^)]*)\)"
)


def constants(tree: ast.Module) -> tuple[Parameter, ...]:
    """Return the numbers, texts and truth values that a script sets at its top, before it computes anything."""
    found: dict[str, Parameter] = {}
    for node in tree.body:
        name, value = _assigned(node)
        if name:
            known = scalar(constant(value))
            if known is not None and not name.startswith("_"):
                found[name] = Parameter(name=name, role=role_of(name), default=known)
        elif not _is_introduction(node):
            break
    return tuple(found.values())[:MOST]


def _assigned(node: ast.stmt) -> tuple[str, ast.expr | None]:
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id, node.value
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return node.target.id, node.value
    return "", None


def _is_introduction(node: ast.stmt) -> bool:
    """Return whether a statement may stand before constants: an import, a docstring, a call, a definition."""
    return isinstance(
        node,
        ast.Import | ast.ImportFrom | ast.Expr | ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign,
    )


def r_constants(text: str) -> tuple[Parameter, ...]:
    """Return the constants at the top of an R script, whose comments are removed."""
    found: dict[str, Parameter] = {}
    for line in text.splitlines():
        match = _R_CONSTANT.match(line)
        if match is not None:
            value = r_value(match[2])
            if value is not None:
                found[match[1]] = Parameter(name=match[1], role=role_of(match[1]), default=value)
        elif re.match(r"\s*(for|while|repeat|if)\b", line) or re.search(r"function\s*\(", line):
            break
    return tuple(found.values())[:MOST]


def r_value(raw: str) -> int | float | str | bool | None:
    """Return the value of an R constant; None for NULL, NA and other expressions."""
    raw = raw.strip().rstrip(";")
    if re.fullmatch(r"\"[^\"\\]*\"|'[^'\\]*'", raw):
        return raw[1:-1]
    if raw in {"TRUE", "FALSE"}:
        return raw == "TRUE"
    if re.fullmatch(r"-?\d{1,18}L?", raw):
        return int(raw.rstrip("L"))
    return float(raw) if re.fullmatch(r"-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", raw) else None


def configs(tree: ast.Module) -> tuple[ConfigFile, ...]:
    """Return the files of settings whose names stand in calls that open or read a file."""
    texts = {
        target.id: constant(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    variables = [*_config_variables(tree)]
    found = [
        name
        for node in in_order(tree)
        if variables
        and isinstance(node, ast.Call)
        and called(node) in {"open", "read", "Path", "fromfile", "from_file", "read_text"}
        for argument in node.args[:1]
        if isinstance(name := constant(argument) or texts.get(getattr(argument, "id", "")), str)
        and not _writes(node)
    ]
    names = list(dict.fromkeys(name for name in found if CONFIGS.fullmatch(name)))
    known = variables if len(variables) == len(names) else [variables[0]] * len(names) if variables else []
    return tuple(ConfigFile(path=n, variable=v or "config") for n, v in zip(names, known, strict=True))


def _config_variables(tree: ast.Module) -> Iterator[str]:
    """Yield the name that gets the settings, for each call that loads some; an empty name where there is none."""
    targets = {
        id(inner): str(getattr(node.targets[0], "id", getattr(node.targets[0], "attr", "")))
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for inner in ast.walk(node.value)
    }
    for node in in_order(tree):
        if isinstance(node, ast.Call) and called(node) in LOADERS:
            # config.read("c.ini") of configparser fills the object that it belongs to.
            owner = getattr(getattr(node.func, "value", None), "id", "") if called(node) == "read" else ""
            yield targets.get(id(node), "") or owner


def _writes(call: ast.Call) -> bool:
    mode = constant(call.args[1]) if len(call.args) > 1 else constant(keywords(call).get("mode"))
    return isinstance(mode, str) and mode[:1] in {"w", "a", "x"}


def r_configs(text: str) -> tuple[ConfigFile, ...]:
    """Return the files of settings that an R script reads."""
    found = {
        name: variable or "config"
        for variable, inside in _R_CONFIG.findall(text)
        for name in re.findall(r"[\"']([^\"']+)[\"']", inside)
        if CONFIGS.fullmatch(name)
    }
    return tuple(ConfigFile(path=name, variable=variable) for name, variable in found.items())


def uses_hydra(tree: ast.Module) -> bool:
    """Return whether a function of the script is decorated by hydra.main."""
    return any(
        isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "hydra.main"
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        for decorator in node.decorator_list
    )


def hydra_config(source: str) -> str:
    """Return the path of Hydra's configuration file, relative to the script, which is valid Python."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "hydra.main":
            given = {name: constant(value) for name, value in keywords(node).items()}
            folder, name = given.get("config_path") or ".", given.get("config_name")
            if isinstance(folder, str) and isinstance(name, str):
                return f"{folder}/{name.removesuffix('.yaml')}.yaml"
    return ""


def sweep_lines(names: tuple[Parameter, ...], *, r: bool, short: bool) -> Iterator[str]:
    """Yield the lines for a script that give its constants the values of the task's parameters.

    `short` is true if its generator takes seeds of 32 bits only.
    """
    seed = next((p.name for p in names if p.role == "seed"), "")
    if r:
        yield 'if (nzchar(Sys.getenv("PACKHORSE_R"))) source(Sys.getenv("PACKHORSE_R"))'
        inside = (
            f"{{ list2env(params, globalenv()); {seed} <- seed32 }}"
            if seed
            else "list2env(params, globalenv())"
        )
        yield f'if (exists("params")) {inside}'
    else:
        yield "from packhorse import task"
        yield "globals().update(task.params)" + (
            f"; {seed} = task.seed{'32' if short else ''}" if seed else ""
        )


def as_parameter(name: str, value: object) -> Parameter | None:
    """Return a setting of Hydra as a parameter, None where it is a list or a mapping."""
    known = scalar(value)
    if known is None:
        return None
    role = role_of(name.rpartition(".")[2])
    return Parameter(name=parameter_name(name), role=role, flag=name, default=known)
