"""`where`: conditions in Python's words, checked by a whitelist, that thin out a product of factors."""

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
from packhorse.study.levels import MOST_LEVELS
from packhorse.text.node import nearest, refuse

LONGEST = 2000
_HINT = "Use parameters, numbers, quoted texts, + - * / // % **, comparisons, in, and, or, not, abs, min, max, len."
_ALLOWED = (
    ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.UAdd,
    ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow,
    ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn,
    ast.Name, ast.Load, ast.Constant, ast.List, ast.Tuple, ast.Set, ast.Call,
)  # fmt: skip
_FUNCTIONS: dict[str, Callable[..., Any]] = {"abs": abs, "min": min, "max": max, "len": len}
_WORDS = {"true": True, "false": False, "null": None}
_TICKED = re.compile(r"`([^`]+)`")


class Condition(Struct, frozen=True):
    """A checked condition: `test` takes the values of `names` in order."""

    text: str
    where: str
    names: tuple[str, ...]
    test: Callable[..., Any]


def compile_condition(text: str, where: str, names: Iterable[str]) -> Condition:
    """Return a condition over some of `names`; anything but plain arithmetic and comparison is refused."""
    known = list(names)
    if len(text) > LONGEST:
        refuse(
            where, f"This condition is longer than {LONGEST} characters.", "Make the points in a CSV file."
        )
    ticked = {f"_ticked_{n}": name for n, name in enumerate(dict.fromkeys(_TICKED.findall(text)))}
    stand_in = {name: identifier for identifier, name in ticked.items()}
    source = _TICKED.sub(lambda match: stand_in[match[1]], text)
    try:
        with warnings.catch_warnings():
            # The compiler warns of oddities such as 1 is 1; here they are harmless.
            warnings.simplefilter("ignore")
            tree = ast.parse(source.strip(), mode="eval")
            used = _checked(tree, text, where, known, ticked)
            test = _compiled(tree, used)
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        reason = getattr(error, "msg", None) or "it is too deeply nested"
        hint = "Put names that are words of Python, or hold - or ., in backticks: `lambda` > 0.1"
        refuse(where, f"The condition '{text}' cannot be read: {reason}.", hint)
    if not used:
        refuse(where, f"The condition '{text}' names no parameter.", nearest("", known))
    return Condition(text, where, tuple(used), test)


def _checked(
    tree: ast.Expression, text: str, where: str, known: list[str], ticked: dict[str, str]
) -> dict[str, str]:
    """Return each parameter used and the identifier that stands for it; refuse all that is not allowed."""
    used: dict[str, str] = {}
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if not isinstance(node, _ALLOWED) or (isinstance(node, ast.Call) and not _plain_call(node)):
            shown = ast.unparse(node) if isinstance(node, ast.expr) else type(node).__name__
            refuse(where, f"The condition '{text}' holds '{shown}', which is not allowed.", _HINT)
        if isinstance(node, ast.Constant) and not isinstance(node.value, str | int | float | None):
            refuse(where, f"The condition '{text}' holds a value that no parameter has.", _HINT)
        if isinstance(node, ast.Name) and id(node) not in called:
            name = ticked.get(node.id, node.id)
            if name not in known and name in _WORDS:
                continue
            if name not in known:
                hint = f"{nearest(name, known)} A text must be in quotes: '{name}'."
                refuse(where, f"The condition '{text}' names '{name}', which is not a parameter.", hint)
            node.id = used.setdefault(name, f"v{len(used)}")
    return used


def _plain_call(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS and not node.keywords


class _Guard(ast.NodeTransformer):
    """Puts guarded functions in place of the operators that can make values without bound."""

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
    **_WORDS,
    "_times": _times,
    "_modulo": _modulo,
    "_power": _power,
}


def _compiled(tree: ast.Expression, used: dict[str, str]) -> Callable[..., Any]:
    body = _Guard().visit(tree.body)
    arguments = ast.arguments([], [ast.arg(name) for name in used.values()], None, [], [], None, [])
    function = ast.fix_missing_locations(ast.Expression(ast.Lambda(arguments, body)))
    # Every node was checked against the whitelist above, and no builtin is in reach.
    made: Callable[..., Any] = eval(compile(function, "<where>", "eval"), dict(_SCOPE))  # noqa: S307
    return made


def thin(factors: list[Factor], conditions: list[Condition]) -> list[Factor]:
    """Merge the factors that conditions name into one of surviving combinations; the others stay lazy."""
    groups: list[tuple[set[int], list[Condition]]] = []
    for condition in conditions:
        numbers = {n for n, factor in enumerate(factors) if set(factor.names) & set(condition.names)}
        members = [condition]
        for group in [group for group in groups if group[0] & numbers]:
            groups.remove(group)
            numbers |= group[0]
            members = group[1] + members
        groups.append((numbers, members))
    kept: dict[int, Factor] = dict(enumerate(factors))
    for numbers, members in groups:
        survivors = _survivors([factors[n] for n in sorted(numbers)], members)
        for n in numbers:
            del kept[n]
        kept[min(numbers)] = survivors
    return [kept[n] for n in sorted(kept)]


def rows(factor: Factor) -> Iterable[tuple[Any, ...]]:
    """Return a factor's levels, lazily where it is a range or chunks."""
    if factor.levels is not None:
        return factor.levels
    axis = ParameterSpace.of(Study(name="", factors=(factor,))).arithmetic.axes[0]
    return map(tuple, map(axis.values, range(axis.count)))


def size(factor: Factor) -> int:
    """Return a factor's number of levels."""
    if factor.levels is not None:
        return len(factor.levels)
    lazy = factor.range or factor.chunks
    assert lazy is not None
    return lazy[2]


def _survivors(factors: list[Factor], conditions: list[Condition]) -> Factor:
    total = prod(size(factor) for factor in factors)
    names = tuple(name for factor in factors for name in factor.names)
    if total > MOST_LEVELS:
        hint = f"At most {MOST_LEVELS:,} can be tried one by one: shorten the lists, or make the points in a CSV file."
        message = f"The condition would try {total:,} combinations of {', '.join(names)}."
        refuse(conditions[0].where, message, hint)
    flat: Iterable[tuple[Any, ...]] = rows(factors[0])
    if len(factors) > 1:
        flat = (tuple(itertools.chain.from_iterable(row)) for row in itertools.product(*map(rows, factors)))
    for condition in conditions:
        flat = _passing(flat, condition, names)
    levels = tuple(flat)
    if not levels:
        refuse(
            conditions[-1].where,
            f"None of {total:,} combinations meets the conditions.",
            "Loosen one of them.",
        )
    return Factor(names=names, levels=levels, resample=all(factor.resample for factor in factors))


def _passing(
    flat: Iterable[tuple[Any, ...]], condition: Condition, names: tuple[str, ...]
) -> Iterable[tuple[Any, ...]]:
    places = [names.index(name) for name in condition.names]
    test = condition.test
    for row in flat:
        values = [row[place] for place in places]
        try:
            passed = test(*values)
        except (TypeError, ArithmeticError, ValueError) as error:
            shown = ", ".join(
                f"{name}={value!r}" for name, value in zip(condition.names, values, strict=True)
            )
            message = f"The condition '{condition.text}' cannot be answered at {shown}: {error}."
            refuse(
                condition.where,
                message,
                "Add a condition before it that leaves this point out: x != 0 and ...",
            )
        if passed:
            yield row
