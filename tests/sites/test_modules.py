"""`packhorse modules` with real environment-modules: what is there, what is loaded, what is found with them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from packhorse.model.command import Answer
from packhorse.model.site import Site
from packhorse.sites.modules import has_no_modules, list_command, parse_list, parse_load

Run = Callable[..., CompletedProcess[str]]
BASH = Path("/usr/share/modules/init/bash")
FILE = '#%Module\nprepend-path PATH "{place}"\n'


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a site whose modules are those of a folder: two of R, of which one brings a program, and a Python."""
    names = {"r/4.4.1": "old", "r/4.5.1": "new", "python/3.12": "snake", "gcc/13.2": "none"}
    for name, place in names.items():
        path = tmp_path / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(FILE.format(place=tmp_path / place))
    (tmp_path / "files" / "r" / ".version").write_text('#%Module\nset ModulesVersion "4.5.1"\n')
    _program(tmp_path / "new" / "Rscript", 'echo "Rscript (R) version 4.5.1 (2026-06-13)"')
    _program(tmp_path / "snake" / "python3", f'exec "{sys.executable}" "$@"')
    folder = tmp_path / "a site's"
    folder.mkdir()
    setup = [f". {BASH}", f"module use --prepend '{tmp_path / 'files'}'", "module load gcc"]
    path = folder / "ant.yaml"
    path.write_text(f"modules: {{load: module load, setup: {json.dumps(setup)}}}\nscheduler: slurm\n")
    return path


def _program(path: Path, line: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


@pytest.mark.modules
def test_modules_are_listed_with_those_that_are_loaded_by_default(packhorse: Run, site: Path) -> None:
    done = packhorse("modules", str(site))
    assert done.returncode == 0, done.stderr
    rows = done.stdout.splitlines()
    assert {"r/4.4.1", "r/4.5.1", "python/3.12", "gcc/13.2"} <= set(rows)
    assert rows[-1] == "loaded by default: gcc/13.2"
    said = json.loads(packhorse("modules", str(site), "--json").stdout)
    assert said["loaded"] == ["gcc/13.2"]
    assert len(said["found"]) == said["all"]


@pytest.mark.modules
@pytest.mark.parametrize("word", ["python", "PYTHON", "hon/3"])
def test_a_word_chooses_among_them(packhorse: Run, site: Path, word: str) -> None:
    said = json.loads(packhorse("modules", str(site), word, "--json").stdout)
    assert said["found"] == ["python/3.12"]
    assert said["all"] > 3


@pytest.mark.modules
def test_what_a_module_brings_is_found_and_without_it_not(packhorse: Run, site: Path) -> None:
    done = packhorse("modules", str(site), "--module", "r/4.5.1")
    assert done.returncode == 0, done.stderr
    new = site.parent.parent / "new" / "Rscript"
    assert f"Rscript: 4.5.1 at {new}" in done.stdout
    assert "python3: " in done.stdout
    other = packhorse("modules", str(site), "--module", "r/4.4.1")
    assert str(new) not in other.stdout


@pytest.mark.modules
def test_a_module_that_is_not_there_is_told_in_the_words_of_the_site(packhorse: Run, site: Path) -> None:
    done = packhorse("modules", str(site), "--module", "r/9")
    assert done.returncode == 5
    assert "r/9" in done.stdout
    assert "could not load r/9" in done.stderr
    assert f"packhorse modules {site}" in done.stderr


def test_a_login_shell_without_modules_is_told_what_to_write(packhorse: Run, tmp_path: Path) -> None:
    (tmp_path / "bare.yaml").write_text("setup: unset -f module\n")
    done = packhorse("modules", "./bare.yaml")
    assert done.returncode == 5
    assert "has no modules" in done.stderr
    assert "modules: {setup" in done.stderr


@pytest.fixture
def study(site: Path) -> Path:
    """Return a study in Python that needs a package that this Python has, one that none has, and one of its own."""
    folder = site.parent
    (folder / "own.py").write_text("import json\n")
    (folder / "sim.py").write_text(
        "import own, msgspec, no_such_package_anywhere\nfrom collections import abc\n"
    )
    path = folder / "study.yaml"
    path.write_text("command: python sim.py {n}\nparameters: {n: [1, 2]}\n")
    return path


@pytest.mark.modules
def test_packages_of_a_study_are_found_or_missing_with_given_modules(
    packhorse: Run, site: Path, study: Path
) -> None:
    done = packhorse("modules", str(site), "--module", "python/3.12", "--study", str(study))
    assert done.returncode == 5
    assert f"python3: {sys.version.split()[0]} at {site.parent.parent / 'snake' / 'python3'}" in done.stdout
    rows = [row.strip() for row in done.stdout.splitlines()]
    assert "msgspec: found" in rows
    assert "no_such_package_anywhere: missing" in rows
    assert not [row for row in rows if row.startswith(("own:", "json:", "collections:"))]
    assert "no_such_package_anywhere" in done.stderr
    said = packhorse("modules", str(site), "--module", "python/3.12", "--study", str(study), "--json")
    assert json.loads(said.stdout)["python"]["packages"] == {
        "msgspec": True,
        "no_such_package_anywhere": False,
    }


@pytest.mark.modules
def test_the_modules_that_a_study_names_for_the_site_are_loaded(
    packhorse: Run, site: Path, study: Path
) -> None:
    study.write_text(study.read_text() + "sites: {ant: {cluster: {modules: [python/3.12, r/4.5.1]}}}\n")
    (study.parent / "sim.py").write_text("import msgspec\n")
    done = packhorse("modules", str(site), "--study", str(study))
    assert done.returncode == 0, done.stderr
    assert "with python/3.12, r/4.5.1:" in done.stdout
    assert "Rscript: 4.5.1" in done.stdout


@pytest.mark.modules
@pytest.mark.r
def test_packages_of_a_study_in_r_are_asked_of_rscript(packhorse: Run, site: Path, study: Path) -> None:
    (study.parent / "sim.R").write_text("library(stats)\nx <- noSuchPackage::f(1)\n")
    study.write_text("command: Rscript sim.R {n}\nparameters: {n: [1, 2]}\n")
    done = packhorse("modules", str(site), "--study", str(study))
    assert done.returncode == 5
    rows = [row.strip() for row in done.stdout.splitlines()]
    assert "stats: found" in rows
    assert "noSuchPackage: missing" in rows


LMOD = """\
/opt/modulefiles/Core:
gcc/
gcc/12.2
gcc/13.2(default)
python/3.13.5 (D)
r/4.5.1 <L>
"""


def test_what_lmod_prints_is_read_too() -> None:
    """Lmod marks defaults with (default) or (D), and lists folders with a slash at their end."""
    spider = "r:\n  r/4.4.1\n  r/4.5.1\n"
    answer = Answer(
        status=0,
        stdout=f"a banner\n\n==packhorse== avail\n{LMOD}\n==packhorse== loaded\nxalt/3\n\n==packhorse== spider\n{spider}\n==packhorse== end\n",
    )
    assert parse_list(answer, "") == (["gcc/12.2", "gcc/13.2", "python/3.13.5", "r/4.5.1"], ["xalt/3"], 4)
    found, _, _ = parse_list(answer, "r/4")
    assert found == ["r/4.5.1", "r/4.4.1"]


def test_a_word_is_quoted_for_the_shell() -> None:
    argv = list_command(Site(name="ant"), "x; touch /tmp/no").argv
    assert "module -t spider 'x; touch /tmp/no'" in argv[-1]


def test_packages_are_found_or_missing() -> None:
    said = {
        "load": "loaded-all",
        "python": "/usr/bin/python3\nPython 3.6.8",
        "rscript": "bash: Rscript: command not found",
        "python packages": "numpy True\npandas False",
        "r packages": "bash: Rscript: command not found",
    }
    text = "".join(f"\n==packhorse== {name}\n{value}\n" for name, value in said.items())
    found = parse_load(Answer(status=0, stdout=text), ["numpy", "pandas", "scipy"], ["dplyr"])
    assert found.failed == ""
    assert found.python.packages == {"numpy": True, "pandas": False, "scipy": False}
    assert (found.python.version, found.python.path) == ("3.6.8", "/usr/bin/python3")
    assert (found.rscript.path, found.rscript.packages) == ("", {"dplyr": False})
    lost = parse_load(Answer(status=None, stderr="bash: did not answer within 60 s"), [], [])
    assert lost.failed == "bash: did not answer within 60 s"
    assert has_no_modules(Answer(status=None, stderr="x"))
