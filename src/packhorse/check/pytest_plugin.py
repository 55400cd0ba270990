"""Fixtures for pytest: `packhorse_check(finding)` and `golden(table)`.

def test_coverage(packhorse_check):
packhorse_check(check.expect("runs/coverage/results.csv", "coverage = 0.95", columns=...))

def test_table(golden):
golden(simulate(seed=1), rtol=1e-12)
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from packhorse import check
from packhorse.check.finding import Finding

LINES = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --update-golden."""
    group = parser.getgroup("packhorse")
    group.addoption("--update-golden", action="store_true", help="Write the golden tables of `golden` again.")


@pytest.fixture
def packhorse_check(request: pytest.FixtureRequest) -> Callable[[Finding], Finding]:
    """Return a function that fails the test unless a finding has passed: `could not tell` is not a pass."""

    def judge(finding: Finding) -> Finding:
        request.config.stash.setdefault(LINES, []).append(f"{request.node.nodeid}: {finding}")
        if not finding.passed:
            pytest.fail(str(finding), pytrace=False)
        return finding

    return judge


@pytest.fixture
def golden(
    request: pytest.FixtureRequest, packhorse_check: Callable[[Finding], Finding]
) -> Callable[..., Finding]:
    """Return a function that compares a table with the golden table of the test, golden/TEST.csv beside its file.

    Its options are those of `same_as_reference`. `pytest --update-golden` writes the file and shows the difference.
    """

    def compare(table: Any, name: str = "", **options: Any) -> Finding:
        file = name or re.sub(r"[^\w.-]+", "-", request.node.name).strip("-") + ".csv"
        update = bool(request.config.getoption("--update-golden"))
        return packhorse_check(
            check.same_as_reference(
                table, Path(request.path).parent / "golden" / file, update=update, **options
            )
        )

    return compare


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the findings, one line each."""
    lines = config.stash.get(LINES, [])
    if lines:
        terminalreporter.section("checks")
        for line in lines:
            terminalreporter.line(line)
