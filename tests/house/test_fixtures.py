"""The fixtures do what they promise, since every other test leans on them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from _pytest.outcomes import Failed


def test_no_scheduler_speaks_to_the_tests() -> None:
    assert not [name for name in os.environ if name.startswith(("PACKHORSE_", "SLURM_", "PBS_"))]


def test_git_knows_an_author(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    subprocess.run(["git", "commit", "--quiet", "--allow-empty", "-m", "x"], cwd=tmp_path, check=True)


def test_weird_path_is_hostile(weird_path: Path) -> None:
    assert weird_path.is_dir()
    for character in " '\"\n\\$`λ":
        assert character in weird_path.name
    assert weird_path.parent.name.startswith("-")


def test_the_command_is_the_installed_one(packhorse, weird_path: Path) -> None:
    helped = packhorse("--help", cwd=weird_path)
    assert helped.returncode == 0
    assert "packhorse" in helped.stdout
    assert helped.stderr == ""


def test_a_command_that_hangs_is_a_failure(packhorse) -> None:
    with pytest.raises(Failed, match="took longer"):
        packhorse("--help", timeout=0)
