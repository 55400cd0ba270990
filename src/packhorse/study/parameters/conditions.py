"""Conditions of `where`: Python expressions, limited to an allow-list, that select combinations of levels."""

from __future__ import annotations

import ast
import itertools
import re
import warnings
from collections.abc import Callable, Iterable
from math import prod
from typing import Any

from msgspec import Struct

from packhorse.model.space import ParameterSpace
from packhorse.model.study import Factor, Study
from packhorse.study.keys import MOST_LEVELS
from packhorse.text.node import nearest, refuse

MAX_LENGTH = 2000  # characters
_HINT = "Allowed: parameters, numbers, quoted texts, + - * / // % **, comparisons, in, and, or, not, abs, min, max, len."
_ALLOWED = (
    ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.UAdd,
    ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow,
    ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn,
    ast.Name, ast.Load, ast.Constant, ast.List, ast.Tuple, ast.Set, ast.Call,
)  # fmt: skip
_FUNCTIONS: dict[str, Callable[..., Any]] = {"abs": abs, "min": min, "max": max, "len": len}
_CONSTANTS = {"true": True, "false": False, "null": None}
_BACKTICKED = re.compile(r"`([^`]+)`")


class Condition(Struct, frozen=True):
    """A checked condition; `test` takes the values of `names` in their order."""

    text: str
    where: str
    names: tuple[str, ...]
    test: Callable[..., Any]


def compile_condition(text: str, where: str, names: Iterable[str]) -> Condition:
    """Compile a condition on some of `names`; refuse all but arithmetic, comparisons and a few functions."""
    known = list(names)
    if len(text) > MAX_LENGTH:
        message = f"The condition has {len(text):,} characters; the maximum is {MAX_LENGTH:,}."
        refuse(where, message, "Write the points in a CSV file: csv: points.csv")
    ticked = {f"_ticked_{n}": name for n, name in enumerate(dict.fromkeys(_BACKTICKED.findall(text)))}
    stand_in = {name: identifier for identifier, name in ticked.items()}
    source = _BACKTICKED.sub(lambda match: stand_in[match[1]], text)
    try:
        with warnings.catch_warnings():
            # The compiler warns about expressions such as 1 is 1, which are harmless here.
            warnings.simplefilter("ignore")
            tree = ast.parse(source.strip(), mode="eval")
            used = _checked(tree, text, where, known, ticked)
            test = _compiled(tree, used)
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        reason = getattr(error, "msg", None) or "it is too deeply nested"
        hint = "Write Python keywords and names with - or . in backticks: `lambda` > 0.1"
        refuse(where, f"The condition '{text}' is not a valid expression: {reason}.", hint)
    if not used:
        refuse(where, f"The condition '{text}' names no parameter.", nearest("", known))
    return Condition(text, where, tuple(used), test)


def _checked(
    tree: ast.Expression, text: str, where: str, known: list[str], ticked: dict[str, str]
) -> dict[str, str]:
    """Return the parameters used, each with its identifier in the compiled code; refuse what is not allowed."""
    used: dict[str, str] = {}
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if not isinstance(node, _ALLOWED) or (isinstance(node, ast.Call) and not _plain_call(node)):
            shown = ast.unparse(node) if isinstance(node, ast.expr) else type(node).__name__
            refuse(where, f"The condition '{text}' contains '{shown}', which is not allowed.", _HINT)
        if isinstance(node, ast.Constant) and not isinstance(node.value, str | int | float | None):
            refuse(
                where,
                f"The condition '{text}' contains {node.value!r}, which is not a number or a text.",
                _HINT,
            )
        if isinstance(node, ast.Name) and id(node) not in called:
            name = ticked.get(node.id, node.id)
            if name not in known and name in _CONSTANTS:
                continue
            if name not in known:
                hint = f"{nearest(name, known)} Write a text in quotes: '{name}'"
                refuse(where, f"The condition '{text}' names '{name}', which is not a parameter.", hint)
            node.id = used.setdefault(name, f"v{len(used)}")
    return used


def _plain_call(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS and not node.keywords


class _Guard(ast.NodeTransformer):
    """Replaces the operators that can make values of any size by functions that limit them."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        guard = {ast.Mult: "_times", ast.Mod: "_modulo", ast.Pow: "_power"}.get(type(node.op))
        if guard is None:
            return node
        return ast.Call(ast.Name(guard, ast.Load()), [node.left, node.right], [])


_NUMBER = (int, float)


def _numbers(left: Any, right: Any) -> None:
    if not (isinstance(left, _NUMBER) and isinstance(right, _NUMBER)):
        raise TypeError("* % and ** take numbers")


def _times(left: Any, right: Any) -> Any:
    _numbers(left, right)
    return left * right


def _modulo(left: Any, right: Any) -> Any:
    _numbers(left, right)
    return left % right


def _power(left: Any, right: Any) -> Any:
    _numbers(left, right)
    if isinstance(left, int) and isinstance(right, int) and left.bit_length() * abs(right) > 100_000:
        raise OverflowError("the power is too large")
    return left**right


_SCOPE: dict[str, Any] = {
    "__builtins__": {},
    **_FUNCTIONS,
    **_CONSTANTS,
    "_times": _times,
    "_modulo": _modulo,
    "_power": _power,
}


def _compiled(tree: ast.Expression, used: dict[str, str]) -> Callable[..., Any]:
    body = _Guard().visit(tree.body)
    arguments = ast.arguments([], [ast.arg(name) for name in used.values()], None, [], [], None, [])
    function = ast.fix_missing_locations(ast.Expression(ast.Lambda(arguments, body)))
    # _checked has compared every node with the allow-list, and the scope has no builtins.
    test: Callable[..., Any] = eval(compile(function, "<where>", "eval"), dict(_SCOPE))  # noqa: S307
    return test


def select(factors: list[Factor], conditions: list[Condition]) -> list[Factor]:
    """Merge the factors that conditions connect into one factor of the combinations that meet them.

    Other factors stay as they are.
    """
    groups: list[tuple[set[int], list[Condition]]] = []
    for condition in conditions:
        numbers = {n for n, factor in enumerate(factors) if set(factor.names) & set(condition.names)}
        members = [condition]
        for group in [group for group in groups if group[0] & numbers]:
            groups.remove(group)
            numbers |= group[0]
            members = group[1] + members
        groups.append((numbers, members))
    result: dict[int, Factor] = dict(enumerate(factors))
    for numbers, members in groups:
        selected = _selected([factors[n] for n in sorted(numbers)], members)
        for n in numbers:
            del result[n]
        result[min(numbers)] = selected
    return [result[n] for n in sorted(result)]


def rows(factor: Factor) -> Iterable[tuple[Any, ...]]:
    """Return the levels of a factor, lazily for a range or chunks."""
    if factor.levels is not None:
        return factor.levels
    axis = ParameterSpace.of(Study(name="", factors=(factor,))).arithmetic.axes[0]
    return map(tuple, map(axis.values, range(axis.count)))


def size(factor: Factor) -> int:
    """Return the number of levels of a factor."""
    if factor.levels is not None:
        return len(factor.levels)
    lazy = factor.range or factor.chunks
    assert lazy is not None
    return lazy[2]


def _selected(factors: list[Factor], conditions: list[Condition]) -> Factor:
    total = prod(size(factor) for factor in factors)
    names = tuple(name for factor in factors for name in factor.names)
    if total > MOST_LEVELS:
        hint = "Shorten the lists, or write the points in a CSV file: csv: points.csv"
        message = (
            f"The condition applies to {total:,} combinations of {', '.join(names)}; "
            f"the maximum is {MOST_LEVELS:,}."
        )
        refuse(conditions[0].where, message, hint)
    # The last value of each row is its level in each factor, by which the texts of the levels are found.
    counts = itertools.product(*(range(size(factor)) for factor in factors))
    flat: Iterable[tuple[Any, ...]] = (
        (*itertools.chain.from_iterable(row), at)
        for row, at in zip(itertools.product(*map(rows, factors)), counts, strict=True)
    )
    for condition in conditions:
        flat = _passing(flat, condition, names)
    selected = tuple(flat)
    levels = tuple(row[:-1] for row in selected)
    if not levels:
        message = f"None of {total:,} combinations meets the conditions."
        refuse(conditions[-1].where, message, "Relax one of the conditions.")
    written = {
        name: tuple(texts[row[-1][number]] for row in selected)
        for number, factor in enumerate(factors)
        for name, texts in factor.written.items()
    }
    written = {name: texts for name, texts in written.items() if any(given is not None for given in texts)}
    resample = all(factor.resample for factor in factors)
    return Factor(names=names, levels=levels, resample=resample, written=written)


def _passing(
    flat: Iterable[tuple[Any, ...]], condition: Condition, names: tuple[str, ...]
) -> Iterable[tuple[Any, ...]]:
    positions = [names.index(name) for name in condition.names]
    test = condition.test
    for row in flat:
        values = [row[position] for position in positions]
        try:
            passed = test(*values)
        except (TypeError, ArithmeticError, ValueError) as error:
            shown = ", ".join(
                f"{name}={value!r}" for name, value in zip(condition.names, values, strict=True)
            )
            message = f"The condition '{condition.text}' fails at {shown}: {error}."
            refuse(condition.where, message, "Exclude this point first, for example: x != 0 and ...")
        if passed:
            yield row
