"""Commands that messages suggest can be pasted into a shell, also where paths have blanks and quotes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from running.project import Project

FOLDER = "it's my work"
# A command ends where the sentence goes on.
SUGGESTED = re.compile(
    r"packhorse (?:status|logs|retry|run|cancel|rm|collect|try|plan) .+?(?=;|, then |, or |, packhorse|\n|$)"
)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / FOLDER)


def suggested(text: str) -> list[list[str]]:
    return [shlex.split(line) for line in SUGGESTED.findall(text)]


def test_suggested_commands_name_their_run_in_one_argument(project: Project) -> None:
    project.write(sim_py="import sys\nif sys.argv[1] == '1':\n    sys.exit(3)\nprint({'x': 1})\n")
    project.study(command="python sim.py {n}", parameters={"n": [0, 1]})
    said = project.run(code=7) + project.command("status", "s")
    said += project.command("retry", "s", "--lost", code=5)
    said += project.command("rm", "s", code=5)
    said += project.command("init", "sim.py", "--force", "-o", "a b.yaml")
    commands = suggested(said)
    assert len(commands) >= 6, said
    for command in commands:
        for word in command[2:]:
            assert (
                word.startswith("--")
                or word in {"s", "0", "1", "a b.yaml", "2x"}
                or Path(word) == project.directory
            ), said
