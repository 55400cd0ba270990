"""Pages about working from a laptop are true: what they tell is typed on one, which is connected to the real cluster."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from docs.pages import LAPTOP, PROGRESS, ROOT, Command, File, matches, steps
from remote.laptop import Laptop


@pytest.mark.parametrize("page", LAPTOP, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_console_block_prints_what_it_shows(laptop: Laptop, page: Path) -> None:
    laptop.site(LAPTOP[page], "extends: testbed\nlogin: login-key\nidle: 1 h\n")
    assert laptop.connect(LAPTOP[page], [])[0] == 0
    folder = laptop.home / "study"
    folder.mkdir()
    for step in steps(page):
        if isinstance(step, File):
            (folder / step.name).write_text(step.content, encoding="utf-8")
        else:
            follow(laptop, step, page, folder)


def follow(laptop: Laptop, step: Command, page: Path, folder: Path) -> None:
    """Type a command of a page on the laptop, and compare."""
    seen = {**os.environ, **laptop.environment, "COLUMNS": "100"}
    done = subprocess.run(
        ["bash", "-c", f"exec 2>&1\n{step.text}"],
        cwd=folder,
        env={name: value for name, value in seen.items() if value is not None},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        timeout=180,
        check=False,
    )
    place = f"{page.name}:{step.line}"
    assert done.returncode == step.status, f"{place}: $ {step.text}\n{done.stdout}"
    if step.shown:
        printed = PROGRESS.sub("", done.stdout)
        shown = "\n".join(step.shown)
        assert matches(step.shown, printed), f"{place}: $ {step.text}\n{done.stdout}\nis not\n{shown}"
