"""The fixtures do what they promise, since every other test leans on them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from _pytest.outcomes import Failed

from preloaded import COMMAND


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


@pytest.mark.parametrize("words", [["--help"], ["nothing-such"], ["status", "--json"], ["status"]])
def test_a_command_does_what_its_installed_program_does(
    packhorse, weird_path: Path, words: list[str]
) -> None:
    env = {name: value for name, value in os.environ.items() if name != "HOME"}
    program = subprocess.run(
        [COMMAND, *words], cwd=weird_path, env=env, capture_output=True, text=True, check=False
    )
    forked = packhorse(*words, cwd=weird_path, env={"HOME": None})
    assert (forked.returncode, forked.stdout, forked.stderr) == (
        program.returncode, program.stdout, program.stderr,
    )  # fmt: skip
    assert program.stdout + program.stderr


def test_a_command_is_a_process_of_its_own(packhorse, tmp_path: Path) -> None:
    (tmp_path / "check.py").write_text(
        "import os, sys; sys.exit(os.environ['WORD'] + os.environ['LC_ALL'])\n"
    )
    (tmp_path / "study.yaml").write_text("name: s\ncommand: 'true'\nchecks: [python check.py]\n")
    here = os.getpid(), Path.cwd(), dict(os.environ)
    done = packhorse("run", "study.yaml", env={"WORD": "é", "LC_ALL": "C.UTF-8"})
    assert done.returncode == 6
    assert "éC.UTF-8" in done.stderr
    assert here == (os.getpid(), Path.cwd(), dict(os.environ))


def test_a_command_that_hangs_is_a_failure(packhorse) -> None:
    with pytest.raises(Failed, match="took longer"):
        packhorse("--help", timeout=0)
