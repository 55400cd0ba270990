"""Where an interactive job is submitted from: this machine, if it has the scheduler's programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from packhorse.app.sites import shell
from packhorse.model.errors import PackhorseError
from packhorse.model.site import Site
from packhorse.model.site_parts import Partition
from packhorse.schedulers import DIALECTS, scheduler


@pytest.mark.parametrize("name", [dialect.name for dialect in DIALECTS])
def test_a_machine_with_the_schedulers_programs_is_a_login_node(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(name="here", scheduler=name, partitions=(Partition(name="short"),))
    monkeypatch.setattr(shell, "find_site", lambda *_: site)
    monkeypatch.setenv("PATH", str(tmp_path))
    for program in scheduler(name).programs:
        with pytest.raises(PackhorseError):
            shell.prepare("here", tmp_path, shell.ShellOptions())
        (tmp_path / program).touch(mode=0o755)
    job = shell.prepare("here", tmp_path, shell.ShellOptions())
    assert job.login is None
    assert "short" in job.line
