"""The subcommands of a Python script, each with its own arguments: argparse, click, typer and fire."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from packhorse.study.discover.arguments.declarations import (
    called,
    constant,
    declared,
    in_order,
    keywords,
    signature,
)
from packhorse.study.discover.script import Parameter

Path = tuple[str, ...]
# The arguments of each subcommand by its words; those of () are before the first word.
Arguments = dict[Path, list[Parameter]]


def find_subcommands(tree: ast.Module) -> Arguments:
    """Return the subcommands of a script with their arguments, empty if it has none."""
    return _argparse(tree) or _decorated(tree) or _fire(tree)


def arguments_of(found: Arguments, path: Path) -> tuple[Parameter, ...]:
    """Return the arguments of one subcommand: those before its words, then its own."""
    early = [
        replace(parameter, early=True)
        for length in range(len(path))
        for parameter in found.get(path[:length], ())
    ]
    last = found[path]
    names = {parameter.name for parameter in last}
    return (*(parameter for parameter in early if parameter.name not in names), *last)


def choices(found: Arguments) -> list[Path]:
    """Return the words of the subcommands that have no further ones."""
    return [
        path
        for path in found
        if path and not any(len(p) > len(path) and p[: len(path)] == path for p in found)
    ]


# --- argparse ---


class _Parser(Struct):
    parent: int | None = None
    name: str = ""
    parameters: list[Parameter] = field(default_factory=list)
    sources: list[int] = field(default_factory=list)  # parsers given as parents=


class _Parsers:
    """The parsers of a script, found by reading its statements in their order."""

    def __init__(self, tree: ast.Module) -> None:
        self.parsers: list[_Parser] = []
        self.names: dict[str, list[int]] = {}
        self.texts: dict[str, list[str]] = {}  # loop variables over constants
        self.root: int | None = None
        self.functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        self.inside = {
            id(call): function
            for function in self.functions.values()
            for call in ast.walk(function)
            if isinstance(call, ast.Call)
        }
        self.seen: dict[int, list[int]] = {}
        for node in in_order(tree):
            self._read(node)

    def _read(self, node: ast.AST) -> None:
        if isinstance(node, ast.Assign):
            found = self._resolve(node.value)
            for target in node.targets:
                if found:
                    self.names[ast.unparse(target)] = found
        elif isinstance(node, ast.For):
            self._loop(node)
        elif isinstance(node, ast.Call) and called(node) == "add_argument":
            self._add(node)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            self._pass(node, self.functions.get(node.func.id))
        elif isinstance(node, ast.Call):
            self._resolve(node)

    def _loop(self, node: ast.For) -> None:
        items = node.iter.elts if isinstance(node.iter, ast.Tuple | ast.List) else []
        found = [parser for item in items for parser in self._resolve(item)]
        texts = [text for item in items if isinstance(text := constant(item), str)]
        if found:
            self.names[ast.unparse(node.target)] = found
        if texts:
            self.texts[ast.unparse(node.target)] = texts

    def _add(self, node: ast.Call) -> None:
        receiver = node.func.value if isinstance(node.func, ast.Attribute) else None
        function = self.inside.get(id(node))
        if function is not None and isinstance(receiver, ast.Name) and receiver.id in _arguments(function):
            return  # added for each parser with which the function is called
        for parser in self._resolve(receiver) if receiver is not None else []:
            self.parsers[parser].parameters += declared(node)

    def _pass(self, node: ast.Call, function: ast.FunctionDef | None) -> None:
        """Add the arguments that a function adds to the parsers that it is called with."""
        if function is None:
            return
        names = _arguments(function)
        given = dict(zip(names, node.args, strict=False)) | {
            k: v for k, v in keywords(node).items() if k in names
        }
        for call in in_order(function):
            if isinstance(call, ast.Call) and called(call) == "add_argument":
                receiver = call.func.value if isinstance(call.func, ast.Attribute) else None
                if isinstance(receiver, ast.Name) and receiver.id in given:
                    for parser in self._resolve(given[receiver.id]):
                        self.parsers[parser].parameters += declared(call)

    def _resolve(self, node: ast.AST) -> list[int]:
        """Return the parsers that an expression names."""
        if isinstance(node, ast.Name | ast.Attribute):
            return self.names.get(ast.unparse(node), [])
        if not isinstance(node, ast.Call):
            return []
        if id(node) not in self.seen:
            self.seen[id(node)] = self._made(node)
        return self.seen[id(node)]

    def _made(self, node: ast.Call) -> list[int]:
        kind = called(node)
        receiver = node.func.value if isinstance(node.func, ast.Attribute) else None
        if kind == "ArgumentParser":
            return [self._new(None, "", node)]
        if kind == "add_parser":
            parents = (self._resolve(receiver) if receiver is not None else []) or [self._main()]
            return [self._new(parent, name, node) for parent in parents for name in self._names(node)]
        if kind == "add_subparsers" and receiver is not None:
            found = self._resolve(receiver)
            for parser in found:
                if self.root is None and self.parsers[parser].parent is None:
                    self.root = parser
            return found
        if kind in {"add_argument_group", "add_mutually_exclusive_group"} and receiver is not None:
            return self._resolve(receiver)
        return []

    def _names(self, node: ast.Call) -> list[str]:
        first = node.args[0] if node.args else keywords(node).get("name")
        text = constant(first)
        if isinstance(text, str):
            return [text]
        return self.texts.get(ast.unparse(first), []) if first is not None else []

    def _main(self) -> int:
        if self.root is None:
            known = [n for n, parser in enumerate(self.parsers) if parser.parent is None]
            self.root = known[0] if known else self._new(None, "", None)
        return self.root

    def _new(self, parent: int | None, name: str, node: ast.Call | None) -> int:
        given = keywords(node).get("parents") if node is not None else None
        items = given.elts if isinstance(given, ast.List | ast.Tuple) else []
        sources = [parser for item in items for parser in self._resolve(item)]
        self.parsers.append(_Parser(parent=parent, name=name, sources=sources))
        return len(self.parsers) - 1

    def path(self, number: int) -> Path:
        """Return the words of a parser."""
        parser = self.parsers[number]
        return () if parser.parent is None else (*self.path(parser.parent), parser.name)

    def arguments(self) -> Arguments:
        """Return the arguments of each subcommand."""
        if not any(parser.name for parser in self.parsers):
            return {}
        found: Arguments = {(): []}
        for number, parser in enumerate(self.parsers):
            if parser.name or number == self.root:
                inherited = [p for source in parser.sources for p in self.parsers[source].parameters]
                found.setdefault(self.path(number), []).extend([*inherited, *parser.parameters])
        return found


def _arguments(function: ast.FunctionDef) -> list[str]:
    return [argument.arg for argument in function.args.args]


def _argparse(tree: ast.Module) -> Arguments:
    if not any(isinstance(node, ast.Call) and called(node) == "add_parser" for node in ast.walk(tree)):
        return {}
    return _Parsers(tree).arguments()


# --- click and typer: decorators of functions ---


class _Command(Struct):
    name: str
    function: ast.FunctionDef | None
    parent: str  # variable of the group or app; empty for a command that stands alone
    group: bool = False


def _decorated(tree: ast.Module) -> Arguments:
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    apps = _apps(tree)
    commands = _commands(tree, functions, apps)
    if not any(command.group for command in commands.values()):
        return {}
    found: Arguments = {(): []}
    for variable, command in commands.items():
        path = _path(variable, commands)
        if path is not None:
            found.setdefault(path, []).extend(_parameters(command, functions, apps))
    called_back = any(command.function and command.group for command in commands.values())
    alone = len(found) == 2 and apps and not called_back  # an app of one command has no word for it
    return found if len(found) > 1 and not alone else {}


def _commands(tree: ast.Module, functions: dict[str, ast.FunctionDef], apps: set[str]) -> dict[str, _Command]:
    """Return the commands, groups and apps by their variables."""
    commands = {name: _Command(name="", function=None, parent="", group=True) for name in apps}
    for function in functions.values():
        for decorator in function.decorator_list:
            _take(function, decorator, apps, commands)
    for node in in_order(tree):
        if isinstance(node, ast.Call) and called(node) in {"add_command", "add_typer"}:
            _attach(node, commands)
    return commands


def _apps(tree: ast.Module) -> set[str]:
    """Return the variables that hold a typer.Typer()."""
    return {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and called(node.value) == "Typer"
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _take(
    function: ast.FunctionDef, decorator: ast.expr, apps: set[str], commands: dict[str, _Command]
) -> None:
    """Note a function that a decorator makes a command, a group or the callback of an app."""
    made = decorator.func if isinstance(decorator, ast.Call) else decorator
    kind = getattr(made, "attr", getattr(made, "id", ""))
    holder = getattr(getattr(made, "value", None), "id", "")
    if kind == "callback" and holder in apps:
        commands[holder].function = function
    if kind not in {"command", "group"}:
        return
    call = decorator if isinstance(decorator, ast.Call) else None
    given = (constant(call.args[0]) if call.args else constant(keywords(call).get("name"))) if call else None
    name = given if isinstance(given, str) else function.name.replace("_", "-")
    parent = holder if holder in commands else ""
    if holder in {"", "click", "typer", "rich_click"} or parent:
        commands[function.name] = _Command(name=name, function=function, parent=parent, group=kind == "group")


def _attach(node: ast.Call, commands: dict[str, _Command]) -> None:
    holder = getattr(getattr(node.func, "value", None), "id", "")
    variable = getattr(node.args[0], "id", "") if node.args else ""
    if holder in commands and variable in commands:
        commands[variable].parent = holder
        given = constant(keywords(node).get("name"))
        if given is None and called(node) == "add_command" and len(node.args) > 1:
            given = constant(node.args[1])
        if isinstance(given, str):
            commands[variable].name = given


def _path(variable: str, commands: dict[str, _Command]) -> Path | None:
    """Return the words of a command; None if it is in no group and is none."""
    names: list[str] = []
    for _ in range(len(commands) + 1):
        command = commands[variable]
        if not command.parent:
            return tuple(reversed(names)) if command.group else None
        names.append(command.name or variable)
        variable = command.parent
    return None


def _parameters(
    command: _Command, functions: dict[str, ast.FunctionDef], apps: set[str]
) -> Iterator[Parameter]:
    function = command.function
    if function is None:
        return
    calls: list[ast.Call] = []
    for decorator in function.decorator_list:
        shared = functions.get(getattr(decorator, "id", ""))
        if isinstance(decorator, ast.Call):
            calls.append(decorator)
        elif shared is not None:  # a decorator that applies those of options
            calls += [node for node in in_order(shared) if isinstance(node, ast.Call)]
    found = [parameter for call in calls for parameter in declared(call)]
    if not found and (apps or command.parent in apps):
        found = [*signature(function)]
    yield from found


# --- fire ---


def _fire(tree: ast.Module) -> Arguments:
    """Return what fire.Fire makes of a script's functions, of a dict of them, or of a class."""
    call = next((n for n in ast.walk(tree) if isinstance(n, ast.Call) and called(n) == "Fire"), None)
    if call is None:
        return {}
    functions = {
        n.name: n for n in tree.body if isinstance(n, ast.FunctionDef) and not n.name.startswith("_")
    }
    given: Any = call.args[0] if call.args else keywords(call).get("component")
    if given is None:
        return {(): [], **{(name,): [*signature(node, fire=True)] for name, node in functions.items()}}
    if isinstance(given, ast.Dict):
        return _fire_dict(given, functions)
    made = isinstance(given, ast.Call)
    name = getattr(given.func if made else given, "id", "")
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return _fire_class(node, made=made)
    return {}


def _fire_dict(given: ast.Dict, functions: dict[str, ast.FunctionDef]) -> Arguments:
    found: Arguments = {(): []}
    for key, value in zip(given.keys, given.values, strict=True):
        word, node = constant(key), functions.get(getattr(value, "id", ""))
        if isinstance(word, str) and node is not None:
            found[(word,)] = [*signature(node, fire=True)]
    return found


def _fire_class(node: ast.ClassDef, *, made: bool) -> Arguments:
    methods = {n.name: n for n in node.body if isinstance(n, ast.FunctionDef)}
    begin = [*signature(methods["__init__"], fire=True)] if "__init__" in methods and not made else []
    public: Iterable[tuple[str, ast.FunctionDef]] = (
        (name, method) for name, method in methods.items() if not name.startswith("_")
    )
    return {(): begin, **{(name,): [*signature(method, fire=True)] for name, method in public}}


def fire_function(tree: ast.Module) -> Iterator[Parameter]:
    """Yield the arguments of the one function that a script gives to fire.Fire."""
    functions = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef)}
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and called(call) == "Fire" and call.args:
            node = functions.get(getattr(call.args[0], "id", ""))
            if node is not None:
                yield from signature(node, fire=True)
                return
