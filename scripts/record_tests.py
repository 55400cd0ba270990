"""A pytest plugin that writes the outcome of each test to a file, for scripts/test to add up.

Each line is a JSON object with one of the keys `planned`, `left` and `test`, whose value is the id of a test. Lines are
written at once, so that the file is complete up to the moment when a session is killed.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


class Recorder:
    """Appends to the file that scripts/test reads."""

    def __init__(self, path: str, *, collects: bool, reports: bool) -> None:
        self._path = Path(path)
        self._collects = collects
        self._reports = reports

    def _write(self, **line: object) -> None:
        with self._path.open("a", encoding="utf-8") as stream:  # one write of one line
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
        """Record a file or folder that could not be collected, or that skips itself."""
        if self._collects and not report.passed:
            self._write(test=report.nodeid, when="collect", outcome=report.outcome, reason=reason(report))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Iterator[None]:
        """Note the time and the CPU time at the start of a test."""
        item.stash[START] = clock()
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Iterator[None]:
        """Attach to the report of the teardown how long the whole test took."""
        try:
            return (yield)
        finally:
            taken = [round(now - then, 2) for now, then in zip(clock(), item.stash[START], strict=True)]
            item.user_properties.append(("taken", taken))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Record the outcome of one phase of a test: setup, call or teardown."""
        if not self._reports:
            return
        if report.when == "call" or not report.passed:
            self._write(test=report.nodeid, when=report.when, outcome=report.outcome, reason=reason(report))
        if report.when == "teardown":
            self._write(took=report.nodeid, **dict(report.user_properties))


START = pytest.StashKey[tuple[float, float]]()


def clock() -> tuple[float, float]:
    """Return the time and the CPU time of this process, its finished children and its commands, in seconds."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    preloaded = sys.modules.get("preloaded")  # its commands are not children of this process
    seconds = preloaded.Used.seconds if preloaded else 0.0
    return time.monotonic(), sum(one.ru_utime + one.ru_stime for one in used) + seconds


def reason(report: Any) -> str:
    """Return why a test was skipped, or the last line of why it failed."""
    if report.skipped:
        if hasattr(report, "wasxfail"):
            return f"expected to fail: {report.wasxfail}"
        text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        return str(text).removeprefix("Skipped: ")
    lines = [line for line in str(report.longrepr or "").splitlines() if line.strip()]
    return lines[-1] if lines else ""


def pytest_configure(config: pytest.Config) -> None:
    """Register the recorder. With xdist the first worker records the collection, and the controller the reports."""
    path = os.environ.get("TEST_RECORD")
    if not path:
        return
    worker = getattr(config, "workerinput", {}).get("workerid")
    alone = worker is None and not getattr(config.option, "numprocesses", None)
    recorder = Recorder(path, collects=alone or worker == "gw0", reports=worker is None)
    config.pluginmanager.register(recorder, "recorder-of-tests")
