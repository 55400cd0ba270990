"""Read a Python script: arguments by argparse, optparse, click, typer, fire, docopt, absl or sys.argv, and its files."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any, Literal

from packhorse.model.errors import UsageError
from packhorse.study.discover.arguments.declarations import (
    KINDS,
    called,
    constant,
    declared,
    in_order,
    keywords,
    kind_of,
    scalar,
    signature,
)
from packhorse.study.discover.arguments.docopt import find_docopt
from packhorse.study.discover.arguments.subcommands import (
    Arguments,
    arguments_of,
    choices,
    find_subcommands,
    fire_function,
)
from packhorse.study.discover.files.python import python_files
from packhorse.study.discover.files.template import names_of
from packhorse.study.discover.script import (
    Parameter,
    ScriptFacts,
    array_variable,
    parameter_name,
    role_of,
    with_index,
)
from packhorse.study.discover.settings import configs, constants, uses_hydra

SEED32 = re.compile(r"np\.random\.seed|numpy\.random\.seed|RandomState|random_state\s*=")


def discover_python(source: str, subcommand: tuple[str, ...] = ()) -> ScriptFacts:
    """Return the arguments and files of a script, or of one of its subcommands.

    Raise SyntaxError if it is not valid Python, and UsageError if `subcommand` is not one of its subcommands.
    """
    tree = ast.parse(source)
    calls = [node for node in in_order(tree) if isinstance(node, ast.Call)]
    found = find_subcommands(tree)
    if not found and "docopt" in source:
        found = _docopt(tree)
    path, parameters = choose(found, subcommand)
    if not found:
        parameters = (
            [parameter for call in _called_command(tree, calls) for parameter in declared(call)]
            or [*_positions(tree)]
            or [*_typer(tree, source)]
            or [*fire_function(tree)]
        )
    seed32 = bool(SEED32.search(source))
    variable = array_variable(source)
    aliases = _index_aliases(tree, variable) if variable else []
    parameters, index = with_index(parameters, aliases, variable)
    names = names_of(parameters, aliases, index, "{seed32}" if seed32 else "{seed}")
    return ScriptFacts(
        parameters=tuple({p.name: p for p in parameters}.values()),
        files=python_files(tree, names),
        index=index,
        prints=_prints(tree, calls),
        seed32=seed32,
        subcommand=path,
        constants=constants(tree),
        configs=configs(tree),
        hydra=uses_hydra(tree),
    )


def choose(found: Arguments, subcommand: tuple[str, ...]) -> tuple[tuple[str, ...], list[Parameter]]:
    """Return the words and arguments of a subcommand; without one, of the only one that there is.

    Raise UsageError if the script has others, or several and none is chosen.
    """
    known = choices(found)
    if subcommand:
        if subcommand not in known:
            raise _unknown(known, subcommand)
        return subcommand, [*arguments_of(found, subcommand)]
    if len(known) > 1:
        raise _unknown(known, subcommand)
    if known:
        return known[0], [*arguments_of(found, known[0])]
    return (), [*found.get((), [])]


def _unknown(known: list[tuple[str, ...]], subcommand: tuple[str, ...]) -> UsageError:
    names = [" ".join(path) for path in known]
    shown = " ".join(subcommand)
    if not known:
        return UsageError(f"the script has no subcommands, but '{shown}' is given", "packhorse init SCRIPT")
    hint = f"packhorse init SCRIPT {names[0]}"
    if subcommand:
        return UsageError(f"the script has no subcommand '{shown}'; it has: {', '.join(names)}", hint)
    return UsageError(f"the script has the subcommands {', '.join(names)}; a study runs one of them", hint)


def _docopt(tree: ast.Module) -> Arguments:
    """Return the usage patterns in the docstring, or in the text that is given to docopt."""
    texts = [ast.get_docstring(tree) or ""]
    texts += [
        text
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(text := constant(node.value), str)
    ]
    texts += [
        text
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and called(node) == "docopt"
        and node.args
        and isinstance(text := constant(node.args[0]), str)
    ]
    return next((found for text in texts if (found := find_docopt(text))), {})


def _called_command(tree: ast.Module, calls: list[ast.Call]) -> list[ast.Call]:
    """Return the calls of a script; of several commands of click, those of the one that the script starts."""
    commands = {
        node.name: node
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and any(isinstance(d, ast.Call) and called(d) == "command" for d in node.decorator_list)
    }
    started = [
        call.func.id
        for node in tree.body
        if isinstance(node, ast.If | ast.Expr)
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in commands
    ]
    if len(commands) < 2 or not started:
        return calls
    others = [node for name, node in commands.items() if name != started[0]]
    apart = {id(call) for node in others for call in ast.walk(node)}
    return [call for call in calls if id(call) not in apart]


# --- sys.argv by position ---


def _positions(tree: ast.AST) -> Iterator[Parameter]:
    parameters: dict[int, Parameter] = {}
    for node in in_order(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            for position, parameter in _assigned(node.targets[0], node.value):
                parameters.setdefault(position, parameter)
    for node in in_order(tree):
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
    default = scalar(constant(value.orelse)) if isinstance(value, ast.IfExp) else None
    yield (
        inside[0],
        Parameter(
            name=parameter_name(name), role=role_of(name), kind=_conversion(value, default), default=default
        ),
    )


def _conversion(value: ast.expr, default: Any) -> Literal["", "int", "float", "text"]:
    """Return the type to which the argument is converted: the innermost int(...) or float(...) around it."""
    kind = kind_of(None, default)
    for node in ast.walk(value):
        if isinstance(node, ast.Call) and called(node) in KINDS and node.args:
            kind = KINDS[called(node)]
    return kind or "text"


def _is_argv(node: ast.AST) -> bool:
    return getattr(node, "attr", getattr(node, "id", "")) == "argv"


def _position(node: ast.AST) -> int | None:
    if isinstance(node, ast.Subscript) and _is_argv(node.value):
        position = constant(node.slice)
        return position if isinstance(position, int) and 0 < position < 100 else None
    return None


def _slice_start(value: ast.expr) -> int | None:
    if _is_argv(value):
        return 0
    if isinstance(value, ast.Subscript) and _is_argv(value.value) and isinstance(value.slice, ast.Slice):
        start = constant(value.slice.lower)
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
                d for d in function.decorator_list if isinstance(d, ast.Call) and called(d) == "command"
            ]
            if commands or (run and run.group(1) == function.name):
                yield from signature(function)
                return


# --- The index of an array, and what is printed ---


def _index_aliases(tree: ast.Module, variable: str) -> list[str]:
    """Return the names that a script gives to the value of an array's variable, arguments with that default included."""
    found = []
    for node in in_order(tree):
        value = node.value if isinstance(node, ast.Assign) else None
        computed = value is not None and any(isinstance(n, ast.BinOp) for n in ast.walk(value))
        if value is not None and _mentions(value, variable) and not computed:  # index - 1 is another number
            target = node.targets[0] if isinstance(node, ast.Assign) else None
            found.append(str(getattr(target, "id", getattr(target, "attr", ""))))
        if isinstance(node, ast.Call) and _mentions(keywords(node).get("default"), variable):
            found += [p.name for p in declared(node)]
    return [name for name in dict.fromkeys(found) if name]


def _mentions(node: ast.AST | None, text: str) -> bool:
    nodes = ast.walk(node) if node is not None else ()
    return any(isinstance(n, ast.Constant) and n.value == text for n in nodes)


def _prints(tree: ast.Module, calls: list[ast.Call]) -> Literal["", "json", "dict"]:
    """Return whether a script prints JSON, or a dict of Python."""
    printed = [
        call.args[0]
        for call in calls
        if called(call) == "print" and len(call.args) == 1 and not call.keywords
    ]
    if any(isinstance(value, ast.Call) and called(value) == "dumps" for value in printed):
        return "json"
    dicts = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and _is_dict(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    last = printed[-1] if printed else None
    return "dict" if last is not None and (_is_dict(last) or getattr(last, "id", "") in dicts) else ""


def _is_dict(node: ast.expr) -> bool:
    return isinstance(node, ast.Dict) or (isinstance(node, ast.Call) and called(node) == "dict")
