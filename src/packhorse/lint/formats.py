"""Findings as text, as SARIF, and as annotations of GitHub."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from packhorse.lint.check import Finding
from packhorse.lint.rule import RULES

_LEVELS = {"error": "error", "warning": "warning", "hint": "note"}


def text_lines(findings: Iterable[Finding]) -> Iterator[str]:
    """Yield a line for each finding, and the advice below it."""
    for one in findings:
        yield f"{one.path}:{one.line}:{one.column}: {one.severity} {one.rule} {one.message}"
        if one.advice:
            yield f"    {one.advice}"


def github_lines(findings: Iterable[Finding]) -> Iterator[str]:
    """Yield a workflow command for each finding."""
    for one in findings:
        level = {"hint": "notice"}.get(one.severity, one.severity)
        place = f"file={_property(one.path)},line={one.line},col={one.column},title={one.rule}"
        yield f"::{level} {place}::{_data(one.message)}{_data('; ' + one.advice) if one.advice else ''}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def sarif(findings: Iterable[Finding], version: str) -> dict[str, Any]:
    """Return a SARIF 2.1.0 log with one run."""
    found = list(findings)
    used = {one.rule for one in found}
    rules = [
        {
            "id": rule.id,
            "shortDescription": {"text": rule.reason},
            "fullDescription": {"text": rule.page},
            "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        }
        for rule in RULES.values()
        if rule.id in used
    ]
    driver = {"name": "packhorse", "version": version, "rules": rules}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": [_result(one) for one in found]}],
    }


def _result(one: Finding) -> dict[str, Any]:
    region = {"startLine": one.line, "startColumn": one.column}
    location = {"artifactLocation": {"uri": one.path}, "region": region}
    text = f"{one.message}; {one.advice}" if one.advice else one.message
    return {
        "ruleId": one.rule,
        "level": _LEVELS[one.severity],
        "message": {"text": text},
        "locations": [{"physicalLocation": location}],
    }
