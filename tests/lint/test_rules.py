"""Every rule has three scripts: one that is wrong, one that is right, and a trap that only looks wrong.

A rule's folder below `cases` holds wrong.*, right.* and trap.*, the programs that they run, and where it needs a site
its name in `site`, and the site's file in `packhorse-sites` if Packhorse does not bring it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from packhorse.app.jobs.lint import LintOptions, lint
from packhorse.lint.check import Finding
from packhorse.lint.rule import RULES

CASES = Path(__file__).parent / "cases"
IDS = [pytest.param(one, marks=pytest.mark.r) if one == "R06" else one for one in sorted(RULES)]


def findings(path: Path, *, select: tuple[str, ...] = (), fix: bool = False) -> tuple[Finding, ...]:
    """Return what lint finds in a file of a case."""
    file = CASES / path.parent.name / "site"
    site = file.read_text().strip() if file.exists() else ""
    options = LintOptions(site=site, select=select, fix=fix)
    return lint([path], options, CASES / path.parent.name)[0].findings


def script(identity: str, name: str) -> Path:
    """Return the file of a case."""
    (path,) = (CASES / identity).glob(f"{name}.*")
    return path


@pytest.mark.parametrize("identity", IDS)
def test_a_rule_finds_what_is_wrong_and_nothing_else(identity: str) -> None:
    select = (identity,) if RULES[identity].optional else ()
    assert identity in {one.rule for one in findings(script(identity, "wrong"), select=select)}
    for name in ("right", "trap"):
        assert findings(script(identity, name), select=select) == (), name


@pytest.mark.parametrize("identity", IDS)
def test_what_is_fixed_is_accepted(identity: str, tmp_path: Path) -> None:
    select = (identity,) if RULES[identity].optional else ()
    wrong = script(identity, "wrong")
    before = [one for one in findings(wrong, select=select) if one.rule == identity]
    if not any(one.fix for one in before):
        return
    folder = tmp_path / identity
    folder.mkdir()
    copy = folder / wrong.name
    copy.write_bytes(wrong.read_bytes())
    findings(copy, select=select, fix=True)
    assert copy.read_bytes() != wrong.read_bytes()
    left = [one for one in findings(copy, select=select) if one.rule == identity]
    assert [one for one in left if one.fix] == []
    assert len(left) == sum(one.fix is None for one in before)


def test_every_rule_has_a_page() -> None:
    for rule in RULES.values():
        assert len(rule.page.splitlines()) >= 3, rule.id
        assert rule.reason.endswith("."), rule.id
    assert {path.name for path in CASES.iterdir()} == set(RULES)
