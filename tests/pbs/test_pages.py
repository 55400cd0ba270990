"""Pages about TORQUE and OpenPBS are true: a user types what they tell, with stand-ins for the programs of the scheduler."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.pages import ROOT, STANDIN, Command, File, steps
from docs.test_pages import follow
from pbs.conftest import Site


@pytest.mark.parametrize(
    ("site", "page"), [(dialect, page) for page, dialect in STANDIN.items()], indirect=["site"], ids=lambda one: str(one).rpartition("/")[2]
)  # fmt: skip
def test_every_console_block_prints_what_it_shows(site: Site, page: Path) -> None:
    assert page.is_relative_to(ROOT)
    for step in steps(page):
        if isinstance(step, File):
            site.project.file(step.name, step.content)
        else:
            assert isinstance(step, Command)
            follow(step, page, site.project.path)
