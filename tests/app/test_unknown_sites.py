"""A site that a study speaks of and nobody knows is told, since its words would silently never be used."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Run = Callable[..., CompletedProcess[str]]

STUDY = """\
name: s
command: "true"
parameters: {i: [1, 2]}
sites:
  testbed: {resources: {cpus: 2}}
  SITE: {resources: {cpus: 4}}
"""


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    """Return an environment in which the user has no sites yet."""
    return {"XDG_CONFIG_HOME": str(tmp_path / "settings")}


@pytest.mark.parametrize("command", [["plan"], ["plan", "--site", "testbed"], ["run"]], ids=" ".join)
def test_a_misspelt_site_is_told(
    tmp_path: Path, packhorse: Run, settings: dict[str, str], command: list[str]
) -> None:
    (tmp_path / "study.yaml").write_text(STUDY.replace("SITE", "tesbed"))
    done = packhorse(*command, env=settings)
    assert done.returncode == 0, done.stderr
    said = [line for line in (done.stdout + done.stderr).splitlines() if "'tesbed'" in line]
    assert len(said) == 1
    assert "its settings in the study are not used. Did you mean 'testbed'?" in said[0]


def test_a_site_that_has_a_file_is_known(tmp_path: Path, packhorse: Run, settings: dict[str, str]) -> None:
    (tmp_path / "study.yaml").write_text(STUDY.replace("SITE", "ant"))
    (tmp_path / "packhorse-sites").mkdir()
    (tmp_path / "packhorse-sites" / "ant.yaml").write_text("extends: testbed")
    done = packhorse("plan", "--json", env=settings)
    assert "sites:" not in done.stdout + done.stderr


def test_the_site_that_is_named_by_a_file_is_known(
    tmp_path: Path, packhorse: Run, settings: dict[str, str]
) -> None:
    (tmp_path / "study.yaml").write_text(STUDY.replace("SITE", "bee"))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "bee.yaml").write_text("extends: testbed")
    done = packhorse("plan", "--site", "elsewhere/bee.yaml", "--json", env=settings)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert not [note for note in said["notes"] if note.startswith("sites:")]
    assert said["site"]["shape"]["cores"] % 4 == 0  # and what it says is used
