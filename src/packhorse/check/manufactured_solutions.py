"""Manufactured solutions: choose a solution, and derive the source term for which it is exact. Needs SymPy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sympy
from msgspec import Struct

from packhorse.model.errors import UsageError


class Manufactured(Struct, frozen=True, kw_only=True):
    """A chosen solution and the source term of an equation, as NumPy functions of the variables and as text."""

    solution: Callable[..., Any]
    source: Callable[..., Any]
    solution_text: str
    source_text: str


def manufactured(
    solution: str,
    operator: Callable[..., Any] | str,
    variables: Sequence[str],
    parameters: Mapping[str, float] | None = None,
) -> Manufactured:
    """Return the source term that makes `solution` solve `operator`(u) = source.

    `operator` is a function of the SymPy expression u and the variables, such as `lambda u, x, t: u.diff(t) -
    u.diff(x, 2)`, or a text in which `u` is the solution: "diff(u, t) - diff(u, x, 2)". `parameters` are numbers that
    both may use. A code that solves the equation with this source must converge to `solution` with its order (Roache
    2002, Code verification by the method of manufactured solutions, Journal of Fluids Engineering 124, 4-10).
    Formulas are your own code: SymPy evaluates their text.

    Raises UsageError for a formula that SymPy cannot read, and for names that are neither variables nor parameters.
    """
    symbols = {name: sympy.Symbol(name) for name in variables}
    numbers = {name: sympy.Float(value) for name, value in (parameters or {}).items()}
    u = _expression(solution, {**symbols, **numbers})
    if callable(operator):
        source = sympy.sympify(operator(u, *symbols.values()))
    else:
        source = _expression(operator, {**symbols, **numbers, "u": u}).doit()
    for what, found in (("solution", u), ("source", source)):
        unknown = sorted(str(one) for one in found.free_symbols - set(symbols.values()))
        if unknown:
            raise UsageError(
                f"the {what} names {', '.join(unknown)}",
                f"variables: {', '.join(variables)}; give others in parameters",
            )
    source = sympy.simplify(source)
    arguments = list(symbols.values())
    return Manufactured(
        solution=sympy.lambdify(arguments, u, "numpy"),
        source=sympy.lambdify(arguments, source, "numpy"),
        solution_text=str(u),
        source_text=str(source),
    )


def _expression(text: str, names: Mapping[str, Any]) -> Any:
    try:
        return sympy.sympify(text, locals=dict(names))
    except (sympy.SympifyError, SyntaxError, TypeError, AttributeError) as error:
        raise UsageError(
            f"SymPy cannot read '{text}': {error}", "write it as in Python: sin(pi * x) * exp(-t)"
        ) from None
