"""Draft the first unit test of a function in Python or R: one case with a known result, and one property."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from string import Template
from typing import Any

from msgspec import Struct

from packhorse.model.errors import UsageError

SEEDS = ("seed", "random_state", "rng_seed")
VALUE = 10  # of an argument without a default, which the author replaces


class Function(Struct, frozen=True, kw_only=True):
    """A function of a file: its arguments, each with its default as text, None where it has none."""

    file: str
    name: str
    arguments: dict[str, str | None]

    @property
    def module(self) -> str:
        """The file without its suffix."""
        return self.file.rpartition(".")[0]

    @property
    def seed(self) -> str:
        """The argument that takes a seed, empty if there is none."""
        return next((name for name in self.arguments if name in SEEDS), "")


class FirstTest(Struct, frozen=True, kw_only=True):
    """A test file: its name, its text, and the arguments whose values are made up.

    `has_known` says whether its known case has a known result.
    """

    file: str
    text: str
    guessed: tuple[str, ...]
    has_known: bool


def find_function(source: str, file: str, name: str) -> Function:
    """Return a function at the top level of a file; raise UsageError where it has none of that name, or is not valid."""
    functions = _r_functions(source) if file.lower().endswith(".r") else _python_functions(source, file)
    if name not in functions:
        known = ", ".join(functions) or "none"
        raise UsageError(f"{file} has no function {name!r} at its top level", f"its functions are: {known}")
    return Function(file=file, name=name, arguments=functions[name])


def _python_functions(source: str, file: str) -> dict[str, dict[str, str | None]]:
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise UsageError(f"{file}:{error.lineno}: {error.msg}", "correct the file") from None
    found: dict[str, dict[str, str | None]] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            names = [*node.args.posonlyargs, *node.args.args]
            given = [None] * (len(names) - len(node.args.defaults)) + list(node.args.defaults)
            pairs = [
                *zip(names, given, strict=True),
                *zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True),
            ]
            found[node.name] = {one.arg: ast.unparse(value) if value else None for one, value in pairs}
    return found


def _r_functions(source: str) -> dict[str, dict[str, str | None]]:
    """Return the functions that start a line of an R file; comments and texts with brackets may confuse it."""
    found = {}
    for match in re.finditer(r"^([\w.]+)\s*(?:<-|=)\s*function\s*\(", source, re.MULTILINE):
        depth, parts = 1, [""]
        for sign in source[match.end() :]:
            depth += (sign in "([{") - (sign in ")]}")
            if not depth:
                break
            if sign == "," and depth == 1:
                parts.append("")
            else:
                parts[-1] += sign
        pairs = [part.partition("=") for part in parts if part.strip() and part.strip() != "..."]
        found[match[1]] = {name.strip(): value.strip() or None for name, _, value in pairs}
    return found


def first_test(
    function: Function, framework: str, values: Mapping[str, Any], known: Mapping[str, float]
) -> FirstTest:
    """Return the test of a function for pytest, unittest or testthat.

    `values` are those of the study's first task, and `known` results that theory gives.
    """
    r = framework == "testthat"
    given, guessed = {}, []
    for name, default in function.arguments.items():
        if name != function.seed and (name in values or default is None):
            given[name] = (_in_r if r else repr)(values.get(name, VALUE))
            guessed += [name] if name not in values else []
    assigned = ", ".join(f"{name} = {value}" if r else f'"{name}": {value}' for name, value in given.items())
    shown = ", ".join(f"{name} = {value!r}" if r else f'"{name}": {value!r}' for name, value in known.items())
    text = Template(TEMPLATES[framework]).substitute(
        file=function.file,
        module=function.module,
        name=function.name,
        arguments=assigned,
        known=shown,
        seeded=(f"{function.seed} = seed" if r else f", {function.seed}=seed") if function.seed else "",
        seeds="range(1, 201)" if function.seed else "[1]",
        of="the mean over 200 seeds" if function.seed else "the result",
    )
    stem = re.sub(r"\W", "_", f"{function.module}_{function.name}")
    return FirstTest(
        file=f"test_{stem}.{'R' if r else 'py'}", text=text, guessed=tuple(guessed), has_known=bool(known)
    )


def _in_r(value: Any) -> str:
    if isinstance(value, list):
        return f"list({', '.join(map(_in_r, value))})"
    special = {True: "TRUE", False: "FALSE", None: "NULL"}
    return special[value] if value is None or isinstance(value, bool) else json.dumps(value)


_PYTHON_HEAD = '''"""First tests of $name in $file: a case with a known result, and a property."""

import math
import statistics
$imports
from $module import $name

ARGUMENTS = {$arguments}
# What theory says of $of with these arguments, such as {"estimate": 2.0}; {"": 2.0} for a result that is a number.
KNOWN = {$known}


def run(seed):
    return $name(**ARGUMENTS$seeded)


def number(result, name):
    return float(result[name] if name else result)

'''
_KNOWN = '''"""Results agree with theory, within four Monte Carlo standard errors where they are random."""
    if not KNOWN:
        $skip("write what theory says into KNOWN")
    results = [run(seed) for seed in $seeds]
    for name, expected in KNOWN.items():
        values = [number(result, name) for result in results]
        error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0
        difference = statistics.fmean(values) - expected
        assert abs(difference) <= 4 * error + 1e-12 * abs(expected), (name, expected, difference, error)
'''
_SAME = '''"""The same arguments and seed give the same result: nothing else decides."""
    assert repr(run(1)) == repr(run(1))
'''


def _indented(body: str) -> str:
    return body.replace("\n    ", "\n        ")


TEMPLATES = {
    "pytest": _PYTHON_HEAD.replace("$imports", "\nimport pytest")
    + "\ndef test_known_case():\n    "
    + _KNOWN.replace("$skip", "pytest.skip")
    + "\n\ndef test_same_seed_same_result():\n    "
    + _SAME,
    "unittest": _PYTHON_HEAD.replace("$imports", "import unittest\n")
    + "\nclass FirstTests(unittest.TestCase):\n    def test_known_case(self):\n        "
    + _indented(_KNOWN.replace("$skip", "self.skipTest"))
    + "\n    def test_same_seed_same_result(self):\n        "
    + _indented(_SAME),
    "testthat": """# First tests of $name in $file: a case with a known result, and a property.

library(testthat)
source("$file")

arguments <- list($arguments)
# What theory says of $of with these arguments, such as list(estimate = 2).
known <- list($known)

run <- function(seed) {
  set.seed(seed)
  do.call($name, c(arguments, list($seeded)))
}

test_that("results agree with theory, within four Monte Carlo standard errors where they are random", {
  skip_if(length(known) == 0, "write what theory says into known")
  results <- lapply(seq_len(200), run)
  for (name in names(known)) {
    values <- vapply(results, function(result) as.numeric(result[[name]]), numeric(1))
    error <- sd(values) / sqrt(length(values))
    expect_lte(abs(mean(values) - known[[name]]), 4 * error + 1e-12 * abs(known[[name]]))
  }
})

test_that("the same arguments and seed give the same result", {
  expect_identical(run(1), run(1))
})
""",
}
