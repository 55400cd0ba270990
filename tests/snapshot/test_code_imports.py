"""Requirements of code from its source: Python modules, the oldest Python, R packages."""

from __future__ import annotations

from pathlib import Path

import pytest

from packhorse.model.study import Study
from packhorse.snapshot.python_imports import python_imports
from packhorse.snapshot.r_packages import r_packages_of


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("script", "modules", "certain"),
    [
        ("import json, os.path\nfrom collections import abc", [], []),
        ("import numpy as np, scipy.stats", ["numpy", "scipy"], ["numpy", "scipy"]),
        ("from numpy.random import default_rng", ["numpy"], ["numpy"]),
        ("try:\n    import numba\nexcept ImportError:\n    numba = None", ["numba"], []),
        ("try:\n    import a\nfinally:\n    import b", ["a", "b"], ["a", "b"]),
        ("def plot():\n    import matplotlib", ["matplotlib"], []),
        ("if __name__ == '__main__':\n    import a", ["a"], ["a"]),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import a", ["a"], []),
        ("from packhorse import task", [], []),
        ("import helper", ["pandas"], ["pandas"]),  # what the project's own modules import
        ("from package import inner", ["deep", "six"], ["six"]),
        ("import package.inner", ["deep", "six"], ["deep", "six"]),
        ("import spaces", [], []),
        ("this is no Python", [], []),
    ],
)
def test_what_a_script_imports(tmp_path: Path, script: str, modules: list[str], certain: list[str]) -> None:
    own = {
        "helper.py": "import pandas",
        "package/__init__.py": "import six\nfrom . import inner",
        "package/inner.py": "import deep",
        "spaces/one.py": "",
    }
    written(tmp_path, {"sim.py": script, **own})
    found = python_imports(Study(name="x", command=("python", "sim.py", "{n}")), tmp_path, tmp_path)
    assert (list(found.modules), list(found.certain)) == (modules, certain)


@pytest.mark.parametrize(
    "study",
    [
        Study(name="x", command=("python", "-m", "package.inner")),
        Study(name="x", function="package.inner:run"),
        Study(name="x", shell="cd . && python package/inner.py | tail -n 1"),
        Study(name="x", command=("package/inner.py",)),
    ],
    ids=["module", "function", "shell", "script"],
)
def test_every_way_to_name_the_code_is_read(tmp_path: Path, study: Study) -> None:
    written(tmp_path, {"src/package/inner.py": "import deep", "package/inner.py": "import deep"})
    assert python_imports(study, tmp_path, tmp_path).modules == ("deep",)


@pytest.mark.parametrize(
    ("code", "oldest"),
    [
        ("print(f'{1}')", (3, 6)),
        ("import dataclasses", (3, 7)),
        ("if (n := 1): pass", (3, 8)),
        ("match 1:\n    case 1: pass", (3, 10)),
        ("import tomllib", (3, 11)),
        ("try:\n    import tomllib\nexcept ImportError:\n    import tomli", (3, 6)),
    ],
)
def test_the_oldest_python_that_code_can_be_for(tmp_path: Path, code: str, oldest: tuple[int, int]) -> None:
    written(tmp_path, {"sim.py": code})
    assert python_imports(Study(name="x", command=("python", "sim.py")), tmp_path, tmp_path).oldest == oldest


@pytest.mark.parametrize(
    ("code", "packages"),
    [
        ("library(lme4); require('Matrix')", ["Matrix", "lme4"]),
        ('library("data.table", quietly = TRUE)', ["data.table"]),
        ("suppressPackageStartupMessages(library(dplyr))", ["dplyr"]),
        ("x <- dplyr::filter(y); z <- pkg:::hidden(1)", ["dplyr", "pkg"]),
        (
            "# library(not)\ncat('library(not2) not3::x')",
            ["not2"],
        ),  # of texts it is not certain that they are no code
        ("if (require(maybe)) 1\nif (!requireNamespace('maybe2')) 2", []),
        ("library(name, character.only = TRUE)", []),
        ("source('more.R')", ["survival"]),
    ],
)
def test_what_a_script_of_r_loads(tmp_path: Path, code: str, packages: list[str]) -> None:
    written(tmp_path, {"sim.R": code, "more.R": "library(survival)\nsource('sim.R')"})
    assert r_packages_of(Study(name="x", command=("Rscript", "sim.R")), tmp_path) == ("sim.R", packages)
