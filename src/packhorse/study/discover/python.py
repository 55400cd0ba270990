"""Read a Python script: arguments by argparse, click, typer or sys.argv, and the files that it writes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any, Literal

from packhorse.study.discover.script import Parameter, ScriptFacts, parameter_name, role_of

KINDS: dict[str, Literal["int", "float", "text"]] = {
    "int": "int",
    "float": "float",
    "str": "text",
    "Path": "text",
}
WRITERS = frozenset({"to_csv", "to_parquet", "to_json", "write_csv", "write_parquet", "savetxt", "savefig"})
SEED32 = re.compile(r"np\.random\.seed|numpy\.random\.seed|RandomState|random_state\s*=")


def discover_python(source: str) -> ScriptFacts:
    """Return the arguments and files of a script. Raise SyntaxError if it is not valid Python."""
    tree = ast.parse(source)
    calls = [node for node in _in_order(tree) if isinstance(node, ast.Call)]
    parameters = [parameter for call in calls for parameter in _declared(call)]
    parameters = parameters or [*_positions(tree)] or [*_typer(tree, source)]
    files = dict.fromkeys(name for call in calls if (name := _written(call, {p.name for p in parameters})))
    return ScriptFacts(
        parameters=tuple({p.name: p for p in parameters}.values()),
        files=tuple(files),
        json=any(_called(call) == "print" and _prints_json(call) for call in calls),
        seed32=bool(SEED32.search(source)),
    )


def _in_order(tree: ast.AST) -> list[ast.AST]:
    return sorted(
        ast.walk(tree), key=lambda node: (getattr(node, "lineno", 0), getattr(node, "col_offset", 0))
    )


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _constant(node: ast.AST | None) -> Any:
    try:
        return ast.literal_eval(node) if node is not None else None
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _scalar(value: Any) -> Any:
    """Return a value that a study can have, else None: texts with NUL or lone surrogates cannot be arguments."""
    if isinstance(value, str) and re.search("[\0\ud800-\udfff]", value):
        return None
    return value if isinstance(value, int | float | str | bool) else None


# --- argparse and click: a call that names flags ---


def _declared(call: ast.Call) -> Iterator[Parameter]:
    called = _called(call)
    if called not in {"add_argument", "option", "argument"}:
        return
    names = [word for arg in call.args if isinstance(word := _constant(arg), str) and word]
    if not names:
        return
    given = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    flags = [word.split("/")[0] for word in names if word.startswith("-")]
    flag = next((f for f in flags if f.startswith("--")), flags[0] if flags else "")
    bare = [word for word in names if not word.startswith("-")]
    named = _constant(given.get("dest")) or (bare[0] if bare else flag)
    if _constant(given.get("action")) in {"version", "help"}:
        return
    default = _scalar(_constant(given.get("default")))
    role: Any = role_of(str(named))
    if _is_switch(given, names):
        role = "switch"
    elif flag and default is None and role == "parameter" and _constant(given.get("required")) is not True:
        role = "optional"
    yield Parameter(
        name=parameter_name(str(named)),
        role=role,
        flag=flag,
        kind=_kind(given.get("type"), default),
        default=default,
        choices=_choices(given),
        help=str(_constant(given.get("help")) or ""),
    )


def _is_switch(given: dict[str, ast.expr], names: list[str]) -> bool:
    action = _constant(given.get("action"))
    boolean = getattr(given.get("action"), "attr", "") == "BooleanOptionalAction"
    pair = any(word.startswith("--") and "/" in word for word in names)
    counted = action in {"store_true", "store_false", "store_const", "count"}
    return counted or boolean or pair or _constant(given.get("is_flag")) is True


def _kind(node: ast.AST | None, default: Any) -> Literal["", "int", "float", "text"]:
    name = getattr(node, "id", getattr(node, "attr", ""))
    if name in KINDS:
        return KINDS[name]
    if name in {"INT", "FLOAT"}:  # click.INT, click.FLOAT
        return "int" if name == "INT" else "float"
    if isinstance(default, bool) or default is None:
        return ""
    return KINDS.get(type(default).__name__, "")


def _choices(given: dict[str, ast.expr]) -> tuple[Any, ...]:
    kind = given.get("type")
    node: ast.AST | None = given.get("choices")
    if node is None and isinstance(kind, ast.Call) and _called(kind) == "Choice" and kind.args:
        node = kind.args[0]
    values = _constant(node)
    return (
        tuple(v for v in values if _scalar(v) is not None) if isinstance(values, list | tuple | set) else ()
    )


# --- sys.argv by position ---


def _positions(tree: ast.AST) -> Iterator[Parameter]:
    parameters: dict[int, Parameter] = {}
    for node in _in_order(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            for position, parameter in _assigned(node.targets[0], node.value):
                parameters.setdefault(position, parameter)
    for node in _in_order(tree):
        used = _position(node)
        if used is not None:
            parameters.setdefault(used, Parameter(name=f"arg{used}", kind="text"))
    for position in range(1, max(parameters, default=0) + 1):
        yield parameters.get(position, Parameter(name=f"arg{position}", kind="text"))


def _assigned(target: ast.expr, value: ast.expr) -> Iterator[tuple[int, Parameter]]:
    if isinstance(target, ast.Tuple):
        if isinstance(value, ast.Tuple):
            for inner, its_value in zip(target.elts, value.elts, strict=False):
                yield from _assigned(inner, its_value)
        start = _slice_start(value)
        if start is not None:
            for position, inner in enumerate(target.elts, start):
                if position > 0 and isinstance(inner, ast.Name):
                    yield (
                        position,
                        Parameter(name=parameter_name(inner.id), role=role_of(inner.id), kind="text"),
                    )
        return
    inside = [used for node in ast.walk(value) if (used := _position(node)) is not None]
    if len(inside) != 1 or not isinstance(target, ast.Name | ast.Attribute):
        return
    name = target.id if isinstance(target, ast.Name) else target.attr
    default = _scalar(_constant(value.orelse)) if isinstance(value, ast.IfExp) else None
    yield (
        inside[0],
        Parameter(
            name=parameter_name(name), role=role_of(name), kind=_conversion(value, default), default=default
        ),
    )


def _conversion(value: ast.expr, default: Any) -> Literal["", "int", "float", "text"]:
    """Return the type to which the argument is converted: the innermost int(...) or float(...) around it."""
    kind = _kind(None, default)
    for node in ast.walk(value):
        if isinstance(node, ast.Call) and _called(node) in KINDS and node.args:
            kind = KINDS[_called(node)]
    return kind or "text"


def _is_argv(node: ast.AST) -> bool:
    return getattr(node, "attr", getattr(node, "id", "")) == "argv"


def _position(node: ast.AST) -> int | None:
    if isinstance(node, ast.Subscript) and _is_argv(node.value):
        position = _constant(node.slice)
        return position if isinstance(position, int) and 0 < position < 100 else None
    return None


def _slice_start(value: ast.expr) -> int | None:
    if _is_argv(value):
        return 0
    if isinstance(value, ast.Subscript) and _is_argv(value.value) and isinstance(value.slice, ast.Slice):
        start = _constant(value.slice.lower)
        return start if isinstance(start, int) and start >= 0 else 0
    return None


# --- typer: a function's own parameters ---


def _typer(tree: ast.Module, source: str) -> Iterator[Parameter]:
    if "typer" not in source:
        return
    run = re.search(r"typer\.run\(\s*(\w+)\s*\)", source)
    for function in tree.body:
        if isinstance(function, ast.FunctionDef):
            commands = [
                d for d in function.decorator_list if isinstance(d, ast.Call) and _called(d) == "command"
            ]
            if commands or (run and run.group(1) == function.name):
                yield from _signature(function)
                return


def _signature(function: ast.FunctionDef) -> Iterator[Parameter]:
    arguments = [*function.args.args, *function.args.kwonlyargs]
    defaults: list[ast.expr | None] = [None] * (len(function.args.args) - len(function.args.defaults))
    defaults += [*function.args.defaults, *function.args.kw_defaults]
    for argument, given in zip(arguments, defaults, strict=True):
        wrapped = isinstance(given, ast.Call) and _called(given) == "Option"
        node = given.args[0] if isinstance(given, ast.Call) and given.args else given
        default = _scalar(_constant(node))
        flagged = given is not None and (default is not None or wrapped)
        yield Parameter(
            name=parameter_name(argument.arg),
            role="switch" if isinstance(default, bool) else role_of(argument.arg),
            flag="--" + argument.arg.replace("_", "-") if flagged else "",
            kind=_kind(argument.annotation, default),
            default=default,
        )


# --- Files that it writes ---


def _written(call: ast.Call, names: set[str]) -> str:
    called = _called(call)
    where: ast.expr | None = call.args[0] if call.args else None
    if called == "open":
        mode = _constant(call.args[1]) if len(call.args) > 1 else None
        mode = mode or next((_constant(k.value) for k in call.keywords if k.arg == "mode"), "r")
        return _file_name(where, names) if str(mode)[:1] in {"w", "a", "x"} else ""
    if called in {"write_text", "write_bytes"} and isinstance(call.func, ast.Attribute):
        holder = call.func.value
        return _file_name(holder.args[0], names) if isinstance(holder, ast.Call) and holder.args else ""
    saved = called in {"save", "savez"} and getattr(getattr(call.func, "value", None), "id", "") in {
        "np",
        "numpy",
    }
    return _file_name(where, names) if called in WRITERS or saved else ""


def _file_name(node: ast.AST | None, names: set[str]) -> str:
    if isinstance(node, ast.JoinedStr):
        parts = [_piece(part, names) for part in node.values]
        return "" if None in parts else "".join(part or "" for part in parts)
    value = _constant(node)
    return value if isinstance(value, str) and not re.search("[{}]", value) else ""


def _piece(part: ast.expr, names: set[str]) -> str | None:
    """Return one part of an f-string as template text; None if it is more than the name of a parameter."""
    if isinstance(part, ast.Constant):
        return str(part.value)
    if isinstance(part, ast.FormattedValue) and part.format_spec is None:
        name = getattr(part.value, "id", getattr(part.value, "attr", ""))
        return "{" + name + "}" if name in names else None
    return None


def _prints_json(call: ast.Call) -> bool:
    return any(isinstance(arg, ast.Call) and _called(arg) == "dumps" for arg in call.args)
