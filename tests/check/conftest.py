"""A folder with tests of its own, and a way to run them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def pytester_folder(tmp_path: Path) -> Path:
    """Return an empty project with a configuration of pytest."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


@pytest.fixture
def run_pytest(pytester_folder: Path) -> Callable[..., str]:
    """Return a function that runs pytest in the folder and returns what it prints."""

    def run(*options: str) -> str:
        argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", *options]
        return subprocess.run(
            argv, cwd=pytester_folder, capture_output=True, text=True, timeout=60, check=False
        ).stdout

    return run
