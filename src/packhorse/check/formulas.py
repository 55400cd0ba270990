"""Formulas of columns, such as `sigma**2 / n`: arithmetic and a few functions, never other code."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from packhorse.check.measures import Array
from packhorse.model.errors import UsageError

MAX_LENGTH = 1000  # characters
OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
    ast.USub: np.negative,
    ast.UAdd: np.positive,
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    name: getattr(np, name)
    for name in (
        "abs",
        "sqrt",
        "exp",
        "log",
        "log10",
        "log2",
        "sin",
        "cos",
        "tan",
        "arctan",
        "tanh",
        "minimum",
        "maximum",
    )
}
CONSTANTS = {"pi": np.pi, "e": np.e, "inf": np.inf}


def evaluate(text: str, columns: Mapping[str, Array | float]) -> Array:
    """Return the value of a formula at each row; `columns` are its variables.

    Raises UsageError for what is not arithmetic, for an unknown name, and for columns that are not numeric.
    """
    if len(text) > MAX_LENGTH:
        raise UsageError(f"the formula has {len(text):,} characters; the maximum is {MAX_LENGTH:,}")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise UsageError(
            f"the formula '{text}' is not valid: {error}", "write it as in Python: sigma**2 / n"
        ) from None
    try:
        with np.errstate(all="ignore"):
            return np.asarray(_value(tree.body, text, columns), dtype=np.float64)
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(
            f"the formula '{text}' has no value: {error}", "its columns must be numbers"
        ) from None


def _value(node: ast.AST, text: str, columns: Mapping[str, Array | float]) -> Any:
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return np.float64(value)
        case ast.Name(id=name):
            if name not in columns and name not in CONSTANTS:
                known = ", ".join(map(str, columns)) or "none"
                raise UsageError(
                    f"the formula '{text}' names '{name}', which is not a column", f"columns: {known}"
                )
            return np.asarray(columns[name] if name in columns else CONSTANTS[name], dtype=np.float64)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            return OPERATORS[type(op)](_value(left, text, columns), _value(right, text, columns))
        case ast.UnaryOp(op=op, operand=operand) if type(op) in OPERATORS:
            return OPERATORS[type(op)](_value(operand, text, columns))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
            return FUNCTIONS[name](*(_value(one, text, columns) for one in args))
    shown = ast.unparse(node) if isinstance(node, ast.expr) else type(node).__name__
    allowed = f"allowed: columns, numbers, + - * / **, {', '.join(FUNCTIONS)}"
    raise UsageError(f"the formula '{text}' contains '{shown}', which is not allowed", allowed)
