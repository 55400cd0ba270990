"""The command starts quickly, because what is heavy is imported only when it is needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from packhorse.cli.commands import COMMANDS

ROOT = Path(__file__).parents[2]
HEAVY = {"polars", "ruamel", "rich", "numpy", "pandas", "asyncio", "multiprocessing"}


@pytest.mark.parametrize("word", ["--help", "--version", "status"])
def test_starting_imports_nothing_heavy(word: str, tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("packhorse")
    told = subprocess.run(
        [sys.executable, "-X", "importtime", command, word],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    ).stderr
    modules = {
        line.rpartition("|")[2].strip() for line in told.splitlines() if line.startswith("import time:")
    }
    assert "packhorse.cli" in modules
    assert {name.partition(".")[0] for name in modules} & HEAVY == set()


def test_every_command_starts_without_what_others_import() -> None:
    for word in COMMANDS:
        done = subprocess.run(
            [Path(sys.executable).with_name("packhorse"), word, "--help"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), word
        assert done.stdout.startswith(f"Usage: packhorse {word}"), word


@pytest.mark.alone
def test_the_command_starts_in_twice_the_time_of_its_libraries() -> None:
    measured = subprocess.run(
        [sys.executable, ROOT / "bench/cli_start.py"], stdout=subprocess.PIPE, text=True, check=False
    )
    assert measured.returncode == 0, measured.stdout
