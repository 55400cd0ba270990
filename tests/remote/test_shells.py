"""Whatever a login shell somebody has there."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from remote.laptop import Laptop
from remote.test_run import project, table

SHELLS = {"tcsh": "/bin/tcsh", "fish": "/usr/bin/fish", "zsh": "/usr/bin/zsh", "dash": "/bin/dash"}


@pytest.fixture
def shell(laptop: Laptop, request: pytest.FixtureRequest) -> Iterator[str]:
    """Have another login shell for the user with a key."""
    path, user = SHELLS[request.param], laptop.gate.users["key"]
    if not Path(path).exists():
        pytest.skip(f"no {request.param}: scripts/system-packages")
    subprocess.run(["usermod", "--shell", path, user], check=True)
    yield request.param
    subprocess.run(["usermod", "--shell", "/bin/bash", user], check=True)


@pytest.mark.parametrize("shell", SHELLS, indirect=True)
def test_any_login_shell_will_do(laptop: Laptop, shell: str) -> None:
    assert laptop.connect("key")[0] == 0
    place = project(laptop.home / "study of 'mine' $x !y")
    done = laptop.run("run", "study.yaml", "--site", "key", cwd=place)
    assert done.returncode == 0, (shell, done)
    assert len(table(place)) == 10
