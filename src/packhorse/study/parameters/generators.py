"""Levels made by a rule: ranges, grids and random draws.

Decimal arithmetic on the numbers as written keeps 0.1 + 0.2 at 0.3 and the end points exact. It also gives the same
bits on every machine, which exp and log of libm do not guarantee.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any

from packhorse.study.keys import DISTRIBUTIONS, GENERATORS, INCLUSIVE, MOST_LEVELS, RANDOM
from packhorse.study.parameters.levels import identity, level_value
from packhorse.text.node import INT64, Node, as_integer, as_list, as_number, entries, items, refuse

_DIGITS = Context(prec=40)
_MOST_RANGE = 2**62


def generate(node: Node, name: str, seed: int, *, distinct: bool = True) -> range | list[Any]:
    """Return the levels of a generator: a lazy range for integers in steps, else a list.

    With `distinct`, repeated random draws are skipped, since each level is a task of its own.
    """
    given = entries(node, GENERATORS, f"The parameter '{name}'")
    if len(given) != 1:
        hint = f"Write one of: {', '.join(GENERATORS)}."
        refuse(node, f"The parameter '{name}' must have one generator, but has {len(given)} keys.", hint)
    kind, child = next(iter(given.items()))
    if kind in ("bootstrap", "permutations"):
        return range(GENERATORS[kind].value(child, kind))
    if kind == "random":
        return _random(child, name, seed, distinct=distinct)
    return {"range": _range, "linspace": _linspace, "geomspace": _geomspace}[kind](child)


def choices(node: Node) -> list[Node]:
    """Return the values that a generator chooses from as they were written; other generators have none."""
    drawn = node.value.get("random")
    listed = drawn.value.get("choices") if drawn is not None and isinstance(drawn.value, dict) else None
    return items(listed) if listed is not None else []


def _exact(value: float) -> Fraction:
    return Fraction(repr(value))


Steps = tuple[int | float, int | float, int]  # first value, step, number of values


def _range(node: Node) -> range | list[float]:
    first, step, count = _inclusive(node) if isinstance(node.value, dict) else _as_python(node)
    if count >= _MOST_RANGE:
        message = f"The range has {count:,} levels; the maximum is {_MOST_RANGE - 1:,}."
        refuse(node, message, "Write a shorter range.")
    if isinstance(first, int) and isinstance(step, int):
        return range(first, first + count * step, step)
    if count > MOST_LEVELS:
        hint = (
            "Write integers without a point or exponent (1000000, not 1e6): ranges of integers may be longer."
        )
        message = f"The range has {count:,} decimal levels; the maximum is {MOST_LEVELS:,}."
        refuse(node, message, hint)
    start, by = _exact(first), _exact(step)
    return [float(start + by * i) for i in range(count)]


def _as_python(node: Node) -> Steps:
    """Return the steps of [start, stop, step], where stop is excluded."""
    bounds = items(node)
    if not 1 <= len(bounds) <= 3:
        message = f"range takes [start, stop, step], but has {len(bounds)} numbers."
        refuse(node, message, "Write range: [0, 100, 10]")
    numbers = [as_number(item, "each number of range") for item in bounds]
    start, stop, step = ([0, numbers[0]] if len(numbers) == 1 else numbers[:2]) + (numbers[2:] or [1])
    if step == 0:
        refuse(node, "The step of range is 0.", "Write a step other than 0.")
    count = max(0, -int((_exact(start) - _exact(stop)) // _exact(step)))
    if count == 0:
        message = f"The range from {start} to {stop} in steps of {step} is empty."
        refuse(node, message, "The stop is excluded; write a stop that is further away.")
    if isinstance(start, int) and isinstance(step, int) and isinstance(stop, float):
        start = float(start)  # [0, 1e9] is a range of decimals
    return start, step, count


def _inclusive(node: Node) -> Steps:
    """Return the steps of {from, to, by}, where `to` is included."""
    given = entries(node, INCLUSIVE, "range")
    if "from" not in given or "to" not in given:
        refuse(node, "range needs from and to.", "Write range: {from: 1, to: 200}")
    values = {key: INCLUSIVE[key].value(child, key) for key, child in given.items()}
    first, last, step = values["from"], values["to"], values.get("by", 1)
    if step == 0:
        refuse(given["by"], "by is 0.", "Write a step other than 0.")
    count = int((_exact(last) - _exact(first)) // _exact(step)) + 1
    if count < 1:
        hint = f"Write by: {-step}" if "by" in given else f"Write range: {{from: {last}, to: {first}}}"
        refuse(node, f"The range from {first} to {last} by {step} is empty.", hint)
    return first, step, count


def _linspace(node: Node) -> list[float]:
    first, last, count = GENERATORS["linspace"].value(node, "linspace")
    start = _exact(first)
    by = (_exact(last) - start) / max(1, count - 1)
    return [float(start + by * i) for i in range(count)]


def _geomspace(node: Node) -> list[float]:
    first, last, count = GENERATORS["geomspace"].value(node, "geomspace")
    if first == 0 or last == 0 or (first < 0) != (last < 0):
        message = f"geomspace cannot go from {first} to {last}."
        refuse(node, message, "Write two numbers above 0, or two below 0.")
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
        hint = "Write random: {distribution: uniform, low: 0, high: 1, size: 100}"
        refuse(node, "random needs a distribution and a size.", hint)
    kind = RANDOM["distribution"].value(given["distribution"], "distribution")
    size = RANDOM["size"].value(given["size"], "size")
    needed = DISTRIBUTIONS[kind]
    if set(given) != {"distribution", "size", *needed}:
        arguments = ", ".join(f"{key}: ..." for key in needed)
        hint = f"Write random: {{distribution: {kind}, {arguments}, size: {size}}}"
        message = f"The distribution {kind} takes {' and '.join(needed)}, and size; no other keys."
        refuse(node, message, hint)
    # S311 is about secrets. Python hashes a seed that is a text by SHA-512, the same in all versions.
    generator = random.Random(f"{seed}\n{name}")  # noqa: S311
    draw, possible = _distribution(node, kind, given, generator)
    if not distinct:
        return [draw() for _ in range(size)]
    if possible is not None and size > possible:
        hint = f"Write a size of at most {possible}; for repetitions use replicates."
        refuse(given["size"], f"Only {possible} different values are possible, but size is {size}.", hint)
    return _distinct(node, draw, size)


def _distinct(node: Node, draw: Callable[[], Any], size: int) -> list[Any]:
    drawn: dict[Any, Any] = {}
    most = 100 * size + 1000
    tries = 0
    while len(drawn) < size:
        value = draw()
        drawn.setdefault(identity(value), value)
        tries += 1
        if tries > most:
            message = f"{most:,} draws gave only {len(drawn):,} different values, but size is {size:,}."
            refuse(node, message, "Widen the distribution, or decrease size.")
    return list(drawn.values())


def _distribution(
    node: Node, kind: str, given: dict[str, Node], generator: random.Random
) -> tuple[Callable[[], Any], int | None]:
    """Return a function that draws one value, and the number of possible values (None: practically unlimited)."""
    if kind == "choice":
        choices = [level_value(item) for item in as_list(given["choices"], "choices")]
        if not choices:
            refuse(given["choices"], "choices is empty.", "Write the values to choose from: [a, b]")
        return lambda: generator.choice(choices), len({identity(choice) for choice in choices})
    if kind == "integers":
        least, most = (as_integer(given[key], key, -INT64, INT64 - 1) for key in ("low", "high"))
        _check_order(node, least, most, equal=True)
        return lambda: generator.randint(least, most), most - least + 1
    first, second = (RANDOM[key].value(given[key], key) for key in DISTRIBUTIONS[kind])
    if kind == "normal":
        return lambda: generator.gauss(first, second), None
    _check_order(node, first, second)
    if kind == "uniform":
        return lambda: first + (second - first) * generator.random(), None
    if first <= 0:
        message = f"low must be greater than 0 for loguniform, but is {first}."
        refuse(given["low"], message, "Write a positive number.")
    start = Decimal(repr(first))
    ratio = _DIGITS.ln(_DIGITS.divide(Decimal(repr(second)), start))
    return lambda: _log_draw(start, ratio, generator.random()), None


def _log_draw(start: Decimal, ratio: Decimal, uniform: float) -> float:
    return float(_DIGITS.multiply(start, _DIGITS.exp(_DIGITS.multiply(ratio, Decimal(uniform)))))


def _check_order(node: Node, low: float, high: float, *, equal: bool = False) -> None:
    if low > high or (low == high and not equal):
        relation = "not be greater than" if equal else "be less than"
        refuse(node, f"low must {relation} high, but low is {low} and high is {high}.", "Exchange them.")
