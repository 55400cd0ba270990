"""`checks:` of pytest, unittest and testthat are read test by test."""

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


def test_testthat(tmp_path: Path, packhorse: Run) -> None:
    tests = """
    test_that("sums: right", { expect_equal(1 + 1, 2); expect_true(TRUE) })
    test_that("sums: wrong", { expect_equal(1 + 1, TWO); expect_true(TRUE) })
    test_that("later", { skip("later") })
    """
    command = "Rscript -e 'testthat::test_file(\"test_sums.R\", stop_on_failure = TRUE)'"
    (tmp_path / "study.yaml").write_text(
        f"name: tested\ncommand: 'true'\nresult: none\nchecks:\n- >-\n  {command}\n"
    )
    (tmp_path / "test_sums.R").write_text(tests.replace("TWO", "3"))
    done = packhorse("run")
    assert done.returncode == 6
    assert "(3 tests: 1 passed, 1 failed, 1 skipped; test_sums.R: sums: wrong):" in done.stderr

    (tmp_path / "test_sums.R").write_text(tests.replace("TWO", "2"))
    assert packhorse("run").returncode == 0
    (found,) = json.loads(packhorse("provenance", "--json").stdout)["checks"]
    assert {one["name"]: one["outcome"] for one in found["tests"]} == {
        "test_sums.R: sums: right": "passed",
        "test_sums.R: sums: wrong": "passed",
        "test_sums.R: later": "skipped",
    }
