"""The README's first command, as a stranger types it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.campaign
def test_make_demo_works_in_a_folder_of_any_name(tmp_path: Path) -> None:
    clone = tmp_path / "it's a clone λ"
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
    alone = {
        name: value for name, value in os.environ.items() if not name.startswith("MAKE")
    }  # under make itself
    argv = ["make", "--no-print-directory", "demo"]
    shown = subprocess.run(argv, cwd=clone, env=alone, stdout=subprocess.PIPE, text=True, check=True).stdout
    first = shown.splitlines()[0]
    assert "takes about two minutes" in first, "before anything is installed"
    assert "results.csv" in shown[: shown.index("$ packhorse run")]
    table = Path(shown.splitlines()[-1].removeprefix("The table is "))
    assert table.is_absolute()
    assert table.read_bytes()[:4] == b"PAR1"
