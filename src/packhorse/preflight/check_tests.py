"""Results of a check test by test: what pytest, unittest and testthat report."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from xml.etree import ElementTree

from msgspec import Struct

from packhorse.text.amounts import counted

# A line of `python -m unittest -v`, with the first line of a docstring between its parts.
UNITTEST = re.compile(
    r"^\w+ \(([\w.]+)\)(?:\n[^\n]*?)? \.\.\. (ok|FAIL|ERROR|skipped|expected failure|unexpected success)\b",
    re.MULTILINE,
)
# What testthat's reporter "Location" prints of a test: its name, and a line for each expectation.
TESTTHAT = re.compile(r"Start test: (.*?)\n(.*?)^End test: \1$", re.MULTILINE | re.DOTALL)
LOCATION = re.compile(r"'([^'\n]*?)(?::\d+)*' \[(success|failure|error|skip|warning)\]$", re.MULTILINE)
LOCATION_OUTCOMES = {"error": "error", "failure": "failed", "skip": "skipped"}
REPORTERS = (
    'options(testthat.default_reporter = c("Progress", "Location"),'
    ' testthat.default_compact_reporter = c("CompactProgress", "Location"))'
)
OUTCOMES = {
    "ok": "passed",
    "FAIL": "failed",
    "ERROR": "error",
    "skipped": "skipped",
    "expected failure": "skipped",
    "unexpected success": "failed",
}
KINDS = {"error": "error", "failure": "failed", "skipped": "skipped"}  # by element of JUnit's format
BAD = ("failed", "error")
SHOWN = 5  # names in a message


class CheckedTest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One test: its name, and passed, failed, error or skipped; `seconds` is None where it is not reported."""

    name: str
    outcome: str
    seconds: float | None = None


def reported(argv: Sequence[str], junit: Path) -> tuple[list[str], dict[str, str]]:
    """Return a check as a command that reports each test, and the variables that it needs; `junit` is pytest's file."""
    if "unittest" in argv and "-v" not in argv:
        after = argv.index("unittest") + 1
        return [*argv[:after], "-v", *argv[after:]], {}
    if any(PurePath(word).name in ("pytest", "py.test") for word in argv):
        return [*argv], {"PYTEST_ADDOPTS": shlex.quote(f"--junitxml={junit}")}
    if PurePath(argv[0]).name == "Rscript" and "-e" in argv and "testthat::" in " ".join(argv):
        first = argv.index("-e")
        return [*argv[:first], "-e", REPORTERS, *argv[first:]], {}
    return [*argv], {}


def tests_of(output: str, junit: Path) -> list[CheckedTest]:
    """Return the tests of a check that has run, from pytest's file or the output; empty if there are none."""
    if not junit.exists():
        pairs = UNITTEST.findall(output)
        found = [CheckedTest(name=name, outcome=OUTCOMES[word]) for name, word in pairs]
        return found or list(_testthat(output))
    try:
        root = ElementTree.parse(junit).getroot()  # noqa: S314 - the user's own tests have just written it
    except ElementTree.ParseError:
        return []  # pytest was ended while it wrote
    found = []
    for case in root.iter("testcase"):
        kinds = {child.tag for child in case}
        outcome = next((word for tag, word in KINDS.items() if tag in kinds), "passed")
        name = ".".join(filter(None, (case.get("classname"), case.get("name"))))
        found.append(CheckedTest(name=name, outcome=outcome, seconds=float(case.get("time") or 0)))
    return found


def _testthat(output: str) -> Iterator[CheckedTest]:
    for name, lines in TESTTHAT.findall(output.replace("\r", "\n")):
        places = LOCATION.findall(lines)
        results = {result for _, result in places}
        outcome = next((LOCATION_OUTCOMES[one] for one in LOCATION_OUTCOMES if one in results), "passed")
        yield CheckedTest(name=f"{places[0][0]}: {name}" if places else name, outcome=outcome)


def sentence(tests: Sequence[CheckedTest]) -> str:
    """Return counts, such as `12 tests: 11 passed, 1 skipped`."""
    counts = Counter(test.outcome for test in tests)
    shown = ", ".join(f"{counts[word]:,} {word}" for word in ("passed", *BAD, "skipped") if counts[word])
    return f"{counted(len(tests), 'test')}: {shown}"


def failed_names(tests: Sequence[CheckedTest]) -> str:
    """Return the names of the tests that failed, at most five of them."""
    names = [test.name for test in tests if test.outcome in BAD]
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
