"""The environment of tasks on a site: its Python and packages, built once, also after failures."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
import venv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from packhorse.environments.remote import RemoteEnvironment, find_remote_environment
from packhorse.model.errors import RunError
from packhorse.model.site_parts import Modules, Storage
from packhorse.project.source import Source
from packhorse.snapshot.code import code_digest
from packhorse.snapshot.snapshot import list_files
from remote.loopback import Heard, Loopback, study, unpacked, wheel
from worker.old import oldest_python

PYTHON = os.path.realpath(sys.executable)
MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
UV = str(Path(sys.executable).parent / "uv")
DEADLINE = 60.0


class Laptop:
    """The user's machine with its own active environment, and the wheels of the package index."""

    def __init__(self, folder: Path, site: Loopback) -> None:
        self.folder, self.site = folder, site
        self.wheels = folder / "wheels"
        self.venv = folder / "venv"
        for name, version, needs in (
            ("alpha", "1.0", ()),
            ("alpha", "2.0", ()),
            ("beta", "3.1", ("alpha>=1",)),
        ):
            wheel(self.wheels, name, version, needs, script=f"run-{name}")
        venv.create(self.venv, with_pip=False, symlinks=True)

    def study(
        self, script: str = "import alpha\n", *, text: str = "command: python sim.py\n", **files: str
    ) -> Source:
        named = {name.replace("__", "."): content for name, content in files.items()}
        return study(self.folder / "project", {"sim.py": script, **named}, text)

    def install(self, *names: str) -> None:
        unpacked(self.venv, *(self.wheels / f"{name}-py3-none-any.whl" for name in names))

    def ask(
        self, source: Source, *, heard: Heard | None = None, build: bool = True, **asked: Any
    ) -> RemoteEnvironment:
        there = self.site.there()
        with there.open():
            there.locate(["sh", "bash"], [])
            return find_remote_environment(
                source, self.site.place(**asked), there, heard or self.site.heard, build=build
            )


@pytest.fixture
def site(tmp_path: Path) -> Loopback:
    """Return a site with a Python and uv that installs packages from a folder of wheels."""
    found = Loopback(tmp_path / "site")
    found.program("python3", PYTHON)
    found.program("uv", UV)
    found.variables |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path / "wheels")}
    found.variables |= {
        "UV_OFFLINE": "1",
        "UV_FIND_LINKS": str(tmp_path / "wheels"),
        "UV_PYTHON_DOWNLOADS": "never",
    }
    return found


@pytest.fixture
def laptop(tmp_path: Path, site: Loopback, monkeypatch: pytest.MonkeyPatch) -> Laptop:
    """Return a laptop with its own active environment."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    machine = Laptop(tmp_path, site)
    monkeypatch.setenv("VIRTUAL_ENV", str(machine.venv))
    monkeypatch.delenv("CONDA_PREFIX", raising=False)
    return machine


def said(python: str, program: str) -> str:
    done = subprocess.run([python, "-c", program], capture_output=True, text=True, cwd="/", check=False)
    return done.stdout.strip() or done.stderr.strip()


def until(what: Callable[[], Any]) -> Any:
    give_up = time.monotonic() + DEADLINE
    while not (found := what()):
        assert time.monotonic() < give_up, "it did not come about"
        time.sleep(0.05)
    return found


# Which packages


def test_the_standard_library_needs_nothing_but_the_sites_python(laptop: Laptop, site: Loopback) -> None:
    found = laptop.ask(
        laptop.study("import json, helper\n", helper__py="import csv\n", requirements__txt="alpha==1.0\n")
    )
    assert said(found.interpreter.python, "print(6 * 7)") == "42"
    assert found.programs["python"] == found.programs["python3"] == found.interpreter.python
    assert site.environments == []
    assert MINOR in found.description[0]
    assert found.digest


def test_a_lock_is_built_once_and_used_by_everybody_after(laptop: Laptop, site: Loopback) -> None:
    source = laptop.study(requirements__txt="# what it needs\nalpha==1.0\n")
    first = laptop.ask(source)
    assert said(first.interpreter.python, "import alpha; print(alpha.VERSION)") == "1.0"
    assert any("building an environment on loop" in one for one in site.heard.said)
    log = Path(f"{site.environments[0]}.log").read_text()
    assert "$ " in log
    assert "alpha" in log
    site.heard.said.clear()
    again = laptop.ask(laptop.study(requirements__txt="alpha==1.0\n"))  # the comment says nothing
    assert (again.interpreter.python, again.digest) == (first.interpreter.python, first.digest)
    assert site.heard.said == []
    other = laptop.ask(laptop.study(requirements__txt="alpha==2.0\n"))
    assert said(other.interpreter.python, "import alpha; print(alpha.VERSION)") == "2.0"
    assert other.digest != first.digest
    assert len(site.environments) == 2
    assert not list(site.area.glob("**/*.new"))


def test_without_a_lock_one_is_made_of_what_is_installed_here_and_kept(
    laptop: Laptop, site: Loopback
) -> None:
    laptop.install("alpha-1.0", "beta-3.1")
    source = laptop.study("import json\nimport beta\n")
    found = laptop.ask(source)
    lock = source.folder / "packhorse-lock.txt"
    assert [line for line in lock.read_text().splitlines() if not line.startswith("#")] == [
        "alpha==1.0",
        "beta==3.1",
    ]
    assert f"Python {MINOR}" in lock.read_text()
    assert (
        said(found.interpreter.python, "import alpha, beta; print(alpha.VERSION, beta.VERSION)") == "1.0 3.1"
    )
    before = lock.read_bytes()
    laptop.install("alpha-2.0")  # what changes here later changes nothing there
    shutil.rmtree(next(laptop.venv.glob("lib/*/site-packages/alpha-1.0.dist-info")))
    assert laptop.ask(source).digest == found.digest
    assert lock.read_bytes() == before


def test_a_lock_of_ours_grows_with_what_the_code_imports(laptop: Laptop) -> None:
    laptop.install("alpha-1.0", "beta-3.1")
    source = laptop.study("import alpha\n")
    laptop.ask(source)
    lock = source.folder / "packhorse-lock.txt"
    assert "beta" not in lock.read_text()
    found = laptop.ask(
        laptop.study("import alpha\ntry:\n    import beta\nexcept ImportError:\n    beta = None\n")
    )
    assert "beta==3.1" in lock.read_text()
    assert said(found.interpreter.python, "import beta; print(beta.VERSION)") == "3.1"


def test_the_lock_that_is_made_is_no_change_of_the_code(laptop: Laptop) -> None:
    laptop.install("alpha-1.0")
    source = laptop.study()

    def digest() -> str:
        listing = list_files(source.root, source.folder, code=(), include=(), exclude=[])
        return code_digest(listing.files, command="python sim.py", result="")

    before = digest()
    laptop.ask(source)
    assert (source.folder / "packhorse-lock.txt").exists()
    assert digest() == before


def test_requirements_without_versions_get_those_that_are_here(laptop: Laptop) -> None:
    laptop.install("alpha-1.0", "beta-3.1")
    source = laptop.study("import alpha\n", requirements__txt="beta>=3\n")
    found = laptop.ask(source)
    assert (
        said(found.interpreter.python, "import alpha, beta; print(alpha.VERSION, beta.VERSION)") == "1.0 3.1"
    )


PYLOCK = """\
lock-version = "1.0"
created-by = "test"
requires-python = ">={minor}"

[[packages]]
name = "alpha"
version = "1.0"
wheels = [{{name = "alpha-1.0-py3-none-any.whl", url = "https://example.org/a.whl", hashes = {{sha256 = "{sha256}"}}}}]

[[packages]]
name = "winonly"
version = "9"
marker = "sys_platform == 'win32'"

[[packages]]
name = "own"
directory = {{path = "."}}
"""


def test_a_pylock_is_installed_with_its_hashes_and_markers(laptop: Laptop, site: Loopback) -> None:
    (site.bin / "uv").unlink()

    right = hashlib.sha256((laptop.wheels / "alpha-1.0-py3-none-any.whl").read_bytes()).hexdigest()
    source = laptop.study(pylock__toml=PYLOCK.format(minor=MINOR, sha256="0" * 64))
    with pytest.raises(RunError, match="pip install") as wrong:
        laptop.ask(source)
    assert "make the lock again" in wrong.value.hint
    source = laptop.study(
        pylock__toml=PYLOCK.format(minor=MINOR, sha256=right).replace(
            'version = "9"', f'version = "9"\nwheels = [{{hashes = {{sha256 = "{right}"}}}}]'
        )
    )
    found = laptop.ask(source)
    assert said(found.interpreter.python, "import alpha; print(alpha.VERSION)") == "1.0"


def test_a_package_that_only_this_machine_has_is_refused(laptop: Laptop) -> None:
    laptop.install("alpha-1.0")
    (about,) = laptop.venv.glob("lib/*/site-packages/alpha-1.0.dist-info")
    place = laptop.folder / "elsewhere"
    place.mkdir()
    (about / "direct_url.json").write_text(
        json.dumps({"url": place.as_uri(), "dir_info": {"editable": True}})
    )
    with pytest.raises(RunError, match=f"only on this machine: alpha, from {re.escape(str(place))}"):
        laptop.ask(laptop.study())


def test_what_is_imported_and_not_brought_is_told_before_anything_starts(laptop: Laptop) -> None:
    laptop.install("alpha-1.0", "beta-3.1")
    source = laptop.study("import beta\nimport alpha\n", requirements__txt="alpha==1.0\n")
    with pytest.raises(RunError, match=r"sim.py imports beta, which .* does not have") as wrong:
        laptop.ask(source)
    assert "add beta to" in wrong.value.hint
    assert "requirements.txt" in wrong.value.hint
    assert any("imports beta" in note for note in laptop.ask(source, anyway=True).notes)


def test_an_import_that_no_package_is_known_for_is_refused_too(laptop: Laptop) -> None:
    """It was told, and submitted all the same: all tasks failed after their wait."""
    source = laptop.study("import nowhere_known\n", requirements__txt="alpha==1.0\n")
    with pytest.raises(RunError, match=r"sim\.py imports nowhere_known, which") as wrong:
        laptop.ask(source)
    assert "--anyway" in wrong.value.hint


def test_packages_installed_there_by_hand_are_another_environment(laptop: Laptop, site: Loopback) -> None:
    source = laptop.study(requirements__txt="alpha==1.0\n")
    first = laptop.ask(source)
    unpacked(site.environments[0], laptop.wheels / "beta-3.1-py3-none-any.whl")
    again = laptop.ask(source)
    assert again.digest != first.digest
    assert again.software.python is not None
    assert "beta" in {package.name for package in again.software.python.packages or ()}


# Which Python


def test_the_named_python_is_taken_and_a_missing_one_is_refused_with_those_that_are_there(
    laptop: Laptop,
) -> None:
    found = laptop.ask(
        laptop.study("import json\n", text="command: python sim.py\nenvironment: {python: python3}\n")
    )
    assert said(found.interpreter.python, "import sys; print('%d.%d' % sys.version_info[:2])") == MINOR
    with pytest.raises(RunError, match=r"no Python python2.7 on loop") as wrong:
        laptop.ask(
            laptop.study("import json\n", text="command: python sim.py\nenvironment: {python: python2.7}\n")
        )
    assert "python3 (" in wrong.value.hint


def test_a_named_python_without_a_package_is_told_with_the_cure(laptop: Laptop) -> None:
    laptop.install("alpha-1.0")
    with pytest.raises(RunError, match=r"sim.py imports alpha") as wrong:
        laptop.ask(laptop.study(text="command: python sim.py\nenvironment: {python: python3}\n"))
    assert "install alpha there" in wrong.value.hint


def test_a_virtual_environment_that_is_there_is_used_and_one_that_is_not_is_built(
    laptop: Laptop, site: Loopback
) -> None:
    place = site.folder / "mine"
    venv.create(place, with_pip=False, symlinks=True)
    unpacked(place, laptop.wheels / "alpha-2.0-py3-none-any.whl")
    laptop.install("alpha-1.0")
    found = laptop.ask(laptop.study(text=f'command: python sim.py\nenvironment: {{venv: "{place}"}}\n'))
    assert found.interpreter.python == f"{place}/bin/python"
    assert found.interpreter.variables["VIRTUAL_ENV"] == str(place)
    assert said(found.interpreter.python, "import alpha; print(alpha.VERSION)") == "2.0"
    assert site.environments == []
    text = "command: python sim.py\nenvironment: {venv: .venv}\n"
    built = laptop.ask(laptop.study(text=text, requirements__txt="alpha==1.0\n"))
    assert built.interpreter.python == f"{site.environments[0]}/bin/python"
    assert said(built.interpreter.python, "import alpha; print(alpha.VERSION)") == "1.0"


def test_a_python_too_old_for_the_code_is_refused_where_no_other_is_to_be_had(
    laptop: Laptop, site: Loopback, tmp_path: Path
) -> None:
    old, version = oldest_python()
    if version >= (3, 10):
        pytest.skip("no old Python here")
    site.program("python3.old", old)
    (site.bin / "python3").unlink()
    site.program("python3", old)
    site.script("uv", "echo no network >&2; exit 1")
    source = laptop.study("match 1:\n    case 1:\n        print(1)\n")
    with pytest.raises(RunError, match=r"needs Python 3.10 or newer; loop has ") as wrong:
        laptop.ask(source)
    assert "modules: [python]" in wrong.value.hint


def test_an_old_python_builds_with_its_own_pip(laptop: Laptop, site: Loopback) -> None:
    old, version = oldest_python()
    (site.bin / "uv").unlink()
    (site.bin / "python3").unlink()
    site.program("python3", old)
    (laptop.folder / "project").mkdir()
    (laptop.folder / "project" / ".python-version").write_text(f"{version[0]}.{version[1]}\n")
    found = laptop.ask(laptop.study(requirements__txt="beta==3.1\nalpha==1.0\n"))
    assert (
        said(found.interpreter.python, "import alpha, sys; print(alpha.VERSION, sys.version_info[:2])")
        == f"1.0 {version}"
    )
    assert str(site.area) in found.interpreter.python


def test_the_word_python_means_the_studys_python_also_in_a_shell(laptop: Laptop, site: Loopback) -> None:
    found = laptop.ask(laptop.study("print(1)\n", text="command: python sim.py | cat\nshell: true\n"))
    assert found.interpreter.path
    path = os.pathsep.join([*found.interpreter.path, str(site.bin)])
    done = subprocess.run(
        ["/bin/sh", "-c", "python -c 'print(7)' | cat"],
        env={"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "7\n"


def test_a_command_that_the_environment_brings_is_found_in_it(laptop: Laptop, site: Loopback) -> None:
    found = laptop.ask(laptop.study(text="command: run-alpha\n", requirements__txt="alpha==1.0\n"))
    assert found.programs["run-alpha"] == f"{site.environments[0]}/bin/run-alpha"
    done = subprocess.run([found.programs["run-alpha"]], capture_output=True, text=True, check=False)
    assert done.stdout == "alpha 1.0\n"


PROFILE = """\
export PATH={bin}
module() {{
    case "$2" in
        good) export PATH={there}:$PATH WHOSE=ours ;;
        *) echo "Lmod has detected the following error: The following module(s) are unknown: \\"$2\\"" >&2; return 1 ;;
    esac
}}
echo "welcome to the cluster"
"""


@pytest.fixture
def modules(site: Loopback) -> Path:
    """Add environment modules to the site's login shell; `good` adds the returned folder to PATH."""
    there = site.folder / "module"
    there.mkdir()
    (site.folder / "home" / ".bash_profile").write_text(PROFILE.format(bin=site.bin, there=there))
    return there


def test_modules_are_loaded_before_anything_is_looked_for(
    laptop: Laptop, site: Loopback, modules: Path
) -> None:
    (modules / "python3").symlink_to(PYTHON)
    (site.bin / "python3").rename(site.bin / "python3.6")  # what the site has without modules
    found = laptop.ask(laptop.study("import json\n"), modules=("good",))
    assert found.interpreter.python.startswith(str(modules))
    with pytest.raises(RunError, match="does not load odd") as wrong:
        laptop.ask(laptop.study("import json\n"), modules=("odd",))
    assert 'are unknown: "odd"' in wrong.value.message
    assert "module avail" in wrong.value.hint


def test_the_sites_own_module_is_loaded_where_its_python_is_too_old(
    tmp_path: Path, laptop: Laptop, modules: Path
) -> None:
    old, version = oldest_python()
    if version >= (3, 10):
        pytest.skip("no old Python here")
    site = laptop.site
    (site.bin / "python3").unlink()
    site.program("python3", old)
    (modules / "python3").symlink_to(PYTHON)
    site.site = replace(site.site, modules=Modules(python="good"))
    found = laptop.ask(laptop.study("match 1:\n    case 1:\n        print(1)\n"))
    assert found.interpreter.python.startswith(str(modules))
    assert found.modules == ("good",)


# uv

UV_PROJECT = '[project]\nname = "study"\nversion = "0"\nrequires-python = ">=3.9"\ndependencies = []\n'
UV_LOCK = 'version = 1\nrevision = 3\nrequires-python = ">=3.9"\n\n[[package]]\nname = "study"\nversion = "0"\nsource = {{ {kind} = "." }}\n'


def test_a_uv_project_is_synced_and_uv_is_sent_where_it_is_missing(laptop: Laptop, site: Loopback) -> None:
    (site.bin / "uv").unlink()
    files = {"pyproject__toml": UV_PROJECT, "uv__lock": UV_LOCK.format(kind="virtual")}
    source = laptop.study("import json\n", text="command: python sim.py\nenvironment: {uv: true}\n", **files)
    found = laptop.ask(source)
    assert found.interpreter.python == f"{site.environments[0]}/bin/python"
    assert any("loop has no uv; uploading uv" in one for one in site.heard.said)
    assert "sync --frozen" in Path(f"{site.environments[0]}.log").read_text()
    site.heard.said.clear()
    (source.folder / "uv.lock").write_text((source.folder / "uv.lock").read_text().replace(">=3.9", ">=3.8"))
    laptop.ask(source)
    assert len(site.environments) == 2
    assert not any("no uv" in one for one in site.heard.said)


def test_a_uv_project_without_a_lock_is_told_how_to_make_one(laptop: Laptop) -> None:
    source = laptop.study(
        "import json\n", text="command: python sim.py\nenvironment: {uv: true}\n", pyproject__toml=UV_PROJECT
    )
    with pytest.raises(RunError, match=r"has no uv.lock") as wrong:
        laptop.ask(source)
    assert "uv lock" in wrong.value.hint


def offered(folder: Path) -> Path:
    """Create an archive of this Python for uv, and the list in which uv searches for archives."""
    inside = folder / "python" / "bin"
    inside.mkdir(parents=True)
    for name in ("python3", f"python{MINOR}"):
        (inside / name).write_text(f'#!/bin/sh\nexec {PYTHON} "$@"\n')
        (inside / name).chmod(0o755)
    archive = folder / "python.tar.gz"
    with tarfile.open(archive, "w:gz") as pack:
        pack.add(folder / "python", "python")
    major, minor, patch = sys.version_info[:3]
    family = platform.machine()
    about = {"name": "cpython", "arch": {"family": family, "variant": None}, "os": "linux", "libc": "gnu"}
    about |= {
        "major": major,
        "minor": minor,
        "patch": patch,
        "prerelease": "",
        "variant": None,
        "build": "20250101",
    }
    about |= {"url": archive.as_uri(), "sha256": hashlib.sha256(archive.read_bytes()).hexdigest()}
    path = folder / "downloads.json"
    path.write_text(json.dumps({f"cpython-{major}.{minor}.{patch}-linux-{family}-gnu": about}))
    return path


def test_uv_is_sent_and_fetches_a_python_where_the_sites_own_is_too_old(
    laptop: Laptop, site: Loopback, tmp_path: Path
) -> None:
    old, version = oldest_python()
    if f"{version[0]}.{version[1]}" == MINOR:
        pytest.skip("no old Python here")
    for name in ("uv", "python3"):
        (site.bin / name).unlink()
    site.program("python3", old)
    for name in ("UV_OFFLINE", "UV_PYTHON_DOWNLOADS"):
        site.variables.pop(name)
    (tmp_path / "uv.toml").write_text("no-index = true\n")
    site.variables["UV_CONFIG_FILE"] = str(tmp_path / "uv.toml")
    site.variables["UV_PYTHON_DOWNLOADS_JSON_URL"] = str(offered(tmp_path / "offer"))
    (laptop.folder / "project").mkdir()
    (laptop.folder / "project" / ".python-version").write_text(f"{MINOR}\n")
    found = laptop.ask(laptop.study(requirements__txt="alpha==1.0\n"))
    assert (
        said(
            found.interpreter.python,
            "import alpha, sys; print(alpha.VERSION, '%d.%d' % sys.version_info[:2])",
        )
        == f"1.0 {MINOR}"
    )
    told = "\n".join(site.heard.said)
    assert "loop has no uv; uploading uv" in told
    assert f"loop has no Python {MINOR}; uv downloads it" in told
    assert (site.area / "packhorse" / "pythons").is_dir()
    assert not (site.folder / "home" / ".local" / "bin").exists()


# Failures, cuts and crowds


@pytest.mark.parametrize(
    ("uv", "command", "line"),
    [
        (False, "pip install", "No matching distribution found for alpha==9.9"),
        (True, "uv pip install", "there is no version of alpha==9.9"),
    ],
)
def test_a_failed_build_shows_its_command_its_last_lines_and_the_cure(
    laptop: Laptop, site: Loopback, uv: bool, command: str, line: str
) -> None:
    if not uv:
        (site.bin / "uv").unlink()
    with pytest.raises(RunError, match=rf"{command} .* failed \(exit status 1\) on loop") as wrong:
        laptop.ask(laptop.study(requirements__txt="alpha==9.9\n"))
    assert line in wrong.value.message
    assert ".python-version" in wrong.value.hint
    log = re.search(r"full log: (\S+)", wrong.value.hint)
    assert log
    assert "alpha==9.9" in Path(log[1]).read_text()
    assert site.environments == []
    assert not list(site.area.glob("**/*.new"))
    wheel(laptop.wheels, "alpha", "9.9")  # what was missing has come: the same command goes on
    found = laptop.ask(laptop.study(requirements__txt="alpha==9.9\n"))
    assert said(found.interpreter.python, "import alpha; print(alpha.VERSION)") == "9.9"


def test_nothing_goes_into_the_python_that_an_environment_is_made_of(laptop: Laptop, site: Loopback) -> None:
    # As if somebody removed the environment meanwhile: its python would be the one that it was made of.
    broken = f'{shlex.quote(UV)} "$@" || exit; case "$1" in venv) for last; do :; done; rm "$last/pyvenv.cfg";; esac'
    site.script("uv", broken)
    with pytest.raises(RunError, match=r"uv pip install .* failed") as wrong:
        laptop.ask(laptop.study(requirements__txt="alpha==1.0\n"))
    assert "No virtual environment found" in wrong.value.message


@pytest.fixture
def hold(site: Loopback, tmp_path: Path) -> Iterator[Path]:
    """Return a file that makes uv on the site wait while it exists; the waiting process ids are written beside it."""
    path = tmp_path / "hold"
    path.touch()
    held = f'case "$1" in venv) echo $$ >> {path}.pid; while [ -e {path} ]; do sleep 0.05; done;; esac'
    site.script("uv", f'{held}\nexec {shlex.quote(UV)} "$@"')
    yield path
    path.unlink(missing_ok=True)


def in_background(laptop: Laptop, source: Source) -> tuple[threading.Thread, Heard, list[RemoteEnvironment]]:
    heard, found = Heard(), list[RemoteEnvironment]()
    thread = threading.Thread(target=lambda: found.append(laptop.ask(source, heard=heard)))
    thread.start()
    return thread, heard, found


def test_two_commands_build_the_same_environment_once(laptop: Laptop, site: Loopback, hold: Path) -> None:
    source = laptop.study(requirements__txt="alpha==1.0\n")
    first, _, found_first = in_background(laptop, source)
    until(lambda: Path(f"{hold}.pid").exists())
    assert site.environments == []  # half of one is none
    second, heard_second, found_second = in_background(laptop, source)
    until(lambda: any("another command builds" in one for one in heard_second.said))
    hold.unlink()
    first.join(DEADLINE)
    second.join(DEADLINE)
    assert found_first[0].digest == found_second[0].digest
    assert len(Path(f"{hold}.pid").read_text().splitlines()) == 1


def builders(site: Loopback) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if len(words) > 4 and words[3].endswith(b"build.py") and words[3].startswith(str(site.area).encode()):
            found.append(int(folder.name))
    return found


def test_a_builder_that_is_killed_leaves_nothing_that_is_taken_for_whole(
    laptop: Laptop, site: Loopback, hold: Path
) -> None:
    source = laptop.study(requirements__txt="alpha==1.0\n")
    thread, heard, found = in_background(laptop, source)
    held = int(until(lambda: Path(f"{hold}.pid").exists() and Path(f"{hold}.pid").read_text().strip()))
    for process in [*until(lambda: builders(site)), held]:
        os.kill(process, signal.SIGKILL)
    until(lambda: any("building it again" in one for one in heard.warned))
    hold.unlink()
    thread.join(DEADLINE)
    assert said(found[0].interpreter.python, "import alpha; print(alpha.VERSION)") == "1.0"
    assert len(site.environments) == 1


def test_a_build_goes_on_when_the_laptop_is_gone(laptop: Laptop, site: Loopback, hold: Path) -> None:
    source = laptop.study(requirements__txt="alpha==1.0\n")
    there = site.there()
    killed: list[BaseException] = []

    def gone() -> None:
        try:
            with there.open():
                there.locate(["sh", "bash"], [])
                find_remote_environment(source, site.place(), there, site.heard)
        except RunError as error:
            killed.append(error)

    thread = threading.Thread(target=gone)
    thread.start()
    until(lambda: Path(f"{hold}.pid").exists())
    process = there.session.process
    assert process is not None
    process.kill()
    thread.join(DEADLINE)
    assert killed
    hold.unlink()
    until(lambda: site.environments)
    heard = Heard()
    laptop.ask(source, heard=heard)
    assert heard.said == []


def test_a_plan_tells_of_an_environment_without_building_it(laptop: Laptop, site: Loopback) -> None:
    source = laptop.study(requirements__txt="alpha==1.0\n")
    found = laptop.ask(source, build=False)
    assert "to be built" in found.description[0]
    assert found.digest == ""
    assert site.environments == []
    built = laptop.ask(source)
    assert built.interpreter.python == found.interpreter.python
    assert laptop.ask(source, build=False).digest == built.digest


def test_a_plan_makes_nothing_here_or_there(laptop: Laptop, site: Loopback) -> None:
    laptop.install("alpha-1.0")
    (site.bin / "uv").unlink()
    source = laptop.study()
    (source.folder / ".python-version").write_text("3.99\n")
    with pytest.raises(RunError, match=r"needs Python 3.99"):
        laptop.ask(source, build=False)
    (source.folder / ".python-version").unlink()
    found = laptop.ask(source, build=False)
    assert "1 package of packhorse-lock.txt, to be built in" in found.description[0]
    assert not (source.folder / "packhorse-lock.txt").exists()
    assert list(site.area.iterdir()) == []
    assert laptop.ask(source).interpreter.python == found.interpreter.python


@pytest.mark.parametrize("uv", [False, True])
def test_where_the_site_reaches_no_index_the_packages_are_fetched_here(
    laptop: Laptop, site: Loopback, monkeypatch: pytest.MonkeyPatch, uv: bool
) -> None:
    nobody = "http://127.0.0.1:9/simple"  # nobody listens there
    for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS", "UV_OFFLINE", "UV_FIND_LINKS"):
        site.variables.pop(name)
    site.variables |= {"PIP_INDEX_URL": nobody, "PIP_CONFIG_FILE": os.devnull, "UV_DEFAULT_INDEX": nobody}
    if not uv:
        (site.bin / "uv").unlink()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(laptop.wheels))
    found = laptop.ask(laptop.study("import beta\n", requirements__txt="beta==3.1\nalpha==2.0\n"))
    assert said(found.interpreter.python, "import alpha, beta; print(alpha.VERSION)") == "2.0"
    assert any("downloading the packages here" in one for one in site.heard.said)
    if uv:
        with pytest.raises(RunError, match="could not be downloaded here either"):
            laptop.ask(laptop.study(requirements__txt="alpha==7.7\n"))
    assert not list(site.area.glob("**/*.new"))


ABROAD_LOCK = """\
version = 1
revision = 3
requires-python = ">=3.9"

[[package]]
name = "alpha"
version = "1.0"
source = {{ registry = "{index}" }}
wheels = [
    {{ url = "{index}/alpha-1.0-py3-none-any.whl", hash = "sha256:{sha256}" }},
]

[[package]]
name = "study"
version = "0"
source = {{ virtual = "." }}
dependencies = [
    {{ name = "alpha" }},
]

[package.metadata]
requires-dist = [{{ name = "alpha" }}]
"""


def test_of_a_uv_project_too_the_packages_are_fetched_here(
    laptop: Laptop, site: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = "http://127.0.0.1:9/simple"  # nobody listens there
    for name in ("UV_OFFLINE", "UV_FIND_LINKS"):
        site.variables.pop(name)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(laptop.wheels))
    right = hashlib.sha256((laptop.wheels / "alpha-1.0-py3-none-any.whl").read_bytes()).hexdigest()
    project = UV_PROJECT.replace("dependencies = []", 'dependencies = ["alpha"]')
    lock = ABROAD_LOCK.format(index=index, sha256=right)
    text = "command: python sim.py\nenvironment: {uv: true}\n"
    found = laptop.ask(laptop.study(text=text, pyproject__toml=project, uv__lock=lock))
    assert said(found.interpreter.python, "import alpha; print(alpha.VERSION)") == "1.0"
    assert any("downloading the packages here" in one for one in site.heard.said)


def test_a_place_where_nothing_can_be_written_is_told(laptop: Laptop, site: Loopback) -> None:
    area = Storage(name="odd", path="$NOWHERE/x", purpose=("environments",))
    site.site = replace(site.site, storage=(area,))
    with pytest.raises(RunError, match="a variable in it is not set") as wrong:
        laptop.ask(laptop.study(requirements__txt="alpha==1.0\n"))
    assert "packhorse sites show loop" in wrong.value.hint


# R


@pytest.mark.r
def test_r_gets_a_library_of_its_own_and_a_missing_package_is_told_with_the_line_that_installs_it(
    laptop: Laptop, site: Loopback
) -> None:
    site.program("Rscript")
    code = "library(stats)\n# library(commented)\nif (requireNamespace('maybe')) 1\ncat(stats::rnorm(1))\n"
    source = laptop.study(text="command: Rscript sim.R\n", sim__R=code)
    found = laptop.ask(source)
    version = subprocess.run(
        ["Rscript", "-e", "cat(R.version$major, R.version$minor)"], capture_output=True, text=True, check=True
    ).stdout
    minor = ".".join(version.replace(" ", ".").split(".")[:2])
    library = site.area / "packhorse" / "R" / minor
    assert library.is_dir()
    assert str(found.interpreter.variables["R_LIBS_USER"]).split(":")[0] == str(library)
    assert found.programs["Rscript"] == str(site.bin / "Rscript")
    assert found.software.r is not None
    assert str(found.software.r.version).startswith("R version")
    (source.folder / "more.R").write_text("library('lme5')\nbayez::fit\n")
    (source.folder / "sim.R").write_text(code + "source('more.R')\n")
    with pytest.raises(RunError, match=r"sim.R loads bayez, lme5, which R version") as wrong:
        laptop.ask(source)
    assert f'install.packages(c("bayez", "lme5"), lib = "{library}")' in wrong.value.hint
    (library / "lme5").mkdir()
    (library / "lme5" / "DESCRIPTION").write_text(
        "Package: lme5\nVersion: 1.1\nBuilt: R 4.2.2; ; 2024-01-01; unix\n"
    )


@pytest.mark.r
def test_r_that_is_missing_is_told_with_what_brings_it(laptop: Laptop) -> None:
    with pytest.raises(RunError, match="Rscript not found on loop") as wrong:
        laptop.ask(laptop.study(text="command: Rscript sim.R\n", sim__R="cat(1)\n"))
    assert "modules: [R]" in wrong.value.hint
