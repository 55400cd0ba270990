"""`checks:` of pytest and unittest are read test by test."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

TESTS = """
import unittest


class TestNumbers(unittest.TestCase):
    def test_sum(self):
        \"\"\"Numbers are added.\"\"\"
        self.assertEqual(1 + 1, {two})

    @unittest.skip("later")
    def test_later(self):
        pass
"""
Run = Callable[..., CompletedProcess[str]]


@pytest.mark.parametrize(
    ("check", "name"),
    [
        ("python -m pytest -q -p no:cacheprovider", "test_numbers.TestNumbers"),
        ("python -m unittest test_numbers", "test_numbers.TestNumbers"),
    ],
)
def test_each_test_is_in_the_provenance(check: str, name: str, tmp_path: Path, packhorse: Run) -> None:
    (tmp_path / "test_numbers.py").write_text(TESTS.format(two=3))
    study = f"name: tested\ncommand: 'true'\nresult: none\nchecks: [{check}]\n"
    (tmp_path / "study.yaml").write_text(study)
    done = packhorse("run")
    assert done.returncode == 6
    assert f"(2 tests: 1 failed, 1 skipped; {name}.test_sum):" in done.stderr

    (tmp_path / "test_numbers.py").write_text(TESTS.format(two=2))
    done = packhorse("run")
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(packhorse("provenance", "--json").stdout)["checks"]
    assert {one["name"]: one["outcome"] for one in found["tests"]} == {
        f"{name}.test_sum": "passed",
        f"{name}.test_later": "skipped",
    }
    assert f"{check} (2 tests: 1 passed, 1 skipped)" in packhorse("provenance").stdout
