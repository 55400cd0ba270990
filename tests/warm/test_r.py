"""R scripts behave warm as they do cold."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from packhorse.worker.warm.command import Cold, understand
from warm.harness import installed_packages, run, shown
from warm.r_corpus import LEFT_OUT, r_cases

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="warm starts need Linux")


def check(folder: Path, *, quick: bool) -> None:
    here = set() if quick else installed_packages()
    cases = [one for one in r_cases() if (one["quick"] or not quick) and set(one["needs"]) <= here]
    results = run(cases, sys.executable, folder)
    wrong = []
    for one in cases:
        result = results[one["name"]]
        came = "warm" if not result["verdict"] else "off"
        if result["verdict"].startswith("cold: "):
            came = "cold"
        if one["expect"] not in ("any", came) or set(result["unfit"]) - LEFT_OUT:
            wrong.append(f"{one['name']}: {came}, expected {one['expect']}: {shown(result)}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.r
def test_scripts_do_the_same_cold_and_warm(tmp_path: Path) -> None:
    check(tmp_path, quick=True)


@pytest.mark.r
@pytest.mark.campaign
def test_the_whole_corpus(tmp_path: Path) -> None:
    check(tmp_path, quick=False)


def test_the_corpus_is_large_enough() -> None:
    assert len(r_cases()) >= 150


@pytest.mark.parametrize(
    ("argv", "name", "interpreter"),
    [
        (["Rscript", "x.R", "-e", "1"], "x.R", ["Rscript"]),
        (["/opt/R/bin/Rscript", "--vanilla", "a b.R", "--save"], "a b.R", ["/opt/R/bin/Rscript", "--vanilla"]),
        (["Rscript", "--default-packages=NULL", "x.R"], "x.R", ["Rscript", "--default-packages=NULL"]),
        (["Rscript", "-x"], "-x", ["Rscript"]),
    ],
)  # fmt: skip
def test_commands_that_are_understood(argv: list[str], name: str, interpreter: list[str]) -> None:
    command = understand(argv, argv[0])
    assert (command.kind, command.name, command.interpreter) == ("R", name, interpreter)


@pytest.mark.parametrize(
    "argv",
    [["Rscript"], ["Rscript", "-"], ["Rscript", "-e", "1"], ["Rscript", "--verbose", "x.R"], ["Rscript", "--restore", "x.R"], ["R", "-f", "x.R"]],
)  # fmt: skip
def test_commands_that_start_cold(argv: list[str]) -> None:
    with pytest.raises(Cold):
        understand(argv, shutil.which(argv[0]) or argv[0])
