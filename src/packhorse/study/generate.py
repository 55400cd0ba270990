"""Levels made by rule: ranges, grids and random draws.

Decimal arithmetic of the numbers as written keeps 0.1 + 0.2 at 0.3 and the end points exact, and gives
the same bits on every machine, which libm's exp and log do not promise.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Context, Decimal
from fractions import Fraction
from math import isfinite
from typing import Any

from packhorse.study.keys import DISTRIBUTIONS, GENERATORS, RANDOM
from packhorse.study.levels import MOST_LEVELS, identity, level_value
from packhorse.text.node import Node, as_choice, as_integer, as_list, entries, found, refuse

_DIGITS = Context(prec=40)
_INT64 = 2**63


def generate(node: Node, name: str, seed: int, *, distinct: bool = True) -> range | list[Any]:
    """Return the levels of a generator: a lazy range where they are integers in steps.

    With `distinct`, equal random draws are skipped, since one level is one task.
    """
    given = entries(node, GENERATORS, f"the parameter '{name}'")
    if len(given) != 1:
        hint = f"Write one of: {', '.join(GENERATORS)}."
        refuse(node, f"The parameter '{name}' must have one generator, but has {len(given)} keys.", hint)
    kind, child = next(iter(given.items()))
    if kind in ("bootstrap", "permutations"):
        return range(as_integer(child, kind, 1))
    if kind == "random":
        return _random(child, name, seed, distinct=distinct)
    return {"range": _range, "linspace": _linspace, "geomspace": _geomspace}[kind](child)


def number(node: Node, what: str) -> int | float:
    """Return a finite number."""
    value = node.value
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        refuse(
            node, f"{what} must be a finite number, but is {found(node)}.", "Write a number, without quotes."
        )
    if isinstance(value, int) and not -_INT64 <= value < _INT64:
        refuse(node, f"{what} must be below 2^63, but is {node.text}.", "Write a smaller number.")
    return value


def _exact(value: float) -> Fraction:
    return Fraction(repr(value))


def _frozen(node: Node, count: int, what: str) -> int:
    if count > MOST_LEVELS:
        hint = "Write the numbers without point or exponent (1000000, not 1e6): ranges of integers may be of any size."
        refuse(node, f"{what} has {count:,} levels that are not integers; {MOST_LEVELS:,} is the most.", hint)
    return count


def _range(node: Node) -> range | list[float]:
    items = as_list(node, "range") if isinstance(node.value, list) else [node]
    if not 1 <= len(items) <= 3:
        refuse(
            node,
            f"range takes [start, stop, step], but has {len(items)} numbers.",
            "Write range: [0, 100, 10].",
        )
    numbers = [number(item, "each number of range") for item in items]
    start, stop, step = ([0, numbers[0]] if len(numbers) == 1 else numbers[:2]) + (numbers[2:] or [1])
    if step == 0:
        refuse(node, "The step of a range is 0.", "Write a step that is not 0.")
    count = max(0, -int((_exact(start) - _exact(stop)) // _exact(step)))
    if count == 0:
        refuse(
            node,
            f"The range from {start} to {stop} in steps of {step} is empty.",
            "The stop is excluded; extend it.",
        )
    if count >= 2**62:
        refuse(node, f"The range has {count:,} levels.", "Use a shorter one.")
    if isinstance(start, int) and isinstance(stop, int) and isinstance(step, int):
        return range(start, stop, step)
    first, by = _exact(start), _exact(step)
    return [float(first + by * i) for i in range(_frozen(node, count, "The range"))]


def _interval(node: Node, kind: str) -> tuple[int | float, int | float, int]:
    items = as_list(node, kind)
    if len(items) != 3:
        hint = f"Write {kind}: [1, 10, 4]."
        refuse(node, f"{kind} takes [first, last, how many], but has {len(items)} elements.", hint)
    first, last = (number(item, f"the first two of {kind}") for item in items[:2])
    return first, last, _frozen(node, as_integer(items[2], f"the third of {kind}", 1), kind)


def _linspace(node: Node) -> list[float]:
    first, last, count = _interval(node, "linspace")
    start = _exact(first)
    by = (_exact(last) - start) / max(1, count - 1)
    return [float(start + by * i) for i in range(count)]


def _geomspace(node: Node) -> list[float]:
    first, last, count = _interval(node, "geomspace")
    if first == 0 or last == 0 or (first < 0) != (last < 0):
        refuse(node, f"geomspace cannot go from {first} to {last}.", "Both must be above 0, or both below.")
    start, end = Decimal(repr(first)), Decimal(repr(last))
    ratio = _DIGITS.ln(_DIGITS.divide(end, start))
    inner = [
        float(_DIGITS.multiply(start, _DIGITS.exp(_DIGITS.divide(_DIGITS.multiply(ratio, i), count - 1))))
        for i in range(1, count - 1)
    ]
    return [float(first), *inner, float(last)][:count]


def _random(node: Node, name: str, seed: int, *, distinct: bool) -> list[Any]:
    given = entries(node, RANDOM, "random")
    if "distribution" not in given or "size" not in given:
        hint = "Write random: {distribution: uniform, low: 0, high: 1, size: 100}."
        refuse(node, "random needs a distribution and a size.", hint)
    kind = as_choice(given["distribution"], "distribution", DISTRIBUTIONS)
    size = _frozen(node, as_integer(given["size"], "size", 1), "random")
    needed = DISTRIBUTIONS[kind]
    if set(given) != {"distribution", "size", *needed}:
        hint = (
            f"Write random: {{distribution: {kind}, {', '.join(f'{n}: ...' for n in needed)}, size: {size}}}."
        )
        refuse(node, f"The distribution {kind} takes {' and '.join(needed)}, and size; nothing else.", hint)
    # S311 is about secrets; a text as seed is hashed by SHA-512, the same in every Python.
    generator = random.Random(f"{seed}\n{name}")  # noqa: S311
    draw, possible = _drawer(node, kind, given, generator)
    if not distinct:
        return [draw() for _ in range(size)]
    if possible is not None and size > possible:
        hint = f"Write a size of at most {possible}; for repetitions use replicates."
        refuse(given["size"], f"Only {possible} values are possible, but size is {size}.", hint)
    return _distinct(node, draw, size)


def _distinct(node: Node, draw: Callable[[], Any], size: int) -> list[Any]:
    drawn: dict[Any, Any] = {}
    tries = 0
    while len(drawn) < size:
        value = draw()
        drawn.setdefault(identity(value), value)
        tries += 1
        if tries > 100 * size + 1000:
            refuse(
                node, f"{size} different draws were not found.", "Widen the distribution, or lower the size."
            )
    return list(drawn.values())


def _drawer(
    node: Node, kind: str, given: dict[str, Node], generator: random.Random
) -> tuple[Callable[[], Any], int | None]:
    """Return a function that draws one value, and how many different values there are."""
    if kind == "choice":
        choices = [level_value(item) for item in as_list(given["choices"], "choices")]
        if not choices:
            refuse(given["choices"], "choices is empty.", "Write the values to choose from: [a, b].")
        return lambda: generator.choice(choices), len({identity(choice) for choice in choices})
    if kind == "integers":
        least, most = (as_integer(given[key], key, -_INT64, _INT64 - 1) for key in ("low", "high"))
        _ordered(node, least <= most)
        return lambda: generator.randint(least, most), most - least + 1
    first, second = (number(given[key], key) for key in DISTRIBUTIONS[kind])
    if kind == "normal":
        if second <= 0:
            refuse(
                given["sd"], f"sd must be above 0, but is {second}.", "Write a positive standard deviation."
            )
        return lambda: generator.gauss(first, second), None
    _ordered(node, first < second)
    if kind == "uniform":
        return lambda: first + (second - first) * generator.random(), None
    if first <= 0:
        refuse(
            given["low"], f"low must be above 0 for loguniform, but is {first}.", "Write a positive number."
        )
    start, ratio = (
        Decimal(repr(first)),
        _DIGITS.ln(_DIGITS.divide(Decimal(repr(second)), Decimal(repr(first)))),
    )
    return lambda: _log_draw(start, ratio, generator.random()), None


def _log_draw(start: Decimal, ratio: Decimal, uniform: float) -> float:
    return float(_DIGITS.multiply(start, _DIGITS.exp(_DIGITS.multiply(ratio, Decimal(uniform)))))


def _ordered(node: Node, right: bool) -> None:  # noqa: FBT001 a private question with one argument
    if not right:
        refuse(node, "low must be below high.", "Exchange them.")
