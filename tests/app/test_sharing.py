"""What is said on a machine whose ssh cannot share a connection, before anything fails that it does not have."""

from __future__ import annotations

import subprocess
import sys

import pytest

# As on Windows, these are not there.
MISSING = ("fcntl", "pwd", "grp", "termios", "resource")


@pytest.mark.parametrize("words", [["connect", "quartz"], ["shell", "quartz"], ["ssh-config", "quartz"]])
@pytest.mark.parametrize("system", ["win32", "cygwin"])
def test_windows_is_told_of_wsl(words: list[str], system: str) -> None:
    program = (
        "import click, subprocess, sys\n"  # the libraries look at the platform when they are imported, and are real here
        f"sys.modules.update(dict.fromkeys({MISSING!r})); sys.platform = {system!r}\n"
        "from packhorse.cli.commands import packhorse; from packhorse.cli.errors import guarded\n"
        f"sys.argv[1:] = {words!r}; sys.exit(guarded(packhorse))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 5, done.stderr
    assert "packhorse: the ssh of Windows cannot share a connection" in done.stderr
    assert "use WSL (wsl --install)" in done.stderr
    assert "use Packhorse on the login node" in done.stderr
