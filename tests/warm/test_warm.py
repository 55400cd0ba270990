"""Scripts behave warm as they do cold: a varied corpus, and the commands that are understood."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from packhorse.worker.warm import reasons
from packhorse.worker.warm.command import Cold, understand
from warm.corpus import all_cases
from warm.harness import available, run, shown

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="warm starts need Linux")
# Polars starts a thread that removes what it has spilled to disk, so a warm process does not import it.
LEFT_OUT = {"polars", "_polars_runtime_32"}
PYTHONS = [sys.executable, *map(str, sorted(Path.home().glob(".pyenv/versions/3.*/bin/python3")))]


def version(python: str) -> tuple[int, int]:
    text = subprocess.run(
        [python, "-c", "import sys; print(*sys.version_info[:2])"], capture_output=True, text=True, check=True
    )
    major, minor = text.stdout.split()
    return int(major), int(minor)


def check(python: str, folder: Path, *, quick: bool) -> None:
    own = python == sys.executable  # the libraries are those of our environment
    cases = [
        one for one in all_cases()
        if (one["quick"] or not quick) and available(one, version(python)) and (own or not one["needs"])
    ]  # fmt: skip
    results = run(cases, python, folder)
    wrong = []
    for one in cases:
        result = results[one["name"]]
        came = "off" if result["verdict"] else "warm"
        if one["expect"] not in ("any", came) or set(result["unfit"]) - LEFT_OUT:
            wrong.append(f"{one['name']}: {came}, expected {one['expect']}: {shown(result)}")
    assert not wrong, "\n".join(wrong)


def test_scripts_do_the_same_cold_and_warm(tmp_path: Path) -> None:
    check(sys.executable, tmp_path, quick=True)


@pytest.mark.campaign
@pytest.mark.parametrize("python", PYTHONS)
def test_the_whole_corpus(tmp_path: Path, python: str) -> None:
    check(python, tmp_path, quick=False)


def test_the_corpus_is_large_enough() -> None:
    assert len(all_cases()) >= 300


@pytest.mark.parametrize(
    ("argv", "kind", "name", "interpreter"),
    [
        (["python", "x.py", "-m"], "script", "x.py", ["python"]),
        (["/usr/bin/python3.11", "-u", "x.py"], "script", "x.py", ["/usr/bin/python3.11", "-u"]),
        (["python3", "-m", "pkg.tool", "a"], "module", "pkg.tool", ["python3"]),
        (["python3", "-W", "error", "-X", "dev", "-m", "pkg"], "module", "pkg", ["python3", "-W", "error", "-X", "dev"]),
        (["python3", "-O", "a b.py", "--x"], "script", "a b.py", ["python3", "-O"]),
    ],
)  # fmt: skip
def test_commands_that_are_understood(argv: list[str], kind: str, name: str, interpreter: list[str]) -> None:
    command = understand(argv, argv[0])
    assert (command.kind, command.name, command.interpreter) == (kind, name, interpreter)


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (["python"], "the interpreter reads its program from standard input; scripts in files start warm"),
        (["python", "-"], "the interpreter reads its program from standard input; scripts in files start warm"),
        (["python", "-c", "1"], "the option -c holds the program; scripts in files start warm"),
        (["Rscript", "-e", "1"], "the option -e holds the program; scripts in files start warm"),
        (["python", "-i", "x.py"], "the interpreter has the option -i, which warm starts do not support"),
        (["python", "-X", "importtime", "x.py"], "the interpreter has the option -Ximporttime, which warm starts do not support"),
        (["/usr/bin/bash", "x"], "the command starts bash; Python and R scripts start warm"),
        (["./sim.sh", "x"], "the command starts sim.sh, a script of bash; Python and R scripts start warm"),
        (["./sim.jl", "x"], "the command starts sim.jl, a script of julia; Python and R scripts start warm"),
    ],
)  # fmt: skip
def test_commands_that_start_cold(
    argv: list[str], why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sim.sh").write_text("#!/bin/bash\n")
    Path("sim.jl").write_text("#!/usr/bin/env julia\n")
    with pytest.raises(Cold) as found:
        understand(argv, argv[0])
    assert str(found.value) == why


def test_every_reason_is_in_the_documentation() -> None:
    words = {name: text for name, text in vars(reasons).items() if name.isupper()}
    page = (Path(__file__).parents[2] / "docs/explanation/warm-start.md").read_text()
    missing = [text for text in words.values() if re.sub("%(s|d|[.]1f)", "...", text) not in page]
    assert len(words) > 20
    assert not missing
