"""The arguments that Python calls and functions declare: argparse, optparse, click, absl flags, typer and fire."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any, Literal

from packhorse.study.discover.script import Parameter, parameter_name, role_of

Kind = Literal["", "int", "float", "text"]

KINDS: dict[str, Kind] = {
    "int": "int",
    "float": "float",
    "str": "text",
    "Path": "text",
}
# absl: flags.DEFINE_integer("n", 10, "help"); the type is the end of the name.
FLAGS: dict[str, Kind] = {
    "DEFINE_integer": "int",
    "DEFINE_float": "float",
    "DEFINE_string": "text",
    "DEFINE_enum": "text",
    "DEFINE_bool": "",
    "DEFINE_boolean": "",
}
DECLARING = frozenset({"add_argument", "add_option", "option", "argument", *FLAGS})


def in_order(tree: ast.AST) -> list[ast.AST]:
    """Return the nodes of a tree by their positions."""
    return sorted(
        ast.walk(tree), key=lambda node: (getattr(node, "lineno", 0), getattr(node, "col_offset", 0))
    )


def called(call: ast.Call) -> str:
    """Return the last part of the name of a called function."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def constant(node: ast.AST | None) -> Any:
    """Return the value of a literal, None for other expressions."""
    try:
        return ast.literal_eval(node) if node is not None else None
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def scalar(value: Any) -> Any:
    """Return a value that a study can have, else None: texts with NUL or lone surrogates cannot be arguments."""
    if isinstance(value, str) and re.search("[\0\ud800-\udfff]", value):
        return None
    return value if isinstance(value, int | float | str | bool) else None


def keywords(call: ast.Call) -> dict[str, ast.expr]:
    """Return the keyword arguments of a call."""
    return {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}


# --- A call that names flags ---


def declared(call: ast.Call) -> Iterator[Parameter]:
    """Yield the argument that a call declares, if it does."""
    name = called(call)
    if name in FLAGS:
        yield from _flag(call, name)
        return
    if name not in DECLARING:
        return
    names = [word for arg in call.args if isinstance(word := constant(arg), str) and word]
    if not names:
        return
    given = keywords(call)
    flags = [word.split("/")[0] for word in names if word.startswith("-")]
    flag = next((f for f in flags if f.startswith("--")), flags[0] if flags else "")
    bare = [word for word in names if not word.startswith("-")]
    named = constant(given.get("dest")) or (bare[0] if bare else flag)
    if constant(given.get("action")) in {"version", "help"} or constant(given.get("nargs")) == "REMAINDER":
        return
    several = _is_several(given)
    raw = constant(given.get("default"))
    default = _items(raw) if several else scalar(raw)
    role: Any = role_of(str(named))
    if _is_switch(given, names):
        role = "switch"
    elif flag and default is None and role == "parameter" and constant(given.get("required")) is not True:
        role = "optional"
    yield Parameter(
        name=parameter_name(str(named)),
        role=role,
        flag=flag,
        kind=kind_of(given.get("type"), None if several else default),
        default=default,
        several=several,
        choices=_choices(given),
        help=str(constant(given.get("help")) or ""),
    )


def _flag(call: ast.Call, name: str) -> Iterator[Parameter]:
    """Yield the argument of an absl flag."""
    given = keywords(call)
    named = constant(call.args[0] if call.args else given.get("name"))
    if not isinstance(named, str) or not named:
        return
    default = scalar(constant(call.args[1] if len(call.args) > 1 else given.get("default")))
    role: Any = role_of(named)
    if name in {"DEFINE_bool", "DEFINE_boolean"}:
        role = "switch"
    elif default is None and role == "parameter":
        role = "optional"
    listed = constant(call.args[2]) if name == "DEFINE_enum" and len(call.args) > 2 else None
    about = constant(call.args[-1]) if len(call.args) > 2 else constant(given.get("help"))
    yield Parameter(
        name=parameter_name(named),
        role=role,
        flag="--" + named,
        kind=FLAGS[name],
        default=default,
        choices=tuple(listed) if isinstance(listed, list | tuple) and all(map(scalar, listed)) else (),
        help=about if isinstance(about, str) else "",
    )


def _is_several(given: dict[str, ast.expr]) -> bool:
    """Return whether an argument takes several names: nargs of argparse, and of click with a number."""
    nargs = constant(given.get("nargs"))
    return nargs in {"+", "*"} or (
        isinstance(nargs, int) and not isinstance(nargs, bool) and nargs not in {0, 1}
    )


def _items(value: Any) -> Any:
    items = list(value) if isinstance(value, list | tuple) else []
    return items if items and all(scalar(item) is not None for item in items) else None


def _is_switch(given: dict[str, ast.expr], names: list[str]) -> bool:
    action = constant(given.get("action"))
    boolean = getattr(given.get("action"), "attr", "") == "BooleanOptionalAction"
    pair = any(word.startswith("--") and "/" in word for word in names)
    counted = action in {"store_true", "store_false", "store_const", "count"}
    return counted or boolean or pair or constant(given.get("is_flag")) is True


def kind_of(node: ast.AST | None, default: Any) -> Kind:
    """Return the type of an argument, from its annotation or conversion, else from its default."""
    name = getattr(node, "id", getattr(node, "attr", "")) or constant(node)
    if isinstance(name, str) and name in KINDS:
        return KINDS[name]
    if name in {"INT", "FLOAT"}:  # click.INT, click.FLOAT
        return "int" if name == "INT" else "float"
    if isinstance(default, bool) or default is None:
        return ""
    return KINDS.get(type(default).__name__, "")


def _choices(given: dict[str, ast.expr]) -> tuple[Any, ...]:
    kind = given.get("type")
    node: ast.AST | None = given.get("choices")
    if node is None and isinstance(kind, ast.Call) and called(kind) == "Choice" and kind.args:
        node = kind.args[0]
    values = constant(node)
    return tuple(v for v in values if scalar(v) is not None) if isinstance(values, list | tuple | set) else ()


# --- typer and fire: a function's own parameters ---


def signature(function: ast.FunctionDef, *, fire: bool = False) -> Iterator[Parameter]:
    """Yield the arguments that typer makes of a function's parameters, or those that fire does."""
    arguments = [*function.args.args, *function.args.kwonlyargs]
    defaults: list[ast.expr | None] = [None] * (len(function.args.args) - len(function.args.defaults))
    defaults += [*function.args.defaults, *function.args.kw_defaults]
    for argument, given in zip(arguments, defaults, strict=True):
        if argument.arg in {"self", "cls", "ctx"}:
            continue
        annotation, about = _annotated(argument.annotation)
        node = given
        if isinstance(given, ast.Call) and called(given) in {"Option", "Argument"}:
            about, node = given, given.args[0] if given.args else keywords(given).get("default")
        declares = constant(node) is Ellipsis
        default = None if declares else scalar(constant(node))
        option = about is not None and called(about) == "Option"
        flagged = fire or given is not None or option
        if about is not None and called(about) == "Argument":
            flagged = False
        yield Parameter(
            name=parameter_name(argument.arg),
            role=_role(argument.arg, annotation, default, given, fire=fire),
            flag=_flag_name(argument.arg, about, fire=fire) if flagged else "",
            kind=kind_of(annotation, default),
            default=default,
            help=str(constant(keywords(about).get("help")) or "") if about is not None else "",
        )


def _annotated(annotation: ast.expr | None) -> tuple[ast.expr | None, ast.Call | None]:
    """Return the type of an annotation, and the call in Annotated[int, typer.Option()]."""
    if isinstance(annotation, ast.Subscript) and getattr(
        annotation.value, "id", getattr(annotation.value, "attr", "")
    ) in {"Annotated", "Optional"}:
        inside = annotation.slice
        if not isinstance(inside, ast.Tuple):
            return inside, None
        about = next((e for e in inside.elts[1:] if isinstance(e, ast.Call)), None)
        return inside.elts[0], about
    if isinstance(annotation, ast.BinOp):  # int | None
        return annotation.left, None
    return annotation, None


def _role(name: str, annotation: ast.expr | None, default: Any, given: ast.expr | None, *, fire: bool) -> Any:
    if isinstance(default, bool) or getattr(annotation, "id", "") == "bool":
        return "switch"
    none = (
        given is not None and default is None and constant(given) is None and not isinstance(given, ast.Call)
    )
    role = role_of(name)
    return "optional" if none and role == "parameter" and (fire or given is not None) else role


def _flag_name(name: str, about: ast.Call | None, *, fire: bool) -> str:
    names = [word for arg in (about.args if about else ()) if isinstance(word := constant(arg), str)]
    named = next((word.split("/")[0] for word in names if word.startswith("--")), "")
    return named or "--" + (name if fire else name.replace("_", "-"))
