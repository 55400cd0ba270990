"""A pytest plugin that writes what became of each test to a file, line by line, for scripts/test to add up.

A line is a JSON object: {"planned": id}, {"left": id, "marks": [...]}, {"test": id, "when": ..., "outcome": ...}.
Lines are written at once, so that a session that is killed has told everything until then.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest


class Recorder:
    """Appends to the file that scripts/test reads."""

    def __init__(self, path: str, *, collects: bool, reports: bool) -> None:
        self._path = path
        self._collects = collects
        self._reports = reports

    def _write(self, **line: object) -> None:
        with Path(self._path).open("a", encoding="utf-8") as stream:  # one write of one line
            stream.write(json.dumps(line) + "\n")

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Record the tests that this session is going to run."""
        if self._collects:
            for item in session.items:
                self._write(planned=item.nodeid)

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Record the tests that the session leaves to others, with their markers."""
        if self._collects:
            for item in items:
                self._write(left=item.nodeid, marks=sorted({mark.name for mark in item.iter_markers()}))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Record a file or folder that could not be collected, or that skips itself as a whole."""
        if self._collects and not report.passed:
            self._write(test=report.nodeid, when="collect", outcome=report.outcome, reason=reason(report))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Record the outcome of one phase of a test: setup, call or teardown."""
        if self._reports and (report.when == "call" or not report.passed):
            self._write(test=report.nodeid, when=report.when, outcome=report.outcome, reason=reason(report))


def reason(report: Any) -> str:
    """Return why a test was skipped, or the last line of why it failed."""
    if report.skipped:
        if hasattr(report, "wasxfail"):
            return f"expected to fail: {report.wasxfail}"
        told = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        return str(told).removeprefix("Skipped: ")
    lines = [line for line in str(report.longrepr or "").splitlines() if line.strip()]
    return lines[-1] if lines else ""


def pytest_configure(config: pytest.Config) -> None:
    """Register the recorder; with xdist the first worker collects and the controller reports."""
    path = os.environ.get("TEST_RECORD")
    if not path:
        return
    worker = getattr(config, "workerinput", {}).get("workerid")
    alone = worker is None and not getattr(config.option, "numprocesses", None)
    recorder = Recorder(path, collects=alone or worker == "gw0", reports=worker is None)
    config.pluginmanager.register(recorder, "recorder-of-tests")
